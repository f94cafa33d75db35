"""`socialsyncer doctor` as an operator runs it, on the session's database and Temporal."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from temporalio.testing import WorkflowEnvironment

from cli.main import main
from tests.runtime.doctor.conftest import asleep, new_workspace
from tests.stack import Stack


@pytest.fixture(autouse=True)
def environment(
    stack: Stack, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    """Set the environment up as an operator does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", stack.settings.encryption_keys[0].get_secret_value())
    monkeypatch.setenv("SOCIALSYNCER_SANDBOX_URL", stack.sandbox_url)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
    monkeypatch.setattr("runtime.doctor.doctor.AGAIN_AFTER_S", 0.2)
    return monkeypatch


async def doctor(*arguments: str) -> Result:
    """Run the command in a thread, where it can have an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *arguments])


async def test_what_agrees_and_what_does_not_is_told_in_sentences_and_to_programs(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        await _told(own)


async def _told(own: Stack) -> None:
    post, handle = await asleep(own, "hush: its content", timedelta(minutes=30))
    healthy = await doctor("--workspace", own.workspace_id)
    assert (healthy.exit_code, healthy.stderr) == (0, "")
    assert healthy.stdout.startswith("All agree. Compared: 1 live post, 1 running workflow")
    await handle.terminate()
    told = await doctor("--workspace", own.workspace_id)
    assert told.exit_code == 1
    assert told.stdout.startswith(
        f"workflow_lost: {post.id}\n  The row says scheduled, but its workflow was terminated"
    )
    assert "\n\n1 healing by themselves. Compared: " in told.stdout
    answer = json.loads((await doctor("--workspace", own.workspace_id, "--json")).stdout)
    assert answer["exitCode"] == 1
    assert answer["compared"]["posts"] == 1
    assert [(each["kind"], each["heals"], each["postId"]) for each in answer["findings"]] == [
        ("workflow_lost", "itself", post.id)
    ]
    assert "hush" not in told.stdout + json.dumps(answer)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SOCIALSYNCER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d", "The database does not answer"),
        (
            "SOCIALSYNCER_DATABASE_URL",
            "{server}/nowhere_hunter2",
            "The database cannot be read (InvalidCatalogNameError)",
        ),
        ("TEMPORAL_ADDRESS", "127.0.0.1:1", "Temporal does not answer"),
        ("SOCIALSYNCER_DATABASE_URL", "mysql://u:hunter2@h/d", "The environment is not set up"),
    ],
)
async def test_a_part_that_is_away_is_told_in_one_sentence(
    environment: pytest.MonkeyPatch, postgres_url: str, variable: str, value: str, sentence: str
) -> None:
    environment.setenv(variable, value.format(server=postgres_url.replace("+asyncpg", "")))
    result = await doctor()
    assert (result.exit_code, result.stderr) == (3, "")
    assert result.stdout.startswith(sentence)
    assert "hunter2" not in result.output
    assert json.loads((await doctor("--json")).stdout)["exitCode"] == 3


async def test_what_cannot_be_looked_at_is_not_called_healthy(tmp_path: Path) -> None:
    unknown = await doctor("--workspace", "nobody's")
    assert (unknown.exit_code, unknown.stdout.splitlines()[0]) == (3, "There is no workspace nobody's.")
    nowhere = await doctor("--data-dir", str(tmp_path / "none"))
    assert nowhere.exit_code == 3
    assert nowhere.stdout.startswith(f"No stack runs in {tmp_path / 'none'}")
