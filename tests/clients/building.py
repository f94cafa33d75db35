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
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    python = folder / "bin/python"
    # Without bytecode: the project's own option would compile the environment at each installation.
    environment = {**os.environ, "UV_COMPILE_BYTECODE": "0"}
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True, env=environment)
    command = [uv, "pip", "install", "--quiet", "--no-config", "--exclude-newer", _DATE, "--python", python, *files]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    if "Failed to fetch" in ran.stderr:
        pytest.skip(f"no index of packages can be reached: {ran.stderr[-300:]}")
    assert ran.returncode == 0, ran.stderr
    return python
