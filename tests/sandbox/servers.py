"""A sandbox of its own for a test, with accounts of one platform and a client that acts as one of them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from sandbox.server import RunningSandbox, create_sandbox
from tests.serving import direct_client, started

Account = dict[str, str]


def account(platform: str, account_id: str, user_id: str, username: str, token: str, refresh: str = "") -> Account:
    """Return an account as the control side takes it."""
    described = {"platform": platform, "accountId": account_id, "userId": user_id, "username": username}
    return described | {"accessToken": token} | ({"refreshToken": refresh} if refresh else {})


@asynccontextmanager
async def unserved_sandbox(
    data_dir: Path | None = None, *, strict: bool = True, **options: Any
) -> AsyncIterator[RunningSandbox]:
    """Run a sandbox that only `direct_client` reaches."""
    url = "http://127.0.0.1:9"
    async with started(create_sandbox(data_dir, strict=strict, public_url=url, **options)) as app:
        yield RunningSandbox(url, app)


@asynccontextmanager
async def acting_client(
    data_dir: Path | None = None,
    *,
    path: str,
    accounts: Sequence[Account],
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client for a path of a sandbox that knows the accounts; the options are those of `unserved_sandbox`."""
    async with (
        unserved_sandbox(data_dir, **options) as (url, app),
        direct_client(app, f"{url}{path}", headers=headers) as client,
    ):
        if accounts:
            (await client.post(f"{url}/_/accounts", json={"accounts": accounts})).raise_for_status()
        yield client


class Server:
    """A client that acts as an account, and the reports of the control side."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.control = str(client.base_url.copy_with(path="/_"))

    async def posts(self) -> list[dict[str, Any]]:
        return list((await self.client.get(f"{self.control}/posts")).json()["posts"])

    async def operations(self) -> list[str]:
        """Return the operations of all requests, the newest first."""
        requests = (await self.client.get(f"{self.control}/requests")).json()["requests"]
        return [request["operation"] for request in requests]

    async def fault(self, **fault: object) -> None:
        (await self.client.post(f"{self.control}/faults", json=fault)).raise_for_status()


S = TypeVar("S", bound=Server)


@asynccontextmanager
async def serving(kind: type[S], data_dir: Path | None = None, **options: Any) -> AsyncIterator[S]:
    """Run a sandbox with a server of this kind; the options are those of `acting_client`."""
    async with acting_client(data_dir, **options) as client:
        yield kind(client)
