"""The commands other than dev, run inside the test's process on the session's database, Temporal and sandbox."""

from pathlib import Path

import pytest

from tests.cli.commands import bare, production, run
from tests.stack import Stack

__all__ = ["bare", "production"]


async def test_help_names_every_command() -> None:
    result = await run("--help")
    assert result.exit_code == 0
    for command in ("accounts", "api", "dev", "doctor", "keys", "migrate", "sandbox"):
        assert f"\n  {command} " in result.stdout
    for option in ("data-dir", "api-port", "temporal-port", "ui-port", "sandbox-port", "sandbox-url", "no-example"):
        assert f"--{option}" in (await run("dev", "--help")).stdout


async def test_missing_settings_are_named_without_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", "mysql://u:hunter2@h/d")
    result = await run("migrate")
    assert result.exit_code == 1
    assert "SOCIALSYNCER_DATABASE_URL: must start with postgresql://" in result.stderr
    assert "SOCIALSYNCER_ENCRYPTION_KEYS" not in result.stderr
    added = await run("accounts", "add", "twitter", "--workspace", "w", stdin="{}")
    assert "SOCIALSYNCER_ENCRYPTION_KEYS: Field required" in added.stderr
    assert "hunter2" not in result.output + added.output


@pytest.mark.parametrize("name", ["SOCIALSYNCER_PRIVATE_MEDIA_HOSTS", "SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS"])
async def test_a_private_host_without_a_port_is_refused_at_the_start(
    name: str, production: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "nas.lan:8443, localhost")
    result = await run("api")
    assert result.exit_code == 1
    assert f"{name}: 'localhost' is not host:port; write for example nas.lan:8443" in result.stderr


async def test_stopped_stack_is_reported_in_one_sentence(tmp_path: Path) -> None:
    result = await run("keys", "create", "--data-dir", str(tmp_path / "none"))
    assert result.stderr.startswith(f"Error: No stack runs in {tmp_path / 'none'}: start it with `socialsyncer dev")


@pytest.mark.usefixtures("free_namespace")
async def test_migrate_brings_database_and_temporal_up_to_date(production: Stack) -> None:
    result = await run("migrate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "The database is up to date (nothing applied).",
        "Temporal's search attributes are there (none added).",
    ]


async def test_migrate_says_when_the_database_is_away(production: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
    result = await run("migrate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database does not answer")
    assert "hunter2" not in result.output
