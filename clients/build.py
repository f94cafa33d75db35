"""Build a client: `uv run python -m clients.build NAME [--out DIR]`."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from clients.building.python import build_python
from clients.building.sources import ROOT, build_wheel, copy_package, product_version
from clients.building.typescript import build_typescript

SOURCE = ROOT / "clients/mcp"


def build_mcp(out: Path) -> list[Path]:
    """Build wheel and source distribution of the MCP server, which requires the Python client of the same version."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "mcp"
        copy_package(SOURCE, folder)
        pyproject = folder / "pyproject.toml"
        client = f'"socialsyncer-client=={product_version()}"'
        pyproject.write_text(pyproject.read_text().replace('"socialsyncer-client"', client))
        return build_wheel(folder, out)


TARGETS: dict[str, Callable[[Path], list[Path]]] = {
    "python": build_python,
    "typescript": build_typescript,
    "mcp": build_mcp,
}
"""What builds each client into a folder, and returns the files that it has written."""


@click.command()
@click.argument("name", type=click.Choice(list(TARGETS)))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("dist"), show_default=True)
def build(name: str, out: Path) -> None:
    """Build a client into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for file in TARGETS[name](out):
        click.echo(file)


if __name__ == "__main__":
    build()
