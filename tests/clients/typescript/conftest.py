"""The project of the tests, and the API that its programs call."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.api.clients.tools import run
from tests.clients.typescript.project import ROOT, make_project
from tests.stack import Stack

Program = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
async def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project, with the programs of the documents too: `page-1` is the first of the page."""
    text = (ROOT / "docs/clients.md").read_text()
    pages = {f"page-{number}": block for number, block in enumerate(re.findall(r"```ts\n(.*?)```", text, re.DOTALL), 1)}
    return await asyncio.to_thread(make_project, tmp_path_factory.mktemp("typescript"), pages)


@pytest.fixture
async def program(project: Path, address: str, stack: Stack) -> Program:
    """Return a function that runs a program of the project, and returns what it prints."""

    async def run_program(name: str, *arguments: str, key: str = stack.api_key, url: str = address) -> str:
        settings = (f"SOCIALSYNCER_API_URL={url}", f"SOCIALSYNCER_API_KEY={key}")
        return await run(Path.cwd(), "env", *settings, "node", str(project / f"{name}.js"), *arguments)

    return run_program
