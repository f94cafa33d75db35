"""The build of the Python client: models and calls by openapi-python-client, beside the code in clients/python."""

import json
import sys
import tempfile
from pathlib import Path

from clients.building.python_document import document_for_python
from clients.building.python_events import write_events
from clients.building.sources import ROOT, build_wheel, copy_package, run_uv

GENERATOR = "openapi-python-client==0.29.1"
SOURCE = ROOT / "clients/python"
_PACKAGE = "socialsyncer_client"
# Enums as strings; the oldest Python that the package supports.
_CONFIGURATION = """literal_enums: true
post_hooks:
  - ruff check --isolated --target-version py310 --select F,I --fix --quiet .
  - ruff format --isolated --target-version py310 --quiet .
"""


def build_python(out: Path) -> list[Path]:
    """Build wheel and source distribution of the Python client, and return their files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "python"
        write_package(folder)
        return build_wheel(folder, out)


def write_package(folder: Path) -> None:
    """Write the package's sources to a folder, generated ones included."""
    copy_package(SOURCE, folder)
    (folder / "openapi.json").write_text(json.dumps(document_for_python()))
    (folder / "generator.yml").write_text(_CONFIGURATION)
    run_uv(
        folder,
        *("run", "--no-project", "--python", sys.executable, "--with", GENERATOR),
        *("python", str(Path(__file__).with_name("run_generator.py")), _PACKAGE),
    )
    write_events(folder / _PACKAGE / "generated")
    for name in ("openapi.json", "generator.yml"):
        (folder / name).unlink()
