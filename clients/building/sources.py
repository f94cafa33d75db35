"""The sources of all clients: the OpenAPI document, the product's version, and programs of other packages."""

import os
import shutil
import subprocess
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
SCHEMAS = "#/components/schemas/"
_WITHIN_S = 300


def project() -> dict[str, Any]:
    """Return the product's pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def product_version() -> str:
    """Return the product's version, which is each client's too."""
    version: str = project()["project"]["version"]
    return version


def openapi_document() -> dict[str, Any]:
    """Return a copy of the API's document."""
    from api.openapi.document import document  # noqa: PLC0415  it takes a second

    return deepcopy(document())


def copy_package(source: Path, folder: Path) -> None:
    """Copy a client's package to a folder, with the product's version and licence."""
    development = shutil.ignore_patterns("__pycache__", "generated", "ruff.toml")
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=development)
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('dynamic = ["version"]', f'version = "{product_version()}"'))
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE")


def run_uv(folder: Path, *arguments: str) -> None:
    """Run uv in a folder. Raises click.ClickException with its output if it fails."""
    # `uv run` names itself; it need not be on the PATH.
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise click.ClickException("uv is not installed, which runs generators and builds packages.")
    dated = [uv, *arguments[:1], "--exclude-newer", project()["tool"]["uv"]["exclude-newer"], *arguments[1:]]
    ran = subprocess.run(
        dated, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=_WITHIN_S,
        check=False,
    )  # fmt: skip
    if ran.returncode:
        raise click.ClickException(f"{' '.join(arguments)} has failed:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")


def build_wheel(folder: Path, out: Path) -> list[Path]:
    """Build the wheel and the source distribution of a package, and return their files."""
    built = folder / "dist"
    run_uv(folder, "build", "--out-dir", str(built))
    return sorted(Path(shutil.copy(file, out)) for file in [*built.glob("*.whl"), *built.glob("*.tar.gz")])
