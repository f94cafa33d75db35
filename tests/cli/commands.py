"""Commands other than dev, run inside the test's process on the session's database, Temporal and sandbox."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from temporalio.testing import WorkflowEnvironment

from cli.data_dir import DevFile, Folder, StackState, write_private
from cli.main import main
from tests.stack import Stack

Run = Callable[..., Awaitable[Result]]
VARIABLES = ("SOCIALSYNCER_DATABASE_URL", "SOCIALSYNCER_ENCRYPTION_KEYS", "SOCIALSYNCER_SANDBOX_URL")


async def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run a command in a thread, where it can have an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, list(arguments), stdin)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def production(stack: Stack, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Set the environment up as an operator does; platforms are the sandbox's."""
    keys = ",".join(key.get_secret_value() for key in stack.settings.encryption_keys)
    values = (stack.database_url.replace("+asyncpg", ""), keys, stack.sandbox_url)
    for name, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
    return stack


@pytest.fixture
def data_dir(stack: Stack, tmp_path: Path) -> Path:
    """Make the session's services look like a stack that `socialsyncer dev` runs."""
    folder = Folder(tmp_path / "data")
    folder.create()
    write_private(folder.key_file, stack.settings.encryption_keys[0].get_secret_value() + "\n")
    StackState(workspace_id=stack.workspace_id).write(folder.state_file)
    DevFile(
        api_url="http://127.0.0.1:1",
        api_key=stack.api_key,
        temporal_address="127.0.0.1:1",
        temporal_namespace="default",
        temporal_ui_url="http://127.0.0.1:1",
        sandbox_url=stack.sandbox_url,
        database_url=stack.database_url.replace("+asyncpg", ""),
        accounts=[],
    ).write(folder.dev_file)
    return folder.path
