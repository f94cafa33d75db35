"""The wheel, installed as users install it: a whole stack runs from it, without the repository."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stacks import DevStack

# A new machine downloads all packages first.
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]


def uv(folder: Path, *arguments: str, cwd: Path = ROOT) -> str:
    """Run uv with tools of its own in a folder, and return what it printed."""
    tools = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    done = subprocess.run(
        ["uv", *arguments], cwd=cwd, env=os.environ | tools, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv(folder, "build", "--quiet", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel as docs/production.md says; returns the folder with `bin` and `tools`."""
    folder = tmp_path_factory.mktemp("installed")
    constraints = ["--constraints", str(ROOT / "deploy/requirements.txt")]
    python = ["--python", sys.executable]
    uv(
        folder,
        "tool",
        "install",
        "--quiet",
        "--compile-bytecode",
        *python,
        *constraints,
        f"{wheel}[embedded]",
        cwd=folder,
    )
    return folder


def test_every_module_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import api, sandbox, store, worker; print(api.__file__, sandbox.__file__, store.__file__, worker.__file__)"
    python = installed / "tools/socialsyncer/bin/python"
    files = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    assert all(Path(file).is_relative_to(installed / "tools") for file in files.split())


def test_the_same_files_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    uv(tmp_path, "build", "--quiet", "--out-dir", str(tmp_path))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


async def test_a_stack_runs_from_the_wheel_and_publishes(installed: Path, tmp_path: Path) -> None:
    stack = DevStack(tmp_path, program=[str(installed / "bin/socialsyncer")])
    try:
        await stack.start("--no-example")
        text = "Published from the wheel"
        answer = await stack.publish(text, publishNow=True)
        assert len(await stack.published(text)) == 1, answer
        assert await stack.ended(signal.SIGTERM) == 0
    finally:
        stack.destroy()


def test_without_the_extra_dev_says_what_to_install(wheel: Path, tmp_path: Path) -> None:
    uv(tmp_path, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    uv(tmp_path, "pip", "install", "--quiet", "--python", str(tmp_path / "venv"), str(wheel))
    dev = subprocess.run(
        [tmp_path / "venv/bin/socialsyncer", "dev"], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    assert (dev.returncode, dev.stdout) == (1, "")
    assert dev.stderr == "Error: psutil is not installed: run `uv sync`, or install `socialsyncer[embedded]`.\n"
