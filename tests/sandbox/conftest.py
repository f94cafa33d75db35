"""A sandbox on a free port, with one account on Instagram and two on X, and clients that act as them."""

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.server import running_sandbox

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

    def __init__(self, url: str) -> None:
        self.url = url
        # There is no TLS here, and loading certificates takes longer than most of these tests.
        self.control = httpx.AsyncClient(base_url=url, verify=False, timeout=30)
        self.x = self._as("twitter", "x-premium")
        self.free = self._as("twitter", "x-free")
        self.ig = self._as("instagram", "ig-token")

    def _as(self, platform: str, token: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"{self.url}/{platform}", headers=headers, verify=False, timeout=30)

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
    data_dir: Path | None = None, *, realistic: bool = False, clock: Callable[[], float] | None = None
) -> AsyncIterator[Sandbox]:
    async with running_sandbox(data_dir, realistic=realistic, clock=clock) as url:
        sandbox = Sandbox(url)
        try:
            answer = await sandbox.control.post("/_/accounts", json={"accounts": ACCOUNTS})
            assert answer.status_code == 200, answer.text
            yield sandbox
        finally:
            await sandbox.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_with_accounts() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def timed(clock: Clock) -> AsyncIterator[Sandbox]:
    """Run the sandbox on the movable clock."""
    async with sandbox_with_accounts(clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    """Share one sandbox between the tests of a module, for tests that are independent of each other's posts."""
    async with sandbox_with_accounts() as running:
        yield running
