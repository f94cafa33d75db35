"""DELETE /v1/accounts/{platform}/{accountId}, against the sandbox's platforms."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api.accounts import actions
from store.accounts.connected import REMOVAL_WAITS, find_connected_account, request_removal
from store.models import Account, AccountEvent
from tests.api.accounts.rows import LONG_AGO, accepts, change_row, known_to_sandbox, read_account, remove
from tests.api.conftest import Client, read_answer
from tests.api.connect.consents import begin, connected, consent, refused, trade
from tests.stack import Stack
from workflows.account import AccountPlan


class TestRemove:
    async def test_an_account_is_removed_and_its_access_ended(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "lea"))["accountId"]
        stored = await known_to_sandbox(stack, stranger, account)
        assert await accepts(stack, stored["access_token"]) == 200
        removal = read_answer(await remove(stranger, "twitter", account))
        assert (removal["removed"], removal["access"], removal["waitingPosts"]["count"]) == (True, "ended", 0)
        assert "lea is no longer connected. X has ended this service's access." in removal["message"]
        assert await read_account(stack, stranger, account) is None
        assert await accepts(stack, stored["access_token"]) == 401
        # A repeated request gets the same response, and a day later the account is unknown.
        assert (await remove(stranger, "twitter", account)).json() == removal
        async with stack.database.transaction() as session:
            lines = update(AccountEvent).where(AccountEvent.account_id == account)
            await session.execute(lines.values(at=datetime.now(UTC) - LONG_AGO))
        await refused(await remove(stranger, "twitter", account), 404, "not_found")

    @pytest.mark.thorough
    async def test_posts_of_a_removed_account_are_held_until_it_is_reconnected(
        self, stranger: Client, stack: Stack
    ) -> None:
        account = (await connected(stranger, stack, "mastodon", "max", instance="https://social.example"))["accountId"]
        due = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
        target = {"platform": "mastodon", "accountId": account}
        post = (await stranger.send_post({"content": "later", "platforms": [target], "scheduledFor": due})).json()
        removed = (await remove(stranger, "mastodon", account)).json()
        assert removed["waitingPosts"] == {"count": 1, "more": False, "first": [post["id"]]}
        assert "1 post is still to be published to it" in removed["message"]
        assert removed["access"] == "ended"
        await _until(stranger, post["id"], "held")
        again = await connected(stranger, stack, "mastodon", "max", instance="https://social.example")
        assert again["accountId"] == account
        await _until(stranger, post["id"], "published")

    async def test_access_used_by_another_workspace_is_not_revoked(
        self, stranger: Client, api: Client, stack: Stack
    ) -> None:
        account = (await connected(stranger, stack, "twitter", "ned"))["accountId"]
        await connected(api, stack, "twitter", "ned")
        try:
            stored = await known_to_sandbox(stack, stranger, account)
            removal = (await remove(stranger, "twitter", account)).json()
            assert removal["access"] == "kept"
            assert "workspace" not in removal["message"]
            assert await accepts(stack, stored["access_token"]) == 200
            # Removing the last connection ends the access.
            theirs = await known_to_sandbox(stack, api, account)
            assert (await remove(api, "twitter", account)).json()["access"] == "ended"
            assert await accepts(stack, theirs["access_token"]) == 401
        finally:
            await remove(api, "twitter", account)

    async def test_a_client_may_leave_the_access_at_the_platform(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "oda"))["accountId"]
        stored = await known_to_sandbox(stack, stranger, account)
        assert (await remove(stranger, "twitter", account, revoke="false")).json()["access"] == "kept"
        assert await accepts(stack, stored["access_token"]) == 200

    async def test_account_is_removed_if_the_platform_does_not_respond(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "pia"))["accountId"]
        await stack.fault("twitter", "reject", "auth", status=503)
        removal = (await remove(stranger, "twitter", account)).json()
        assert removal["access"] == "unknown"
        assert await read_account(stack, stranger, account) is None

    @pytest.mark.parametrize("platform", ["tiktok", "reddit"])
    async def test_other_platforms_end_their_access_too(self, stranger: Client, stack: Stack, platform: str) -> None:
        account = (await connected(stranger, stack, platform, "quin"))["accountId"]
        assert (await remove(stranger, platform, account)).json()["access"] == "ended"

    async def test_another_workspaces_account_is_not_removed(self, stranger: Client, stack: Stack) -> None:
        others = stack.accounts["twitter"]
        await refused(await remove(stranger, "twitter", others.id), 404, "not_found")
        async with stack.database.reading() as session:
            assert await session.get(Account, (others.workspace_id, others.id)) is not None

    async def test_a_removal_right_after_the_account_was_read_is_the_same_one(
        self, stranger: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = (await connected(stranger, stack, "twitter", "tia"))["accountId"]
        others = list[httpx.Response]()

        async def read(*arguments: Any) -> Any:
            row = await find_connected_account(*arguments)
            if not others:
                others.append(httpx.Response(0))
                others.append(await remove(stranger, "twitter", account))
            return row

        monkeypatch.setattr(actions, "find_connected_account", read)
        response = await remove(stranger, "twitter", account)
        assert response.status_code == 200, response.text
        assert response.json() == others[1].json()

    async def test_concurrent_removals_are_one(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "rob"))["accountId"]
        answers = await asyncio.gather(*(remove(stranger, "twitter", account) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        async with stack.database.reading() as session:
            lines = await session.scalars(select(AccountEvent.action).where(AccountEvent.account_id == account))
            assert sorted(lines) == ["connected", "removed", "revoked"]


class TestAsked:
    async def test_a_workflow_alone_removes_no_account(self, stranger: Client, stack: Stack) -> None:
        """An intruder at Temporal can start this workflow, but cannot write to the database."""
        account = (await connected(stranger, stack, "twitter", "uma"))["accountId"]
        stored = await known_to_sandbox(stack, stranger, account)
        plan = AccountPlan(workspace_id=stranger.workspace_id, account_id=account, platform="twitter", step="remove")
        await stack.workflows.account(plan)
        # No client waits any more for a removal that was requested some time ago.
        await change_row(stack, stranger, account, removal_requested_at=datetime.now(UTC) - 2 * REMOVAL_WAITS)
        await stack.workflows.account(plan)
        assert await read_account(stack, stranger, account) is not None
        assert await accepts(stack, stored["access_token"]) == 200
        assert (await remove(stranger, "twitter", account)).json()["access"] == "ended"

    async def test_a_removal_in_the_name_of_another_workspaces_key_does_nothing(
        self, stranger: Client, stack: Stack
    ) -> None:
        account = (await connected(stranger, stack, "twitter", "val"))["accountId"]
        async with stack.api_database.transaction() as session:
            key = (await stack.actor()).id
            await request_removal(session, stranger.workspace_id, "twitter", account, requested_by=key, revokes=True)
        await stack.workflows.account(
            AccountPlan(workspace_id=stranger.workspace_id, account_id=account, platform="twitter", step="remove")
        )
        assert await read_account(stack, stranger, account) is not None


async def test_account_history_names_actors(stranger: Client, stack: Stack) -> None:
    account = (await connected(stranger, stack, "twitter", "sue"))["accountId"]
    begun = await begin(stranger, "twitter", accountId=account)
    await trade(stranger, "twitter", await consent(stack, begun, "sue"))
    await remove(stranger, "twitter", account)
    events = (await stranger.get(f"/v1/accounts/twitter/{account}/history")).json()["events"]
    assert [event["action"] for event in events] == ["revoked", "removed", "reconnected", "connected"]
    assert {event["actor"]["type"] for event in events[1:]} == {"api_key"}
    assert all(event["actor"]["id"].startswith("key_") for event in events[1:])
    assert events[0]["summary"] == "This service ended its access at X."
    assert events[1]["summary"].endswith(" removed sue.")


async def _until(client: Client, post_id: str, status: str) -> None:
    for _ in range(120):
        post = (await client.get(f"/v1/posts/{post_id}")).json()
        if post["platforms"][0]["status"] == status:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(post["platforms"][0])
