"""`socialsyncer pause`, `resume` and `pauses` as an operator runs them, without Temporal and without a worker."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from domain.campaigns import CampaignStatus
from domain.transitions import BeforeSend, paused
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.models import Post
from store.publishing.sending import settle
from tests.cli.commands import run
from tests.stack import Stack
from tests.workspaces import new_workspace


@pytest.fixture(autouse=True)
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))


async def test_a_workspace_is_paused_and_resumed(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        named = ("--workspace", own.workspace_id)
        begun = await run("pause", *named, "--reason", "a crisis")
        assert (begun.exit_code, "Paused since" in begun.output) == (0, True)
        assert "No request that publishes a post leaves any process" in begun.output
        assert "paused already" in (await run("pause", *named)).output
        post = await own.save("missed by an operator", [await own.connect("twitter")])
        await settle(own.database, post.targets[0].id, BeforeSend(None), paused())
        (row,) = map(json.loads, (await run("pauses", *named, "--json")).output.splitlines())
        assert (row["status"], row["reason"], row["missed"], row["account"]) == ("paused", "a crisis", 1, None)
        refused = await run("resume", *named)
        assert (refused.exit_code, "Say what becomes of them" in refused.output) == (1, True)
        preview = await run("resume", *named, "--missed", "skip", "--dry-run")
        assert "Without --dry-run: Of the missed posts, 0 continue, 1 are skipped" in preview.output
        ended = await run("resume", *named, "--missed", "skip")
        assert (ended.exit_code, "Resumed. Of the missed posts, 0 continue, 1 are skipped" in ended.output) == (0, True)
        assert (await own.read(post.id)).skip_reason == "paused"
        again = await run("resume", *named)
        assert (again.exit_code, "is not paused" in again.output) == (1, True)


async def test_an_account_is_paused_by_its_platform_and_id(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        account = await own.connect("twitter")
        named = ("--workspace", own.workspace_id, "--account", f"twitter/{account.id}")
        assert (await run("pause", *named)).exit_code == 0
        (row,) = map(json.loads, (await run("pauses", "--workspace", own.workspace_id, "--json")).output.splitlines())
        assert row["account"] == f"twitter/{account.id}"
        assert (await run("resume", *named)).exit_code == 0


@pytest.mark.parametrize("account", ["tw_456", "nowhere/tw_456", "twitter/"])
async def test_an_account_without_its_platform_is_refused(stack: Stack, account: str) -> None:
    result = await run("pause", "--workspace", stack.workspace_id, "--account", account)
    assert (result.exit_code, "PLATFORM/ID" in result.output) == (1, True)


async def test_a_campaign_is_paused_by_its_id_and_its_posts_move(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        async with own.database.transaction() as session:
            campaign = await add_campaign(
                session, own.workspace_id, CampaignFields("c"), CampaignStatus.ACTIVE, datetime.now(UTC)
            )
        named = ("--workspace", own.workspace_id, "--campaign", campaign.id)
        assert "Paused since" in (await run("pause", *named)).output
        assert "paused already" in (await run("pause", *named)).output
        post = await own.save("missed by a campaign", [await own.connect("twitter")])
        due_at = datetime.now(UTC) - timedelta(hours=1)
        values = {"campaign_id": campaign.id, "scheduled_for": due_at, "due_at": due_at, "timezone": "UTC"}
        async with own.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post.id).values(values))
        await settle(own.database, post.targets[0].id, BeforeSend(None), paused())
        (row,) = map(json.loads, (await run("pauses", "--workspace", own.workspace_id, "--json")).output.splitlines())
        assert (row["campaign"], row["missed"], row["account"]) == (campaign.id, 1, None)
        assert "Moved by whole days: 1." in (await run("resume", *named, "--missed", "shift", "--dry-run")).output
        ended = await run("resume", *named, "--missed", "shift")
        assert (ended.exit_code, "Moved by whole days: 1." in ended.output) == (0, True)
        assert (await own.read(post.id)).due_at == due_at + timedelta(days=1)


async def test_an_unknown_campaign_is_not_paused(stack: Stack) -> None:
    result = await run("pause", "--workspace", stack.workspace_id, "--campaign", "cmp_none")
    assert (result.exit_code, "has no campaign cmp_none" in result.output) == (1, True)
