"""The Python packages of `clients`, built and installed in an environment without anything else."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_DATE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]


def built(name: str, folder: Path) -> list[Path]:
    """Return the wheel and the source distribution of a client, by the command that its users run.

    Skips the test without uv or the packages that build it.
    """
    command = [sys.executable, "-m", "clients.build", name, "--out", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode and ("uv is not installed" in ran.stderr or "Failed to fetch" in ran.stderr):
        pytest.skip(f"the client cannot be built here: {ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stderr
    return [Path(line) for line in ran.stdout.split()]


def unpacked(wheel: Path, folder: Path) -> Path:
    """Return a folder from which the package of a wheel can be imported."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def installed(files: list[Path], folder: Path) -> Path:
    """Return the Python of a new environment with these files and what they need; skip the test without PyPI."""
    python = folder / "bin/python"
    run_uv(["venv", "--python", sys.executable, str(folder)], folder.parent)
    run_uv(["pip", "install", "--python", str(python), *map(str, files)], folder.parent)
    return python


def install_tool(arguments: list[str], folder: Path) -> None:
    """Run a command of uv that installs a program, with its environment in `tools`; skip the test without PyPI."""
    run_uv([*arguments, "--python", sys.executable], folder)


def run_uv(arguments: list[str], folder: Path) -> None:
    """Run uv in a folder with the releases of the project's date."""
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    options = {
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "programs"),
        "UV_EXCLUDE_NEWER": _DATE,
        # Of the project: each installation would compile everything.
        "UV_COMPILE_BYTECODE": "0",
        "UV_NO_CONFIG": "1",
    }
    command = [uv, "--quiet", *arguments]
    ran = subprocess.run(
        command, cwd=folder, env={**os.environ, **options}, capture_output=True, text=True, timeout=300, check=False
    )
    if "Failed to fetch" in ran.stderr:
        pytest.skip(f"no index of packages can be reached: {ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stderr
