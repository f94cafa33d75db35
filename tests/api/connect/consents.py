"""Helpers for tests of connecting accounts."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from sqlalchemy import select

from store.accounts.connected import open_credentials
from store.models import Account, PendingConnection
from store.secrets.vault import Vault
from tests.api.conftest import Client, problems
from tests.stack import Stack

SERVER = "https://social.example"
BACK = "http://localhost:3000/connected"


async def begin(api: Client, platform: str = "twitter", **query: str) -> dict[str, Any]:
    response = await api.get(f"/v1/connect/{platform}", params={"redirect_url": BACK, **query})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    begun: dict[str, Any] = response.json()
    return begun


async def consent(stack: Stack, begun: dict[str, Any], person: str = "jane", **more: str) -> dict[str, str]:
    """Allow what is requested, as a person in a browser does; returns what the platform sends back."""
    asked = _query(begun["authUrl"]) | {"sandbox_as": person, **more}
    response = await stack.http.get(begun["authUrl"], params=asked, headers={"User-Agent": "Mozilla/5.0"})
    assert response.status_code == 302, response.text
    assert response.headers["location"].startswith(BACK)
    return _query(response.headers["location"])


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def trade(api: Client, platform: str, back: dict[str, str], **more: Any) -> httpx.Response:
    body = {"code": back["code"], "state": back["state"], "redirect_url": BACK, **more}
    return await api.post(f"/v1/connect/{platform}", json={name: value for name, value in body.items() if value})


async def connected(api: Client, stack: Stack, platform: str, person: str = "jane", **query: str) -> dict[str, Any]:
    begun = await begin(api, platform, **query)
    response = await trade(api, platform, await consent(stack, begun, person))
    assert response.status_code in {200, 201}, response.text
    account: dict[str, Any] = response.json()
    return account


async def credentials(stack: Stack, workspace_id: str, account_id: str) -> dict[str, Any]:
    async with stack.database.reading() as session:
        account = await session.get(Account, (workspace_id, account_id))
        assert account is not None
        return open_credentials(Vault(stack.settings.encryption_keys), account)


async def refused(response: httpx.Response, status: int, code: str, param: str | None = None) -> str:
    assert response.status_code == status, response.text
    error = response.json()
    assert (error["code"], error.get("param")) == (code, param)
    assert len(problems(response)) == 1
    return str(error["error"])


async def read_connection(stack: Stack, workspace_id: str) -> PendingConnection:
    """Return the newest connection of a workspace."""
    async with stack.database.reading() as session:
        own = select(PendingConnection).where(PendingConnection.workspace_id == workspace_id)
        return (await session.scalars(own.order_by(PendingConnection.created_at.desc()))).first() or PendingConnection()
