"""`socialsyncer waiting` and `socialsyncer report` as an operator runs them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cli.commands.options import WAITS_FOR
from domain.audit import AccountAction, api_key
from domain.plan import WaitsFor
from domain.post import HoldReason
from store.accounts.connected import remove_account
from store.audit import add_account_event
from store.models import Account, Target, Workspace
from store.workspaces.keys import create_key
from tests.cli.commands import run
from tests.stack import Stack
from tests.workspaces import new_workspace


@pytest.fixture(autouse=True)
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", stack.settings.encryption_keys[0].get_secret_value())


async def read_rows(*arguments: str) -> list[dict[str, Any]]:
    result = await run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_waiting_and_report_list_targets(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        held = await own.save("waits for its account", [await own.revoked("twitter")])
        await own.start(held)
        account = await own.connect("twitter")
        await own.publish("published", [account])
        await own.fault(
            "twitter",
            "reject",
            "publish",
            status=403,
            body={
                "type": "about:blank",
                "title": "Forbidden",
                "detail": "You are not permitted to perform this action.",
            },
        )
        await own.publish("refused", [account])

        async def is_held() -> bool:
            return (await own.read(held.id)).targets[0].status == "held"

        assert await own.outcomes.wait(held.id, is_held, 10)
        mine = ("--workspace", own.workspace_id)
        (waiting,) = await read_rows("waiting", *mine)
        assert (waiting["postId"], waiting["platform"], waiting["waitsFor"]) == (held.id, "twitter", "account")
        assert waiting["dueAt"].endswith("Z")
        assert await read_rows("waiting", *mine, "--for", "person") == []
        assert await read_rows("waiting", *mine, "--platform", "mastodon") == []
        counted = {(row["status"], row["errorCategory"]): row["count"] for row in await read_rows("report", *mine)}
        assert counted == {("held", "auth"): 1, ("published", None): 1, ("failed", "rejected"): 1}
        table = (await run("report", *mine)).stdout.splitlines()
        assert table[0].split() == ["platform", "status", "errorCategory", "errorCode", "count"]
        assert len(table) == 4


@pytest.mark.parametrize("age", ["7", "0d", "d", "-1d", "99999999w", "7 d", "1y"])
async def test_an_invalid_duration_is_one_sentence(age: str) -> None:
    refused = await run("report", f"--since={age}")
    assert refused.exit_code == 1
    assert "is no length of time. Give one such as 30m, 12h, 7d or 2w." in refused.stderr


async def test_an_unknown_workspace_is_named() -> None:
    refused = await run("waiting", "--workspace", "nobody's")
    assert (refused.exit_code, refused.stderr) == (1, "Error: There is no workspace nobody's.\n")


def test_the_command_offers_every_reason() -> None:
    assert set(WAITS_FOR) == set(WaitsFor)


async def test_accounts_of_all_workspaces_are_listed_with_their_state(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        works, revoked = await own.connect("mastodon"), await own.revoked("twitter")
        post = await own.save("held for two accounts", [revoked])
        await own.start(post)

        async def is_held() -> bool:
            return (await own.read(post.id)).targets[0].status == "held"

        assert await own.outcomes.wait(post.id, is_held, 10)
        async with own.database.transaction() as session:
            workspace = await session.get(Workspace, own.workspace_id)
            assert workspace
        result = await run("accounts", "list", "--all")
        assert result.exit_code == 0, result.output
        mine = [
            account for account in map(json.loads, result.stdout.splitlines()) if account["workspace"] == workspace.name
        ]
        states = {account["accountId"]: (account["state"], account["heldTargets"]) for account in mine}
        assert (states[works.id], states[revoked.id]) == (("connected", 0), ("refused", 1))
        health = {account["accountId"]: account["health"] for account in mine}
        assert (health[works.id], health[revoked.id]) == ("healthy", "needs_reconnect")
        assert not any("account" in account or "refusedApps" in account for account in mine)
        refused = [account for account in mine if account["state"] == "refused"]
        assert "Reconnect" in refused[0]["refusal"]
        assert refused[0]["since"].endswith("Z")
        async with own.database.transaction() as session:
            await remove_account(session, own.workspace_id, revoked.id)
        lines = (await run("accounts", "list", "--all", "--refused")).stdout.splitlines()
        (gone,) = [account for account in map(json.loads, lines) if account["workspace"] == workspace.name]
        assert (gone["accountId"], gone["state"], gone["heldTargets"]) == (revoked.id, "not_connected", 1)
    assert (await run("accounts", "list", "--all", "--workspace", "x")).exit_code == 1


async def test_an_account_whose_connection_ends_is_listed_with_its_health(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        ends, ended = await own.connect("linkedin"), await own.connect("linkedin")
        now = datetime.now(UTC)
        for account, end in ((ends, timedelta(days=3, hours=1)), (ended, timedelta(hours=-1))):
            async with own.database.transaction() as session:
                row = await session.get_one(Account, (own.workspace_id, account.id))
                row.expires_at = row.refresh_expires_at = now + end
                row.renew_at = None
        for more in (("--workspace", own.workspace_id), ("--all",)):
            lines = [json.loads(line) for line in (await run("accounts", "list", *more)).stdout.splitlines()]
            by_account = {line["accountId"]: line for line in lines}
            assert by_account[ends.id]["health"] == "warning"
            assert by_account[ends.id]["recommendations"] == ["Token expires in 3 days. Consider reconnecting."]
            assert by_account[ended.id]["health"] == "needs_reconnect"
            refused = (await run("accounts", "list", "--refused", *more)).stdout
            assert ended.id in refused
            assert ends.id not in refused


async def test_the_history_of_an_account_names_actors_and_actions(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        async with own.database.transaction() as session:
            key = await create_key(session, own.workspace_id, "Editorial office")
            add_account_event(
                session,
                workspace_id=own.workspace_id,
                platform="twitter",
                account_id="tw_history",
                action=AccountAction.CONNECTED,
                actor=api_key(key.id),
                details={"username": "jane", "connection_id": "sel_1", "hosted": True},
            )
        own_workspace = ("--workspace", own.workspace_id)
        account = await own.connect("mastodon")
        assert (await run("accounts", "remove", account.id, *own_workspace)).exit_code == 0
        (line,) = (await run("accounts", "history", "tw_history", *own_workspace)).stdout.splitlines()
        moment, summary = line.split("  ", 1)
        assert moment.endswith("Z")
        assert summary == 'API key "Editorial office" connected jane on a page of this service.'
        (removed,) = (await run("accounts", "history", account.id, *own_workspace)).stdout.splitlines()
        assert removed.endswith(f" removed {account.username}.")
        unknown = await run("accounts", "history", "tw_nobody", *own_workspace)
        assert unknown.exit_code == 1
        assert "Nothing is known of an account tw_nobody" in unknown.stderr


async def test_waiting_says_what_it_leaves_out(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        account, mine = own.accounts["plain"], ("waiting", "--workspace", own.workspace_id)
        assert (await run(*mine)).output == "Nothing.\n"
        held = [await own.save(f"held {number}", [account]) for number in range(3)]
        due = await own.save("no worker has begun it", [account])
        async with own.database.transaction() as session:
            values = {"status": "held", "hold_reason": HoldReason.RECONNECT, "begun_at": due.created_at}
            await session.execute(update(Target).where(Target.post_id.in_([post.id for post in held])).values(**values))
            a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
            await session.execute(update(Target).where(Target.post_id == due.id).values(due_at=a_minute_ago))
        cut = await run(*mine, "--limit", "2", "--json")
        assert len(cut.stdout.splitlines()) == 2
        assert cut.stderr.splitlines() == [
            "These are 2 of 3 targets: --limit prints more.",
            "1 post is due and not begun, which this list leaves out: `socialsyncer doctor` says why.",
        ]
        whole = await run(*mine, "--limit", "3", "--for", "account")
        assert "These are" not in whole.stderr
