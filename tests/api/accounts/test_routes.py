"""The endpoints under /v1/accounts, against the sandbox's platforms."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from activities.step_context import StepContextFactory
from api.accounts import actions
from api.accounts.actions import MOST_CHECKS
from reconcile.renewals import renew_due
from runtime import worker
from store.accounts.pages import find_connected_account
from store.database import Database
from store.models import Account, AccountEvent
from tests.api.conftest import Client
from tests.api.connect.consents import begin, connected, consent, credentials, refused, trade
from tests.stack import Stack

LONG_AGO = timedelta(days=2)


@pytest.fixture
async def factory(stack: Stack) -> AsyncIterator[StepContextFactory]:
    """Return the factory of another worker."""
    database = Database(stack.database_url, pool_size=5, max_overflow=5)
    async with worker.factory(stack.settings, database) as factory:
        yield factory
    await database.close()


async def row_of(stack: Stack, client: Client, account_id: str) -> Account | None:
    async with stack.database.reading() as session:
        return await session.get(Account, (client.workspace_id, account_id))


async def change_row(stack: Stack, client: Client, account_id: str, **values: Any) -> None:
    async with stack.database.transaction() as session:
        own = (Account.workspace_id == client.workspace_id, Account.id == account_id)
        await session.execute(update(Account).where(*own).values(**values))


async def age(stack: Stack, client: Client, account_id: str) -> None:
    """Set the account's last success to some days ago."""
    await change_row(stack, client, account_id, last_ok_at=datetime.now(UTC) - LONG_AGO, inspected_at=None)


