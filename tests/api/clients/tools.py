"""The generators of clients, and a browser's DOM, installed in a folder of the user's cache and not in the project."""

import asyncio
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from clients.building.npm import install_packages

NPM = {
    "@hey-api/openapi-ts": "0.95.0",
    "@types/node": "20.19.25",
    "jsdom": "24.1.3",
    "openapi-fetch": "0.17.0",
    "openapi-typescript": "7.13.0",
    "typescript": "5.9.3",
}
PYTHON_CLIENT = "openapi-python-client==0.29.1"
GENERATOR = "openapi-generator-cli==7.26.0"
"""The wheel contains the generator itself, a Java program."""
MODELS = "datamodel-code-generator"
"""Models of pydantic, for programs with their own HTTP client; the newest version that the project's date allows."""
MYPY = "mypy==2.4.0"

_INSTALL_WITHIN_S = 150
_RUN_WITHIN_S = 150


async def run(folder: Path, *command: str, within_s: float = _RUN_WITHIN_S) -> str:
    """Return what a command printed. Raises AssertionError with the output if the command fails or is too slow."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise AssertionError(f"{command[0]} took more than {within_s:.0f} s") from None
    assert process.returncode == 0, f"{' '.join(command)}\n{output.decode(errors='replace')[-4000:]}"
    return output.decode(errors="replace")


async def uvx(folder: Path, package: str, *command: str, beside: tuple[str, ...] = ()) -> str:
    """Run a command of a Python package that is no dependency of ours; skip the test if it cannot be installed."""
    # `uv run` names itself; it need not be on the PATH.
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed, which brings the generator of clients")
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    options = ["--no-project", "--exclude-newer", project["tool"]["uv"]["exclude-newer"], "--python", sys.executable]
    for requirement in (package, *beside):
        options += ["--with", requirement]
    try:
        await run(folder, uv, "run", *options, "python", "-c", "", within_s=_INSTALL_WITHIN_S)
    except AssertionError as error:
        pytest.skip(f"{package} cannot be installed here: {str(error)[-300:]}")
    return await run(folder, uv, "run", *options, *command)


async def npm_packages() -> Path:
    """Return a folder with the packages of NPM; skip the test if they cannot be installed."""
    return await installed_from_npm(NPM)


async def installed_from_npm(packages: Mapping[str, str]) -> Path:
    """Return a folder with packages of npm, by their versions; skip the test if they cannot be installed."""
    try:
        return await asyncio.to_thread(install_packages, packages)
    except click.ClickException as error:
        pytest.skip(f"npm cannot install {', '.join(packages)} here: {error.message[-300:]}")
