"""`socialsyncer keys`: API keys of workspaces, and the keys under which credentials are sealed."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from domain.ids import new_id
from store.secrets.vault import Vault, new_key
from store.workspaces.keys import workspace_of_key
from tests.cli.commands import bare, production, run
from tests.databases import new_database
from tests.stack import Stack

__all__ = ["bare", "production"]


async def test_secret_prints_a_key_the_vault_takes() -> None:
    result = await run("keys", "secret")
    assert len(result.stdout.strip()) == len(new_key())
    assert result.stdout.count("\n") == 1


async def test_keys_create_prints_the_key_alone(production: Stack) -> None:
    first, second = (
        await run("keys", "create", "--workspace", "acme"),
        await run("keys", "create", "--workspace", "acme"),
    )
    assert first.stderr.startswith("Workspace 'acme' is new: it was created.\nThis is the only time")
    assert re.fullmatch(r"This is the only time that the key is shown\. Its id is key_[0-9a-f]{32}\.\n", second.stderr)
    async with production.database.transaction() as session:
        workspaces = {await workspace_of_key(session, result.stdout.rstrip("\n")) for result in (first, second)}
    assert len(workspaces) == 1
    assert None not in workspaces


async def test_keys_create_needs_a_valid_workspace(production: Stack) -> None:
    assert "Which workspace?" in (await run("keys", "create")).stderr
    assert "Which workspace?" in (await run("keys", "create", "--workspace", "")).stderr
    assert "There is no workspace ws_unknown." in (await run("keys", "create", "--workspace", "ws_unknown")).stderr


async def list_keys(workspace: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await run("keys", "list", "--workspace", workspace)).stdout.splitlines()]


async def test_keys_list_shows_everything_but_the_key(production: Stack) -> None:
    name = f"list {new_id('ws')}"
    key = (await run("keys", "create", "--workspace", name, "--name", "ci", "--expires-in-days", "30")).stdout.strip()
    result = await run("keys", "list", "--workspace", name)
    assert key not in result.output
    [shown] = await list_keys(name)
    assert shown["id"].startswith("key_")
    assert key.startswith(shown["prefix"])
    assert (len(shown["prefix"]), shown["name"], shown["workspace"]) == (9, "ci", name)
    assert (shown["lastUsedAt"], shown["revokedAt"]) == (None, None)
    created, ends = (datetime.fromisoformat(shown[when]) for when in ("createdAt", "expiresAt"))
    assert abs(ends - created - timedelta(days=30)) < timedelta(seconds=5)
    everybody = [json.loads(line) for line in (await run("keys", "list")).stdout.splitlines()]
    assert shown in everybody
    assert len(everybody) > 1


async def test_a_key_may_end_after_an_hour(production: Stack) -> None:
    name, end = f"hour {new_id('ws')}", datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    created = await run("keys", "create", "--workspace", name, "--expires-at", end.isoformat())
    assert created.exit_code == 0, created.output
    [shown] = await list_keys(name)
    assert datetime.fromisoformat(shown["expiresAt"]) == end
    wrong = await run("keys", "create", "--workspace", name, "--expires-at", "tomorrow")
    assert (wrong.exit_code, "ISO 8601" in wrong.stderr) == (1, True)


async def test_revoked_key_is_refused(production: Stack) -> None:
    name = f"revoke {new_id('ws')}"
    key = (await run("keys", "create", "--workspace", name)).stdout.strip()
    [before] = await list_keys(name)
    result = await run("keys", "revoke", before["id"])
    assert (result.exit_code, result.stdout) == (0, f"{before['id']} is revoked.\n")
    async with production.database.transaction() as session:
        assert await workspace_of_key(session, key) is None
    [after] = await list_keys(name)
    assert after["revokedAt"]
    assert (await run("keys", "revoke", before["id"])).exit_code == 0
    assert await list_keys(name) == [after]


async def test_a_key_is_replaced_by_one_like_it(production: Stack) -> None:
    name = f"rotate {new_id('ws')}"
    created = await run("keys", "create", "--workspace", name, "--name", "ci", "--rate", "90", "--scope", "read")
    assert created.exit_code == 0, created.output
    old = created.stdout
    [before] = await list_keys(name)
    assert before["ratePerMinute"] == 90
    result = await run("keys", "rotate", before["id"], "--overlap-hours", "1")
    assert f"{before['id']} ends in 1 hours." in result.stderr
    first, second = sorted(await list_keys(name), key=lambda key: key["id"])
    same = ("name", "scopes", "ratePerMinute", "workspace")
    assert [second[field] for field in same] == [first[field] for field in same]
    assert (first["replacedBy"], second["replacedBy"], second["expiresAt"]) == (second["id"], None, None)
    assert first["expiresAt"] is not None
    async with production.database.transaction() as session:
        for key in (old, result.stdout):
            assert await workspace_of_key(session, key.strip()) is not None
    assert "that is not being replaced already" in (await run("keys", "rotate", before["id"])).stderr
    await run("keys", "rotate", second["id"], "--overlap-hours", "0")
    async with production.database.transaction() as session:
        assert await workspace_of_key(session, result.stdout.strip()) is None


async def test_revoking_an_invalid_key_id_repeats_nothing(production: Stack) -> None:
    result = await run("keys", "revoke", "sk_pasted_by_mistake")
    assert result.exit_code == 1
    assert "There is no key of this id." in result.stderr
    assert "pasted" not in result.output


async def test_reseal_counts_credentials_by_key(
    stack: Stack, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_key(), new_key()
    url = await new_database(postgres_url)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_SANDBOX_URL", stack.sandbox_url)
    credentials = json.dumps({"accessToken": "made-up"})
    for key in (old, new_key()):
        monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", key)
        await run("keys", "create", "--workspace", f"ws {key[:8]}")
        known = await stack.connect("twitter", accessToken=f"token-{key[:8]}")
        credentials = json.dumps({"accessToken": f"token-{key[:8]}"})
        added = await run("accounts", "add", "twitter", "--workspace", f"ws {key[:8]}", stdin=credentials)
        assert json.loads(added.stdout)["accountId"] == known.id
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", f"{new},{old}")
    result = await run("keys", "reseal")
    newest, older = (Vault([SecretStr(key)]).key_ids[0].hex() for key in (new, old))
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == f"Sealed again: 1. Sealed under the newest key, {newest}: 1."
    assert "1; this key is not configured" in second
    assert older not in result.stdout
    assert not any(secret in result.output for secret in (old, new, "token-"))


async def test_reseal_reports_unneeded_keys(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", (await new_database(postgres_url)).replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", f"{new_key()},{new_key()}")
    result = await run("keys", "reseal")
    assert result.exit_code == 0
    assert result.stdout.endswith("No credentials need an older key: it can be removed.\n")
