"""Rows and requests of accounts that tests connect."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import update

from store.models import Account
from tests.api.conftest import Client
from tests.api.connect.consents import credentials
from tests.stack import Stack

LONG_AGO = timedelta(days=2)


async def read_account(stack: Stack, client: Client, account_id: str) -> Account | None:
    async with stack.database.reading() as session:
        return await session.get(Account, (client.workspace_id, account_id))


async def change_row(stack: Stack, client: Client, account_id: str, **values: Any) -> None:
    async with stack.database.transaction() as session:
        own = (Account.workspace_id == client.workspace_id, Account.id == account_id)
        await session.execute(update(Account).where(*own).values(**values))


async def age(stack: Stack, client: Client, account_id: str) -> None:
    """Set the account's last success to some days ago."""
    await change_row(stack, client, account_id, last_ok_at=datetime.now(UTC) - LONG_AGO, inspected_at=None)


async def read_health(client: Client, platform: str, account_id: str, **query: str) -> dict[str, Any]:
    """Return an account's health; asked again, as a client does, if Temporal has not answered for ten seconds."""
    async with asyncio.timeout(60):
        while True:
            response = await client.get(f"/v1/accounts/{platform}/{account_id}/health", params=query)
            if response.status_code != 503:
                break
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    report: dict[str, Any] = response.json()
    return report


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


async def revoke_at_platform(stack: Stack, platform: str, username: str, more: str = "") -> None:
    """Withdraw the consent at the platform, as a person does there; with `&only=access` end its access tokens."""
    accounts = (await stack.control("GET", "accounts"))["accounts"]
    account = next(
        account for account in accounts if (account["platform"], account["username"]) == (platform, username)
    )
    await stack.control("DELETE", f"tokens?platform={platform}&accountId={account['accountId']}{more}")