async def health_of(client: Client, platform: str, account_id: str, **query: str) -> dict[str, Any]:
    response = await client.get(f"/v1/accounts/{platform}/{account_id}/health", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    found: dict[str, Any] = response.json()
    return found


async def remove(client: Client, platform: str, account_id: str, **query: str) -> httpx.Response:
    return await client.delete(f"/v1/accounts/{platform}/{account_id}", params=query)


async def known_to_sandbox(stack: Stack, client: Client, account_id: str) -> dict[str, Any]:
    return await credentials(stack, client.workspace_id, account_id)


async def accepts(stack: Stack, token: str) -> int:
    """Return the status of the response of the sandbox's X to a token."""
    response = await stack.http.get(
        f"{stack.sandbox_url}/twitter/2/users/me", headers={"Authorization": f"Bearer {token}"}
    )
    return response.status_code


class TestList:
    async def test_accounts_are_listed_page_by_page(self, stranger: Client, stack: Stack) -> None:
        made = [await connected(stranger, stack, "twitter", name) for name in ("ann", "bob", "cyd")]
        made.append(await connected(stranger, stack, "reddit", "dan"))
        ids = sorted(each["accountId"] for each in made)
        whole = (await stranger.get("/v1/accounts")).json()
        assert [each["accountId"] for each in whole["accounts"]] == ids
        assert (whole["cursor"], whole["hasMore"]) == (None, False)
        first = next(each for each in whole["accounts"] if each["accountId"] == made[0]["accountId"])
        assert first == {
            "platform": "twitter",
            "accountId": made[0]["accountId"],
            "username": "ann",
            "connectedAt": made[0]["connectedAt"],
            "health": "healthy",
            "tokenValid": True,
            "expiresAt": None,
        }
        pages, cursor = list[str](), dict[str, str]()
        while True:
            page = (await stranger.get("/v1/accounts", params={"limit": "3", **cursor})).json()
            pages += [each["accountId"] for each in page["accounts"]]
            if not page["hasMore"]:
                break
            cursor = {"cursor": page["cursor"]}
        assert pages == ids
        of_reddit = (await stranger.get("/v1/accounts", params={"platform": "reddit"})).json()["accounts"]
        assert [each["platform"] for each in of_reddit] == ["reddit"]

    async def test_another_workspaces_accounts_are_not_listed(self, stranger: Client, api: Client) -> None:
        assert (await api.get("/v1/accounts")).json()["accounts"]
        assert (await stranger.get("/v1/accounts")).json()["accounts"] == []
        assert (await stranger.get("/v1/accounts/health")).json()["accounts"] == []

    @pytest.mark.parametrize(
        ("path", "query", "param", "code"),
        [
            ("", {"platform": "myspace"}, "platform", "invalid_field_value"),
            ("", {"limit": "0"}, "limit", "invalid_field_value"),
            ("", {"limit": "101"}, "limit", "invalid_field_value"),
            ("", {"cursor": "e30"}, "cursor", "invalid_field_value"),
            ("", {"cursor": "!"}, "cursor", "invalid_field_value"),
            ("", {"health": "healthy"}, "health", "unknown_parameter"),
            ("/health", {"health": "ill"}, "health", "invalid_field_value"),
            ("/myspace/tw_1/health", {}, "platform", "invalid_field_value"),
            ("/twitter/tw_1/health", {"check": "yes"}, "check", "invalid_field_value"),
            ("/twitter/tw_1/history", {"limit": "1"}, "limit", "unknown_parameter"),
        ],
    )
    async def test_invalid_history_queries_are_refused(
        self, stranger: Client, path: str, query: dict[str, str], param: str, code: str
    ) -> None:
        await refused(await stranger.get(f"/v1/accounts{path}", params=query), 400, code, param)

    async def test_no_token_is_in_any_answer(self, stranger: Client, stack: Stack) -> None:
        account = await connected(stranger, stack, "twitter")
        stored = await known_to_sandbox(stack, stranger, account["accountId"])
        answers = [
            await stranger.get("/v1/accounts"),
            await stranger.get("/v1/accounts/health"),
            await stranger.get(f"/v1/accounts/twitter/{account['accountId']}/health"),
            await remove(stranger, "twitter", account["accountId"]),
            await stranger.get(f"/v1/accounts/twitter/{account['accountId']}/history"),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert not [name for name, value in stored.items() if name.endswith("_token") and value in answer.text]


class TestHealth:
    async def test_health_is_read_from_rows(self, stranger: Client, stack: Stack) -> None:
        well = (await connected(stranger, stack, "twitter", "ann"))["accountId"]
        ends = (await connected(stranger, stack, "linkedin", "bob"))["accountId"]
        gone = (await connected(stranger, stack, "reddit", "cyd"))["accountId"]
        now = datetime.now(UTC)
        soon = now + timedelta(days=3, hours=1)
        await change_row(stack, stranger, ends, expires_at=soon, refresh_expires_at=soon)
        await change_row(stack, stranger, gone, refused_at=now, refusal="Reddit has suspended cyd.")
        found = {each["accountId"]: each for each in (await stranger.get("/v1/accounts/health")).json()["accounts"]}
        assert {key: (each["health"], each["tokenValid"], each["reason"]) for key, each in found.items()} == {
            well: ("healthy", True, None),
            ends: ("warning", True, "expiring"),
            gone: ("needs_reconnect", False, "refused"),
        }
        assert found[ends]["recommendations"] == ["Token expires in 3 days. Consider reconnecting."]
        assert found[ends]["expiresAt"] is not None
        assert "tweet.write" in found[well]["permissions"]
        ill = (await stranger.get("/v1/accounts/health", params={"health": "needs_reconnect"})).json()
        assert [each["accountId"] for each in ill["accounts"]] == [gone]
        assert not ill["hasMore"]
        assert await health_of(stranger, "reddit", gone) == found[gone]

    async def test_list_by_health_continues_at_its_cursor(self, stranger: Client, stack: Stack) -> None:
        made = sorted([(await connected(stranger, stack, "twitter", name))["accountId"] for name in ("a1", "b1", "c1")])
        page = (await stranger.get("/v1/accounts/health", params={"health": "healthy", "limit": "2"})).json()
        assert ([each["accountId"] for each in page["accounts"]], page["hasMore"]) == (made[:2], True)
        query = {"health": "healthy", "limit": "2", "cursor": page["cursor"]}
        rest = (await stranger.get("/v1/accounts/health", params=query)).json()
        assert ([each["accountId"] for each in rest["accounts"]], rest["hasMore"]) == (made[2:], False)

    async def test_declined_permissions_are_named(self, stranger: Client, stack: Stack) -> None:
        begun = await begin(stranger, "facebook")
        back = await consent(stack, begun, "dora", sandbox_decline="pages_manage_engagement")
        account = (await trade(stranger, "facebook", back)).json()
        found = await health_of(stranger, "facebook", account["accountId"])
        assert (found["health"], found["reason"]) == ("warning", "permission_declined")
        assert found["missingPermissions"] == ["pages_manage_engagement"]
        assert "pages_manage_engagement" not in found["permissions"]

    async def test_an_account_of_another_workspace_is_not_found(
        self, stranger: Client, api: Client, stack: Stack
    ) -> None:
        others = stack.accounts["twitter"].id
        for path in ("health", "health?check=true", "history"):
            await refused(await stranger.get(f"/v1/accounts/twitter/{others}/{path}"), 404, "not_found")
        await refused(await stranger.get(f"/v1/accounts/reddit/{others}/health"), 404, "not_found")


class TestCheck:
    @pytest.mark.parametrize("platform", ["facebook", "threads", "linkedin", "reddit", "mastodon", "youtube", "tiktok"])
    async def test_check_reports_a_healthy_account(self, stranger: Client, stack: Stack, platform: str) -> None:
        more = {"instance": "https://social.example"} if platform == "mastodon" else {}
        account = (await connected(stranger, stack, platform, "eve", **more))["accountId"]
        await age(stack, stranger, account)
        before = await health_of(stranger, platform, account)
        found = await health_of(stranger, platform, account, check="true")
        assert (found["health"], found["recommendations"]) == ("healthy", [])
        assert found["checkedAt"] != before["checkedAt"]
        row = await row_of(stack, stranger, account)
        assert row is not None
        assert row.inspected_at is not None

    async def test_check_detects_a_revoked_account(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "linkedin", "flo"))["accountId"]
        await age(stack, stranger, account)
        await revoke_at_platform(stack, "linkedin", "flo")
        found = await health_of(stranger, "linkedin", account, check="true")
        assert (found["health"], found["tokenValid"], found["reason"]) == ("needs_reconnect", False, "refused")

    async def test_check_detects_a_withdrawn_page(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "facebook", "gus"))["accountId"]
        await age(stack, stranger, account)
        await stack.switch_on("facebook", "page_withdrawn")
        found = await health_of(stranger, "facebook", account, check="true")
        assert (found["health"], found["reason"]) == ("needs_reconnect", "permission_missing")
        assert found["missingPermissions"] == ["pages_manage_posts"]

    async def test_unresponsive_platform_refuses_no_account(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "hal"))["accountId"]
        await age(stack, stranger, account)
        await stack.fault("reddit", "reject", status=503)
        found = await health_of(stranger, "reddit", account, check="true")
        assert (found["health"], found["tokenValid"], found["reason"]) == ("warning", True, "check_failed")
        assert "could not be asked" in found["recommendations"][0]

    async def test_the_platform_is_asked_once_a_minute(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "ida"))["accountId"]
        await age(stack, stranger, account)
        answers = await asyncio.gather(*(health_of(stranger, "reddit", account, check="true") for _ in range(5)))
        row = await row_of(stack, stranger, account)
        assert row is not None
        asked_at = row.inspected_at
        await health_of(stranger, "reddit", account, check="true")
        again = await row_of(stack, stranger, account)
        assert again is not None
        assert again.inspected_at == asked_at
        assert {each["health"] for each in answers} == {"healthy"}

    async def test_x_is_checked_once_a_day(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "jim"))["accountId"]
        await change_row(stack, stranger, account, last_ok_at=datetime.now(UTC) - timedelta(hours=23))
        await health_of(stranger, "twitter", account, check="true")
        row = await row_of(stack, stranger, account)
        assert row is not None
        assert row.inspected_at is None

    async def test_checks_of_a_workspace_are_limited_per_minute(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "kim"))["accountId"]
        await age(stack, stranger, account)
        row = await row_of(stack, stranger, account)
        assert row is not None
        async with stack.database.transaction() as session:
            for number in range(MOST_CHECKS):
                values = {each.key: getattr(row, each.key) for each in Account.__mapper__.column_attrs}
                values |= {"id": f"rd_x{number}", "inspected_at": datetime.now(UTC)}
                session.add(Account(**values))
        response = await stranger.get(f"/v1/accounts/reddit/{account}/health", params={"check": "true"})
        await refused(response, 429, "rate_limited")
        assert response.headers["retry-after"] == "60"


