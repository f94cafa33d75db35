"""DELETE /v1/accounts/{platform}/{accountId} and the end of the access there, against the sandbox's platforms."""

import asyncio
import secrets
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
from tests.api.connect.consents import SERVER, _query, begin, connected, consent, credentials, refused, trade
from tests.api.connect.test_bots import connect_discord
from tests.stack import Stack
from workflows.short import AccountPlan

AT_HOME = "http://127.0.0.1:3000/connected"


async def removed(client: Client, platform: str, account_id: str) -> dict[str, Any]:
    return read_answer(await remove(client, platform, account_id))


async def asked(stack: Stack, path: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await stack.http.get(f"{stack.sandbox_url}/{path}", headers=headers)).status_code


class TestOfApps:
    """Platforms at which ending a token ends all that a person has granted the app."""

    PATHS = {"linkedin": "linkedin/v2/userinfo", "facebook": "facebook/v25.0/me"}  # noqa: RUF012

    @pytest.mark.parametrize("platform", ["linkedin", "facebook"])
    async def test_the_last_account_of_an_app_ends_its_access(
        self, stranger: Client, stack: Stack, platform: str
    ) -> None:
        account = (await connected(stranger, stack, platform, f"last of {platform}"))["accountId"]
        stored = await credentials(stack, stranger.workspace_id, account)
        assert await asked(stack, self.PATHS[platform], stored["access_token"]) == 200
        await change_row(stack, stranger, account, app_id=secrets.token_hex(8))
        removal = await removed(stranger, platform, account)
        assert removal["access"] == "ended", removal
        assert await asked(stack, self.PATHS[platform], stored["access_token"]) in {400, 401}

    @pytest.mark.parametrize("platform", ["linkedin", "facebook"])
    async def test_another_account_of_the_app_keeps_it(
        self, stranger: Client, api: Client, stack: Stack, platform: str
    ) -> None:
        app = secrets.token_hex(8)
        account = (await connected(stranger, stack, platform, f"first of {platform}"))["accountId"]
        other = (await connected(api, stack, platform, f"other of {platform}"))["accountId"]
        stored = await credentials(stack, stranger.workspace_id, account)
        await change_row(stack, stranger, account, app_id=app)
        await change_row(stack, api, other, app_id=app)
        removal = await removed(stranger, platform, account)
        assert removal["access"] == "kept"
        assert {"linkedin": "Permitted services", "facebook": "Business integrations"}[platform] in removal["message"]
        assert await asked(stack, self.PATHS[platform], stored["access_token"]) == 200

    async def test_a_platform_that_is_down_leaves_it_unknown(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "facebook", "of a platform that is down"))["accountId"]
        await change_row(stack, stranger, account, app_id=secrets.token_hex(8))
        await stack.fault("facebook", "reject", "auth", status=503)
        removal = await removed(stranger, "facebook", account)
        assert removal["access"] == "unknown"
        assert "Business integrations" in removal["message"]


class TestMastodon:
    async def test_each_connection_ends_its_own_access(self, stranger: Client, api: Client, stack: Stack) -> None:
        """A person in two workspaces has two apps at the server, hence two tokens."""
        path = "mastodon/api/v1/accounts/verify_credentials"
        account = (await connected(stranger, stack, "mastodon", "tobi", instance=SERVER))["accountId"]
        assert (await connected(api, stack, "mastodon", "tobi", instance=SERVER))["accountId"] == account
        ours = await credentials(stack, stranger.workspace_id, account)
        theirs = await credentials(stack, api.workspace_id, account)
        assert ours["client_id"] != theirs["client_id"]
        assert (await removed(stranger, "mastodon", account))["access"] == "ended"
        assert await asked(stack, path, ours["access_token"]) == 401
        assert await asked(stack, path, theirs["access_token"]) == 200
        assert (await removed(api, "mastodon", account))["access"] == "ended"
        assert await asked(stack, path, theirs["access_token"]) == 401

    async def test_a_token_of_another_app_is_kept_and_its_place_named(self, stranger: Client, stack: Stack) -> None:
        known = await stack.connect("mastodon")
        own = await credentials(stack, stack.workspace_id, known.id)
        body = {"accessToken": own["access_token"]}
        response = await stranger.post("/v1/connect/mastodon", json={"credentials": body})
        assert response.status_code == 201, response.text
        removal = await removed(stranger, "mastodon", known.id)
        assert removal["access"] == "kept"
        assert "Authorized apps" in removal["message"]


