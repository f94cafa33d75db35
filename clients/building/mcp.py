"""The build of the MCP server."""

import tempfile
from pathlib import Path

from clients.building.sources import ROOT, build_wheel, copy_package, product_version

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