async def revoke_at_platform(stack: Stack, platform: str, username: str) -> None:
    """Withdraw the consent at the platform, as a person does there."""
    accounts = (await stack.control("GET", "accounts"))["accounts"]
    found = next(each for each in accounts if (each["platform"], each["username"]) == (platform, username))
    await stack.control("DELETE", f"tokens?platform={platform}&accountId={found['accountId']}")


class TestRemove:
    async def test_an_account_is_removed_and_its_access_ended(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "lea"))["accountId"]
        stored = await known_to_sandbox(stack, stranger, account)
        assert await accepts(stack, stored["access_token"]) == 200
        response = await remove(stranger, "twitter", account)
        assert response.status_code == 200, response.text
        found = response.json()
        assert (found["removed"], found["access"], found["waitingPosts"]["count"]) == (True, "ended", 0)
        assert "lea is no longer connected. X has ended this service's access." in found["message"]
        assert await row_of(stack, stranger, account) is None
        assert await accepts(stack, stored["access_token"]) == 401
        # A repeated request gets the same response, and a day later the account is unknown.
        assert (await remove(stranger, "twitter", account)).json() == found
        async with stack.database.transaction() as session:
            lines = update(AccountEvent).where(AccountEvent.account_id == account)
            await session.execute(lines.values(at=datetime.now(UTC) - LONG_AGO))
        await refused(await remove(stranger, "twitter", account), 404, "not_found")

    async def test_posts_of_a_removed_account_are_held_until_it_is_reconnected(
        self, stranger: Client, stack: Stack
    ) -> None:
        account = (await connected(stranger, stack, "mastodon", "max", instance="https://social.example"))["accountId"]
        due = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
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
            found = (await remove(stranger, "twitter", account)).json()
            assert found["access"] == "kept"
            assert "workspace" not in found["message"]
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
        found = (await remove(stranger, "twitter", account)).json()
        assert found["access"] == "unknown"
        assert await row_of(stack, stranger, account) is None

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
            found = await find_connected_account(*arguments)
            if not others:
                others.append(httpx.Response(0))
                others.append(await remove(stranger, "twitter", account))
            return found

        monkeypatch.setattr(actions, "find_connected_account", read)
        response = await remove(stranger, "twitter", account)
        assert response.status_code == 200, response.text
        assert response.json() == others[1].json()

    async def test_concurrent_removals_are_one(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "rob"))["accountId"]
        answers = await asyncio.gather(*(remove(stranger, "twitter", account) for _ in range(4)))
        assert {each.status_code for each in answers} == {200}
        async with stack.database.reading() as session:
            lines = await session.scalars(select(AccountEvent.action).where(AccountEvent.account_id == account))
            assert sorted(lines) == ["connected", "removed", "revoked"]


