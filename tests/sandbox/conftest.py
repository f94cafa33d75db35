"""A sandbox on a free port, with one account on Instagram and two on X, and clients that act as them."""

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from sandbox.server import running_sandbox
from tests.sandbox.servers import unserved_sandbox
from tests.serving import direct_client

X_USER = "2244994945"
IG_USER = "17841400000000001"


def lasting(seconds: int) -> bytes:
    """Return the beginning of an MP4 whose header claims this duration."""
    header = b"mvhd" + bytes(12) + struct.pack(">II", 1, seconds) + bytes(80)
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + header


ACCOUNTS: list[dict[str, object]] = [
    {
        "platform": "twitter",
        "accountId": "acc_premium",
        "userId": X_USER,
        "username": "premium",
        "accessToken": "x-premium",
        "refreshToken": "x-refresh",
        "premium": True,
    },
    {
        "platform": "twitter",
        "accountId": "acc_free",
        "userId": "783214",
        "username": "free",
        "accessToken": "x-free",
    },
    {
        "platform": "instagram",
        "accountId": "acc_ig",
        "userId": IG_USER,
        "username": "studio",
        "accessToken": "ig-token",
    },
]


class Clock:
    """A clock that tests may move."""

    def __init__(self) -> None:
        self.now = 1_770_000_000.0

    def __call__(self) -> float:
        # A real clock moves between two calls.
        self.now += 0.001
        return self.now


class Sandbox:
    """Clients of a running sandbox: for its control side, for X as either account, and for Instagram."""

    def __init__(self, url: str, app: Litestar | None = None) -> None:
        self.url = url
        self._app = app
        self.control = self._client(url)
        self.x = self._as("twitter", "x-premium")
        self.free = self._as("twitter", "x-free")
        self.ig = self._as("instagram", "ig-token")

    def _as(self, platform: str, token: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"}
        return self._client(f"{self.url}/{platform}", headers=headers)

    def _client(self, url: str, **options: Any) -> httpx.AsyncClient:
        if self._app is not None:
            return direct_client(self._app, url, **options)
        # There is no TLS here, and loading certificates takes longer than most of these tests.
        return httpx.AsyncClient(base_url=url, verify=False, timeout=30, **options)

    async def close(self) -> None:
        for client in (self.control, self.x, self.free, self.ig):
            await client.aclose()

    async def posts(self) -> list[dict[str, Any]]:
        return list((await self.control.get("/_/posts")).json()["posts"])

    async def requests(self) -> list[dict[str, Any]]:
        return list((await self.control.get("/_/requests")).json()["requests"])

    async def fault(self, platform: str, fault: str, **more: object) -> None:
        answer = await self.control.post("/_/faults", json={"platform": platform, "fault": fault, **more})
        assert answer.status_code == 201, answer.text

    async def tweet(self, text: str = "", **more: object) -> str:
        answer = await self.x.post("/2/tweets", json={"text": text, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    async def container(self, **parameters: str) -> str:
        answer = await self.ig.post(f"/v25.0/{IG_USER}/media", data=parameters)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def publish(self, container: str) -> str:
        answer = await self.ig.post(f"/v25.0/{IG_USER}/media_publish", data={"creation_id": container})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def sandbox_with_accounts(
    data_dir: Path | None = None,
    *,
    served: bool = False,
    realistic: bool = False,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Sandbox]:
    running = (running_sandbox if served else unserved_sandbox)(data_dir, realistic=realistic, clock=clock)
    async with running as (url, app):
        sandbox = Sandbox(url, None if served else app)
        try:
            answer = await sandbox.control.post("/_/accounts", json={"accounts": ACCOUNTS})
            assert answer.status_code == 200, answer.text
            yield sandbox
        finally:
            await sandbox.close()


@pytest.fixture(scope="module")
def served() -> bool:
    """Return whether the module's requests need connections to its sandboxes."""
    return False


@pytest.fixture
async def sandbox(served: bool) -> AsyncIterator[Sandbox]:
    async with sandbox_with_accounts(served=served) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(clock: Clock, served: bool) -> AsyncIterator[Sandbox]:
    """Run the sandbox on the movable clock."""
    async with sandbox_with_accounts(served=served, clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
async def shared(served: bool) -> AsyncIterator[Sandbox]:
    """Share one sandbox between the tests of a module, for tests that are independent of each other's posts."""
    async with sandbox_with_accounts(served=served) as running:
        yield running
