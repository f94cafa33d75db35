"""Ending of authorizations that no account uses any more: replaced, refused, abandoned, or of removed accounts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from platforms.bluesky import PLATFORM as BLUESKY
from platforms.errors import PlatformError
from reconcile.account_rechecks import Revocations
from runtime.parts import WorkerParts
from store.accounts.revocations import claim_due_revocations, open_revocation
from store.models import PendingConnection, PendingRevocation
from store.secrets.vault import Vault
from tests.api.accounts.rows import accepts, read_account, remove
from tests.api.accounts.test_removal import AT_HOME, asked, removed, webhook_url
from tests.api.conftest import Client
from tests.api.connect.consents import (
    SERVER,
    _query,
    begin,
    connected,
    consent,
    credentials,
    read_connection,
    refused,
    trade,
)
from tests.api.connect.test_bots import connect_discord
from tests.stack import Stack

VERIFY = "mastodon/api/v1/accounts/verify_credentials"


@pytest.fixture
async def revocations(parts: WorkerParts) -> AsyncIterator[Revocations]:
    """Return the background task of a worker, which tests run round by round."""
    running = Revocations(parts.database, parts.accounts)
    yield running
    await running.close()


async def run(revocations: Revocations) -> None:
    """Run one round to its end."""
    await revocations.begin_due()
    await revocations.finished()


async def history(client: Client, platform: str, account_id: str) -> list[tuple[str, str]]:
    """Return the actions of an account and their sentences, the newest first."""
    response = await client.get(f"/v1/accounts/{platform}/{account_id}/history")
    assert response.status_code == 200, response.text
    return [(event["action"], event["summary"]) for event in response.json()["events"]]


async def newest(client: Client, platform: str, account_id: str) -> tuple[str, str]:
    """Return the newest line of an account."""
    return (await history(client, platform, account_id))[0]


async def pending(stack: Stack, client: Client) -> list[PendingRevocation]:
    async with stack.database.reading() as session:
        own = select(PendingRevocation).where(PendingRevocation.workspace_id == client.workspace_id)
        return list(await session.scalars(own))


async def hasten(stack: Stack, client: Client, **values: Any) -> None:
    """Let the pending revocations of a workspace be tried now."""
    async with stack.database.transaction() as session:
        own = update(PendingRevocation).where(PendingRevocation.workspace_id == client.workspace_id)
        await session.execute(own.values(next_at=datetime.now(UTC), **values))


async def is_ended(stack: Stack, path: str, token: str) -> bool:
    return await asked(stack, path, token) == 401


class TestReplaced:
    async def test_the_replaced_token_is_ended_and_the_new_one_works(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        account = (await connected(stranger, stack, "mastodon", "ada", instance=SERVER))["accountId"]
        old = await credentials(stack, stranger.workspace_id, account)
        await connected(stranger, stack, "mastodon", "ada", instance=SERVER)
        [row] = await pending(stack, stranger)
        assert old["access_token"].encode() not in row.credentials
        await run(revocations)
        assert await newest(stranger, "mastodon", account) == (
            "revoked",
            "This service ended its earlier access at Mastodon, which a new connection has replaced.",
        )
        new = await credentials(stack, stranger.workspace_id, account)
        assert await is_ended(stack, VERIFY, old["access_token"])
        assert await asked(stack, VERIFY, new["access_token"]) == 200
        assert await pending(stack, stranger) == []

    async def test_the_same_token_again_is_not_ended(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "mastodon", "bea", instance=SERVER))["accountId"]
        own = await credentials(stack, stranger.workspace_id, account)
        body = {"credentials": {"instance": own["instance"], "accessToken": own["access_token"]}}
        response = await stranger.post("/v1/connect/mastodon", json=body)
        assert response.status_code == 200, response.text
        assert await pending(stack, stranger) == []
        assert await asked(stack, VERIFY, own["access_token"]) == 200

    async def test_an_authorization_of_bluesky_is_ended(
        self, stranger: Client, stack: Stack, parts: WorkerParts, revocations: Revocations
    ) -> None:
        known = await stack.connect("bluesky")
        query = {"redirect_url": AT_HOME, "identifier": f"{known.username.replace('_', '-')}.bsky.social"}
        connections = []
        for _ in range(2):
            begun = (await stranger.get("/v1/connect/bluesky", params=query)).json()
            address = f"{begun['authUrl']}&sandbox_as={known.username}"
            answer = await stack.http.get(address, headers={"User-Agent": "Mozilla/5.0"})
            back = _query(answer.headers["location"])
            response = await trade(stranger, "bluesky", back, iss=back["iss"], redirect_url=AT_HOME)
            account = response.json()["accountId"]
            stored = BLUESKY.credentials.model_validate(await credentials(stack, stranger.workspace_id, account))
            connections.append(parts.accounts.new_account(BLUESKY, stored, stranger.workspace_id).connection)
        await run(revocations)
        assert (await newest(stranger, "bluesky", account))[0] == "revoked"
        with pytest.raises(PlatformError):
            await BLUESKY.renew(connections[0])
        assert (await BLUESKY.renew(connections[1])).credentials.is_authorized

    async def test_a_token_that_may_end_the_new_one_stays(self, stranger: Client, stack: Stack) -> None:
        """Whether X ends more than the token that it is asked to revoke is unverified."""
        account = (await connected(stranger, stack, "twitter", "cem"))["accountId"]
        await connected(stranger, stack, "twitter", "cem")
        assert await pending(stack, stranger) == []
        assert [action for action, _ in await history(stranger, "twitter", account)] == ["reconnected", "connected"]

    async def test_a_webhook_of_this_service_is_deleted(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        account = (await connect_discord(stranger, stack, "replaced")).json()["accountId"]
        urls = [await webhook_url(stack, stranger, account)]
        await connect_discord(stranger, stack, "replaced", accountId=account)
        urls.append(await webhook_url(stack, stranger, account))
        await run(revocations)
        headers = {"User-Agent": "DiscordBot (x, 1)"}
        assert [(await stack.http.get(url, headers=headers)).status_code for url in urls] == [404, 200]

    async def test_a_webhook_of_another_person_stays(self, stranger: Client, stack: Stack) -> None:
        first = (await connect_discord(stranger, stack, "a hook of a person")).json()["accountId"]
        stored = await credentials(stack, stranger.workspace_id, first)
        await remove(stranger, "discord", first, revoke="false")
        number = first.removeprefix("dc_webhook-")
        address = f"https://discord.com/api/webhooks/{number}/{stored['access_token']}"
        known = await stranger.post("/v1/connect/discord", json={"credentials": {"webhookUrl": address}})
        assert known.json()["accountId"] == first
        again = await connect_discord(stranger, stack, "a hook of a person", accountId=first)
        assert again.json()["accountId"] == first
        assert await pending(stack, stranger) == []


class TestRefused:
    async def test_the_grant_of_another_person_is_ended(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        account = (await connected(stranger, stack, "mastodon", "dan", instance=SERVER))["accountId"]
        own = await credentials(stack, stranger.workspace_id, account)
        begun = await begin(stranger, "mastodon", accountId=account, instance=SERVER)
        response = await trade(stranger, "mastodon", await consent(stack, begun, "eve"))
        await refused(response, 422, "different_account")
        [row] = await pending(stack, stranger)
        granted = open_revocation(Vault(stack.settings.encryption_keys), row)["access_token"]
        assert granted != own["access_token"]
        assert await asked(stack, VERIFY, granted) == 200
        await run(revocations)
        assert await newest(stranger, "mastodon", account) == (
            "revoked",
            "This service ended the access at Mastodon that a refused connection had obtained.",
        )
        assert await is_ended(stack, VERIFY, granted)
        assert await asked(stack, VERIFY, own["access_token"]) == 200

    async def test_the_grant_of_a_person_who_is_connected_elsewhere_stays(
        self, stranger: Client, api: Client, stack: Stack
    ) -> None:
        theirs = (await connected(api, stack, "twitter", "fay"))["accountId"]
        account = (await connected(stranger, stack, "twitter", "gus"))["accountId"]
        try:
            begun = await begin(stranger, "twitter", accountId=account)
            response = await trade(stranger, "twitter", await consent(stack, begun, "fay"))
            await refused(response, 422, "different_account")
            assert await pending(stack, stranger) == []
        finally:
            await remove(api, "twitter", theirs)

    async def test_a_connection_that_is_never_completed_leaves_nothing(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        begun = await begin(stranger, "mastodon", instance=SERVER)
        back = await consent(stack, begun, "hal")
        # The token arrives, and then the server does not say whose it is.
        await stack.fault("mastodon", "accept_then_delay", "auth", seconds=0)
        await stack.fault("mastodon", "reject", "auth", status=503)
        assert (await trade(stranger, "mastodon", back)).status_code == 503
        await stack.clear_faults()
        row = await read_connection(stack, stranger.workspace_id)
        sealed = Vault(stack.settings.encryption_keys).open(
            row.sealed or b"", f"connection/{row.workspace_id}/{row.id}"
        )
        granted = sealed["grant"]["access_token"]
        await run(revocations)
        assert await asked(stack, VERIFY, granted) == 200
        async with stack.database.transaction() as session:
            own = update(PendingConnection).where(PendingConnection.workspace_id == stranger.workspace_id)
            await session.execute(own.values(expires_at=datetime.now(UTC) - timedelta(hours=1)))
        await run(revocations)
        assert await is_ended(stack, VERIFY, granted)
        assert (await read_connection(stack, stranger.workspace_id)).sealed is None


class TestRepeated:
    async def _replaced(self, client: Client, stack: Stack, person: str) -> tuple[str, str]:
        """Connect an account twice; return its id and the token that was replaced."""
        account = (await connected(client, stack, "mastodon", person, instance=SERVER))["accountId"]
        old = await credentials(stack, client.workspace_id, account)
        await connected(client, stack, "mastodon", person, instance=SERVER)
        return account, old["access_token"]

    async def test_a_platform_that_is_down_is_asked_again(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        account, old = await self._replaced(stranger, stack, "ida")
        await stack.fault("mastodon", "reject", "auth", status=503)
        await run(revocations)
        [row] = await pending(stack, stranger)
        assert (row.attempts, row.next_at > datetime.now(UTC)) == (1, True)
        assert await asked(stack, VERIFY, old) == 200
        await hasten(stack, stranger)
        await run(revocations)
        assert (await newest(stranger, "mastodon", account))[0] == "revoked"
        assert await is_ended(stack, VERIFY, old)

    async def test_it_is_given_up_in_the_end(self, stranger: Client, stack: Stack, revocations: Revocations) -> None:
        account, _ = await self._replaced(stranger, stack, "jon")
        await stack.fault("mastodon", "reject", "auth", status=503)
        await hasten(stack, stranger, given_up_after=datetime.now(UTC))
        await run(revocations)
        assert await newest(stranger, "mastodon", account) == (
            "not_revoked",
            "This service could not end its earlier access at Mastodon, which a new connection has replaced.",
        )
        assert await pending(stack, stranger) == []
        # The earlier token still works, so the removal does not say that all access has ended.
        assert (await removed(stranger, "mastodon", account))["access"] == "unknown"

    async def test_a_workspace_has_a_bounded_number(
        self, stranger: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("store.accounts.revocations.MOST_REVOCATIONS", 0)
        account, _ = await self._replaced(stranger, stack, "kim")
        assert (await newest(stranger, "mastodon", account))[0] == "not_revoked"
        assert await pending(stack, stranger) == []

    async def test_a_revocation_that_is_being_tried_is_not_begun_again(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        await self._replaced(stranger, stack, "leo")
        await revocations.begin_due()
        async with stack.worker_database.transaction() as session:
            due = await claim_due_revocations(session, 100, 100)
        assert [row for row in due if row.workspace_id == stranger.workspace_id] == []
        await revocations.finished()
        assert await pending(stack, stranger) == []


class TestRemoval:
    async def test_it_ends_earlier_authorizations_too(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        account = (await connected(stranger, stack, "mastodon", "mia", instance=SERVER))["accountId"]
        old = await credentials(stack, stranger.workspace_id, account)
        await connected(stranger, stack, "mastodon", "mia", instance=SERVER)
        new = await credentials(stack, stranger.workspace_id, account)
        await stack.fault("mastodon", "reject", "auth", status=503)
        assert (await removed(stranger, "mastodon", account))["access"] == "unknown"
        assert await read_account(stack, stranger, account) is None
        assert len(await pending(stack, stranger)) == 1
        await hasten(stack, stranger)
        await run(revocations)
        for stored in (old, new):
            assert await is_ended(stack, VERIFY, stored["access_token"])
        # A repeated request gets the newest state.
        assert (await removed(stranger, "mastodon", account))["access"] == "ended"

    async def test_a_pending_removal_does_not_end_what_was_connected_since(
        self, stranger: Client, stack: Stack, revocations: Revocations
    ) -> None:
        """At X, the old token may end the new authorization."""
        account = (await connected(stranger, stack, "twitter", "nia"))["accountId"]
        await stack.fault("twitter", "reject", "auth", status=503)
        assert (await removed(stranger, "twitter", account))["access"] == "unknown"
        await connected(stranger, stack, "twitter", "nia")
        await hasten(stack, stranger)
        await run(revocations)
        assert await newest(stranger, "twitter", account) == (
            "not_revoked",
            "This service did not end its access at X: a connected account needs it.",
        )
        new = await credentials(stack, stranger.workspace_id, account)
        assert await accepts(stack, new["access_token"]) == 200

    async def test_no_token_of_a_pending_revocation_is_readable(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "oto"))["accountId"]
        stored = await credentials(stack, stranger.workspace_id, account)
        await stack.fault("twitter", "reject", "auth", status=503)
        answer = await remove(stranger, "twitter", account)
        [row] = await pending(stack, stranger)
        assert stored["access_token"].encode() not in row.credentials
        lines = await stranger.get(f"/v1/accounts/twitter/{account}/history")
        assert stored["access_token"] not in answer.text + lines.text