async def test_account_history_names_actors(stranger: Client, stack: Stack) -> None:
    account = (await connected(stranger, stack, "twitter", "sue"))["accountId"]
    begun = await begin(stranger, "twitter", accountId=account)
    await trade(stranger, "twitter", await consent(stack, begun, "sue"))
    await remove(stranger, "twitter", account)
    events = (await stranger.get(f"/v1/accounts/twitter/{account}/history")).json()["events"]
    assert [each["action"] for each in events] == ["revoked", "removed", "reconnected", "connected"]
    assert {each["actor"]["type"] for each in events[1:]} == {"api_key"}
    assert all(each["actor"]["id"].startswith("key_") for each in events[1:])
    assert events[0]["summary"] == "This service ended its access at X."
    assert events[1]["summary"].endswith(" removed sue.")


class TestSiblings:
    async def _two(self, client: Client, stack: Stack, person: str) -> list[str]:
        """Connect two locations with one consent."""
        await stack.switch_on("googlebusiness", "other_group")
        begun = await begin(client, "googlebusiness")
        found = (await trade(client, "googlebusiness", await consent(stack, begun, person))).json()["selection"]
        body = {"selectionId": found["id"], "ids": [each["id"] for each in found["options"]]}
        chosen = (await client.post("/v1/connect/googlebusiness/select", json=body)).json()
        return [each["accountId"] for each in chosen["accounts"]]

    async def test_accounts_of_one_consent_are_renewed_together(
        self, stranger: Client, stack: Stack, factory: StepContextFactory
    ) -> None:
        first, second = await self._two(stranger, stack, "twins")
        before = await known_to_sandbox(stack, stranger, second)
        await change_row(stack, stranger, first, renew_at=datetime.now(UTC) - timedelta(seconds=1))
        renewed = await self._renewed(stranger, stack, factory, [first, second], before["access_token"])
        assert renewed[0]["access_token"] == renewed[1]["access_token"]
        assert renewed[0]["user_id"] != renewed[1]["user_id"]
        rows = [await row_of(stack, stranger, each) for each in (first, second)]
        assert len({(each.expires_at, each.grant_subject) for each in rows if each}) == 1

    async def test_siblings_due_together_are_renewed_once(
        self, stranger: Client, stack: Stack, factory: StepContextFactory
    ) -> None:
        both = await self._two(stranger, stack, "triplets")
        before = await known_to_sandbox(stack, stranger, both[0])
        for each in both:
            await change_row(stack, stranger, each, renew_at=datetime.now(UTC) - timedelta(seconds=1))
        renewed = await self._renewed(stranger, stack, factory, both, before["access_token"])
        assert len({each["access_token"] for each in renewed}) == 1

    async def _renewed(
        self, client: Client, stack: Stack, factory: StepContextFactory, accounts: list[str], before: str
    ) -> list[dict[str, Any]]:
        """Renew what is due, and return the credentials; the stack's own worker may have renewed them first."""
        await renew_due(factory)
        async with asyncio.timeout(30):
            while True:
                found = [await known_to_sandbox(stack, client, each) for each in accounts]
                if all(each["access_token"] != before for each in found):
                    return found
                await asyncio.sleep(0.1)

    async def test_reconnecting_one_reconnects_those_that_were_connected_with_it(
        self, stranger: Client, stack: Stack
    ) -> None:
        first, second = await self._two(stranger, stack, "sisters")
        now = datetime.now(UTC)
        for each in (first, second):
            await change_row(stack, stranger, each, refused_at=now, refusal="Google has ended it.")
        begun = await begin(stranger, "googlebusiness", accountId=first)
        response = await trade(stranger, "googlebusiness", await consent(stack, begun, "sisters"))
        assert (response.status_code, response.json()["accountId"]) == (200, first)
        rows = [await row_of(stack, stranger, each) for each in (first, second)]
        assert [each and each.refused_at for each in rows] == [None, None]
        assert len({each.grant_subject for each in rows if each}) == 1

    async def test_access_needed_by_a_sibling_is_not_revoked(self, stranger: Client, stack: Stack) -> None:
        first, second = await self._two(stranger, stack, "cousins")
        assert (await remove(stranger, "googlebusiness", first)).json()["access"] == "kept"
        found = await health_of(stranger, "googlebusiness", second)
        assert found["health"] == "healthy"


async def _until(client: Client, post_id: str, status: str) -> None:
    for _ in range(60):
        post = (await client.get(f"/v1/posts/{post_id}")).json()
        if post["platforms"][0]["status"] == status:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(post["platforms"][0])