class TestBluesky:
    async def test_an_authorization_is_ended(self, stranger: Client, stack: Stack) -> None:
        known = await stack.connect("bluesky")
        handle = f"{known.username.replace('_', '-')}.bsky.social"
        query = {"redirect_url": AT_HOME, "identifier": handle}
        begun = (await stranger.get("/v1/connect/bluesky", params=query)).json()
        answer = await stack.http.get(
            f"{begun['authUrl']}&sandbox_as={known.username}", headers={"User-Agent": "Mozilla/5.0"}
        )
        back = _query(answer.headers["location"])
        response = await trade(stranger, "bluesky", back, iss=back["iss"], redirect_url=AT_HOME)
        account = response.json()["accountId"]
        stored = await credentials(stack, stranger.workspace_id, account)
        removal = await removed(stranger, "bluesky", account)
        assert removal["access"] == "ended", removal
        assert "app password" not in removal["message"]
        accounts = (await stack.control("GET", "accounts"))["accounts"]
        mine = next(entry for entry in accounts if entry["accountId"] == known.id)
        assert stored["refresh_token"] not in str(mine.get("refreshTokens"))

    async def test_a_session_is_ended_and_the_app_password_named(self, stranger: Client, stack: Stack) -> None:
        known = await stack.connect("bluesky")
        own = await credentials(stack, stack.workspace_id, known.id)
        body = {"password": own["access_token"], "identifier": known.user_id}
        response = await stranger.post("/v1/connect/bluesky", json={"credentials": body})
        assert response.status_code == 201, response.text
        stored = await credentials(stack, stranger.workspace_id, known.id)
        removal = await removed(stranger, "bluesky", known.id)
        assert removal["access"] == "ended", removal
        assert "The app password still exists" in removal["message"]
        headers = {"Authorization": f"Bearer {stored['refresh_jwt']}"}
        url = f"{stack.sandbox_url}/bluesky/xrpc/com.atproto.server.refreshSession"
        assert (await stack.http.post(url, headers=headers)).status_code == 400


async def webhook_url(stack: Stack, client: Client, account: str) -> str:
    """Return the address of the webhook that an account uses."""
    stored = await credentials(stack, client.workspace_id, account)
    number = (stored.get("replaced_by") or stored["user_id"]).removeprefix("webhook-")
    return f"{stack.sandbox_url}/discord/api/v10/webhooks/{number}/{stored['access_token']}"


class TestDiscord:
    async def status(self, stack: Stack, url: str) -> int:
        response: httpx.Response = await stack.http.get(url, headers={"User-Agent": "DiscordBot (x, 1)"})
        return response.status_code

    async def test_a_webhook_of_this_service_is_deleted(self, stranger: Client, stack: Stack) -> None:
        account = (await connect_discord(stranger, stack, "removed")).json()["accountId"]
        url = await webhook_url(stack, stranger, account)
        assert await self.status(stack, url) == 200
        assert (await removed(stranger, "discord", account))["access"] == "ended"
        assert await self.status(stack, url) == 404

    async def test_a_webhook_that_another_account_uses_stays(self, stranger: Client, api: Client, stack: Stack) -> None:
        first = (await connect_discord(stranger, stack, "shared")).json()["accountId"]
        again = await connect_discord(stranger, stack, "shared", accountId=first)
        assert again.json()["accountId"] == first
        # The other workspace knows the present webhook by its own number.
        url = await webhook_url(stack, stranger, first)
        credentials = {"webhookUrl": url.replace(stack.sandbox_url, "https://discord.com")}
        response = await api.post("/v1/connect/discord", json={"credentials": credentials})
        assert response.status_code in {200, 201}, response.text
        removal = await removed(stranger, "discord", first)
        assert removal["access"] == "kept"
        assert "Integrations, Webhooks" in removal["message"]
        assert await self.status(stack, url) == 200
        # The person has given this address themselves: the webhook is not this service's to delete.
        assert (await removed(api, "discord", response.json()["accountId"]))["access"] == "kept"
        assert await self.status(stack, url) == 200


@pytest.mark.parametrize(
    ("platform", "place"),
    [("pinterest", "Connected apps"), ("instagram", "Apps and websites"), ("threads", "Website permissions")],
)
async def test_a_platform_without_revocation_names_the_place(
    stranger: Client, stack: Stack, platform: str, place: str
) -> None:
    account = (await connected(stranger, stack, platform, "uma"))["accountId"]
    removal = await removed(stranger, platform, account)
    assert removal["access"] == "kept"
    assert place in removal["message"]
    # A repeat says the same.
    assert await removed(stranger, platform, account) == removal


async def test_nothing_of_it_is_a_secret(stranger: Client, stack: Stack) -> None:
    account = (await connect_discord(stranger, stack, "told")).json()["accountId"]
    stored = await credentials(stack, stranger.workspace_id, account)
    answer = await remove(stranger, "discord", account)
    history = await stranger.get(f"/v1/accounts/discord/{account}/history")
    assert stored["access_token"] not in answer.text + history.text
    await refused(await stranger.get(f"/v1/accounts/discord/{account}%00/health"), 404, "not_found")


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
