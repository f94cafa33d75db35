"""The commands that call the API, on the session's stack."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from cli.main import main
from tests.api.conftest import app as api_app
from tests.serving import listening
from tests.stack import Stack


class Terminal:
    """Commands with the address of the API and a key in their environment."""

    def __init__(self, url: str, key: str) -> None:
        self.environment = {"SOCIALSYNCER_API_URL": url, "SOCIALSYNCER_API_KEY": key}

    async def run(self, *arguments: str, stdin: str | None = None) -> Result:
        runner = CliRunner(env=self.environment)
        return await asyncio.to_thread(runner.invoke, main, list(arguments), stdin)


app = api_app


@pytest.fixture
async def terminal(
    app: Litestar, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Terminal]:
    monkeypatch.chdir(tmp_path)
    async with listening(app) as url:
        yield Terminal(url, stack.api_key)
