"""Commands say in a sentence that the database cannot be used."""

import pytest

from cli.stack.ports import free_port
from tests.cli.commands import bare, run
from tests.stack import Stack

__all__ = ["bare"]


@pytest.mark.parametrize(
    "command",
    [
        ("report",),
        ("waiting",),
        ("history", "post_1"),
        ("doctor", "post_1"),
        ("resolve", "post_1", "telegram", "published"),
        ("accounts", "list", "--all"),
        ("accounts", "list", "--workspace", "acme"),
        ("keys", "list"),
        ("views", "--ui", "http://127.0.0.1:1", "--workspace", "acme"),
    ],
)
async def test_a_database_that_is_away_is_one_sentence(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", f"postgresql://u:hunter2@127.0.0.1:{free_port()}/d")
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    result = await run(*command)
    assert (result.exit_code, result.stderr) == (
        3 if command[0] == "doctor" else 1,
        "Error: The database does not answer. Does PostgreSQL run, and does SOCIALSYNCER_DATABASE_URL name it?\n",
    )


async def test_a_database_without_tables_names_the_command(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = stack.database_url.replace("+asyncpg", "").rpartition("/")[0] + "/postgres"
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", empty)
    result = await run("report")
    assert (result.exit_code, "run `socialsyncer migrate`" in result.stderr) == (1, True), result.stderr


async def test_waiting_names_the_platforms_that_there_are() -> None:
    result = await run("waiting", "--platform", "myspace")
    assert (result.exit_code, "There is no platform 'myspace'; there are bluesky, discord" in result.stderr) == (
        1,
        True,
    )
