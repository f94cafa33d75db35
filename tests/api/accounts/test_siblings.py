"""Accounts that one consent connected, which share their tokens."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from reconcile.renewals import renew_due
from runtime.parts import WorkerParts
from tests.api.accounts.rows import change_row, known_to_sandbox, read_account, read_health, remove
from tests.api.conftest import Client
from tests.api.connect.consents import begin, consent, trade
from tests.stack import Stack


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
