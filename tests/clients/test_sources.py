"""The packages of `clients` are separate from the service: they import nothing of it, and its image has no client."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.sources import syntax_nodes

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("clients/*/pyproject.toml"))


def test_a_client_imports_itself_and_what_it_depends_on() -> None:
    assert PACKAGES
    for package in PACKAGES:
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        needed = {requirement.split(">")[0].split("=")[0].replace("-", "_") for requirement in project["dependencies"]}
        allowed = {project["name"].replace("-", "_"), *needed, *sys.stdlib_module_names}
        assert {name.partition(".")[0] for name in imported_names(package)} - allowed == set()


def imported_names(folder: Path) -> Iterator[str]:
    """Yield the modules that are imported anywhere in a folder."""
    for path in folder.rglob("*.py"):
        for node in syntax_nodes(path.read_text()):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                yield node.module or ""


def test_neither_the_image_nor_the_service_has_a_client() -> None:
    assert "!clients" not in (ROOT / ".dockerignore").read_text().split()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert all("clients" not in target["only-include"] for target in build.values())
