"""Accounts that one consent connected, which share their tokens, and renewals that are interrupted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.errors import PlatformError
from reconcile.account_rechecks import renew_due
from runtime.parts import WorkerParts
from tests.api.accounts.rows import (
    age,
    change_row,
    known_to_sandbox,
    read_account,
    read_health,
    remove,
    revoke_at_platform,
)
from tests.api.conftest import Client
from tests.api.connect.consents import begin, connected, consent, trade
from tests.stack import Stack


async def whoami(stack: Stack, client: Client, parts: WorkerParts, account_id: str) -> PlatformError | None:
    """Let a worker ask the platform about an account; return the refusal."""
    account = await read_account(stack, client, account_id)
    assert account is not None
    try:
        await parts.accounts.whoami(account)
    except PlatformError as error:
        return error
    return None


async def interrupt(stack: Stack, client: Client, parts: WorkerParts, person: str) -> str:
    """Connect an account, let its access token end, and lose the answer with the new tokens; return its id."""
    account_id = (await connected(client, stack, "twitter", person))["accountId"]
    await revoke_at_platform(stack, "twitter", person, "&only=access")
    await stack.fault("twitter", "token_expired", "auth")
    await stack.fault("twitter", "accept_then_drop", "auth")
    assert await whoami(stack, client, parts, account_id) is not None
    await stack.clear_faults()
    return str(account_id)


async def test_an_interrupted_renewal_is_reported_with_the_refused_token(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = await interrupt(stack, stranger, parts, "ann of a renewal")
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("warning", False, "renewal_interrupted")
    [sentence] = report["recommendations"]
    assert "X does not accept the access token any more" in sentence


async def test_tokens_that_were_lost_in_a_renewal_are_reported_as_such(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = await interrupt(stack, stranger, parts, "bob of a renewal")
    await change_row(stack, stranger, account, renew_at=datetime.now(UTC))
    error = await whoami(stack, stranger, parts, account)
    assert error is not None
    assert error.code == "lost_in_renewal"
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("needs_reconnect", False, "lost_in_renewal")
    # The reason stays after the access token would have ended, and once the account is refused.
    ended = datetime.now(UTC) - timedelta(minutes=1)
    await change_row(stack, stranger, account, expires_at=ended)
    assert (await read_health(stranger, "twitter", account))["reason"] == "lost_in_renewal"
    await age(stack, stranger, account)
    checked = await read_health(stranger, "twitter", account, check="true")
    assert (checked["health"], checked["tokenValid"], checked["reason"]) == (
        "needs_reconnect",
        False,
        "lost_in_renewal",
    )


async def test_a_refused_token_that_cannot_be_renewed_now_is_not_valid(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = (await connected(stranger, stack, "twitter", "cyd of an outage"))["accountId"]
    await revoke_at_platform(stack, "twitter", "cyd of an outage", "&only=access")
    await stack.fault("twitter", "token_expired", "auth")
    await stack.fault("twitter", "reject", "auth", status=503)
    assert await whoami(stack, stranger, parts, account) is not None
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("warning", False, "renewal_failing")
    await stack.clear_faults()
    await change_row(stack, stranger, account, renew_at=datetime.now(UTC))
    assert await whoami(stack, stranger, parts, account) is None
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("healthy", True, None)


class TestSiblings:
    async def _two(self, client: Client, stack: Stack, person: str) -> list[str]:
        """Connect two locations with one consent."""
        await stack.switch_on("googlebusiness", "other_group")
        begun = await begin(client, "googlebusiness")
        selection = (await trade(client, "googlebusiness", await consent(stack, begun, person))).json()["selection"]
        body = {"selectionId": selection["id"], "ids": [option["id"] for option in selection["options"]]}
        chosen = (await client.post("/v1/connect/googlebusiness/select", json=body)).json()
        return [account["accountId"] for account in chosen["accounts"]]

    async def test_accounts_of_one_consent_are_renewed_together(
        self, stranger: Client, stack: Stack, parts: WorkerParts
    ) -> None:
        first, second = await self._two(stranger, stack, "twins")
        before = await known_to_sandbox(stack, stranger, second)
        await change_row(stack, stranger, first, renew_at=datetime.now(UTC) - timedelta(seconds=1))
        renewed = await self._renewed(stranger, stack, parts, [first, second], before["access_token"])
        assert renewed[0]["access_token"] == renewed[1]["access_token"]
        assert renewed[0]["user_id"] != renewed[1]["user_id"]
        rows = [await read_account(stack, stranger, account) for account in (first, second)]
        assert len({(row.expires_at, row.grant_subject) for row in rows if row}) == 1

    async def test_siblings_due_together_are_renewed_once(
        self, stranger: Client, stack: Stack, parts: WorkerParts
    ) -> None:
        both = await self._two(stranger, stack, "triplets")
        before = await known_to_sandbox(stack, stranger, both[0])
        for account in both:
            await change_row(stack, stranger, account, renew_at=datetime.now(UTC) - timedelta(seconds=1))
        renewed = await self._renewed(stranger, stack, parts, both, before["access_token"])
        assert len({account["access_token"] for account in renewed}) == 1

    async def _renewed(
        self, client: Client, stack: Stack, parts: WorkerParts, accounts: list[str], before: str
    ) -> list[dict[str, Any]]:
        """Renew what is due, and return the credentials; the stack's own worker may have renewed them first."""
        await renew_due(parts.database, parts.accounts)
        async with asyncio.timeout(60):
            while True:
                entries = [await known_to_sandbox(stack, client, account) for account in accounts]
                if all(entry["access_token"] != before for entry in entries):
                    return entries
                await asyncio.sleep(0.1)

    async def test_reconnecting_one_reconnects_those_that_were_connected_with_it(
        self, stranger: Client, stack: Stack
    ) -> None:
        first, second = await self._two(stranger, stack, "sisters")
        now = datetime.now(UTC)
        for account in (first, second):
            await change_row(stack, stranger, account, refused_at=now, refusal="Google has ended it.")
        begun = await begin(stranger, "googlebusiness", accountId=first)
        response = await trade(stranger, "googlebusiness", await consent(stack, begun, "sisters"))
        assert (response.status_code, response.json()["accountId"]) == (200, first)
        rows = [await read_account(stack, stranger, account) for account in (first, second)]
        assert [row and row.refused_at for row in rows] == [None, None]
        assert len({row.grant_subject for row in rows if row}) == 1

    async def test_access_needed_by_a_sibling_is_not_revoked(self, stranger: Client, stack: Stack) -> None:
        first, second = await self._two(stranger, stack, "cousins")
        assert (await remove(stranger, "googlebusiness", first)).json()["access"] == "kept"
        report = await read_health(stranger, "googlebusiness", second)
        assert report["health"] == "healthy"
