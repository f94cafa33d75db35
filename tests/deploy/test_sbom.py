"""The bill of materials of the environment in which the tests run, made and validated as docs/licences.md says."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from deploy.licences import LIBRARIES
from deploy.packages import pins

# A new machine downloads all packages first.
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the packages of the image, by their hashes."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
    sync = ["uv", "pip", "sync", "--quiet", "--python", str(folder), "--require-hashes", "deploy/requirements.txt"]
    subprocess.run(sync, cwd=ROOT, check=True)
    return folder


def made_bill(environment: Path, file: Path) -> str:
    tool = ["uv", "run", "--quiet", "--isolated", "--only-group", "sbom", "python", "-m", "deploy.sbom"]
    subprocess.run([*tool, str(environment), str(file)], cwd=ROOT, check=True)
    return file.read_text()


def test_the_bill_has_every_package_and_library_and_is_the_same_each_time(environment: Path, tmp_path: Path) -> None:
    text = made_bill(environment, tmp_path / "bill.json")
    assert made_bill(environment, tmp_path / "again.json") == text
    bill: dict[str, Any] = json.loads(text)
    components = {component["purl"]: component for component in bill["components"]}
    pinned = pins((ROOT / "deploy/requirements.txt").read_text())
    known = {f"pkg:pypi/{name}@{pin.version}" for name, pin in pinned.items()}
    assert components.keys() <= known
    assert len(components) > 40
    assert bill["metadata"]["component"]["version"] == version("socialsyncer")
    assert all(component["licenses"][0]["expression"] for component in components.values())
    libraries = [library for component in components.values() for library in component.get("components", [])]
    assert {library["name"] for library in libraries} == LIBRARIES.keys()
    assert set(re.findall(r"\w+://[^/]+", text)) == {"http://cyclonedx.org"}
