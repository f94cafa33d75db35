"""The platforms' sandbox for the tests of the platform modules, and accounts on it."""

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from sandbox.server import running_sandbox
from tests.platforms.discord.rig import as_webhook
from tests.platforms.rig import Clock, Connect, Rig, Sandbox, open_account
from tests.serving import direct_client


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Sandbox]:
    # On a busy machine the sandbox needs several seconds to draw a sample video.
    async with running_sandbox() as (url, app), httpx.AsyncClient(timeout=60) as client:
        yield Sandbox(url, client, direct_client(app, url))


@pytest.fixture
async def sandbox(running: Sandbox) -> AsyncIterator[Sandbox]:
    """Yield the sandbox without failures and conditions of the test before."""
    yield running
    await running.forget()


@pytest.fixture
def connect(sandbox: Sandbox) -> Connect:
    """Connect a new account: `await connect("twitter", premium=True, credentials={"refreshToken": "r1"})`."""
    return partial(open_account, sandbox)


@pytest.fixture
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    """Connect an account of the platform that the test's module imports as `PLATFORM`."""
    return await connect(request.module.PLATFORM.name)


@pytest.fixture(scope="session")
async def running_slowly() -> AsyncIterator[tuple[Sandbox, Clock]]:
    """Run a sandbox that takes the time that the platforms take to process media, by a clock of its own."""
    clock = Clock()
    async with running_sandbox(realistic=True, clock=clock) as (url, app), httpx.AsyncClient(timeout=60) as client:
        yield Sandbox(url, client, direct_client(app, url)), clock


@pytest.fixture
def clock(running_slowly: tuple[Sandbox, Clock]) -> Clock:
    """Return the clock of the slow sandbox, set to the present."""
    running_slowly[1].ahead = 0
    return running_slowly[1]


@pytest.fixture
async def connect_slow(running_slowly: tuple[Sandbox, Clock], clock: Clock) -> AsyncIterator[Connect]:
    """Connect accounts like `connect`, on platforms that take their time."""
    sandbox, _ = running_slowly
    yield partial(open_account, sandbox)
    await sandbox.forget()


@pytest.fixture
async def slow(request: pytest.FixtureRequest, connect_slow: Connect) -> Rig:
    """Connect an account like `rig`, on a platform that takes its time."""
    return await connect_slow(request.module.PLATFORM.name)


@pytest.fixture
async def rd(connect: Connect) -> Rig:
    return await connect("reddit")


@pytest.fixture
async def x(connect: Connect) -> Rig:
    return await connect("twitter")


@pytest.fixture
async def premium(connect: Connect) -> Rig:
    return await connect("twitter", premium=True)


@pytest.fixture
async def bot(connect: Connect) -> Rig:
    return await connect("discord")


@pytest.fixture
async def hook(connect: Connect) -> Rig:
    return await as_webhook(connect)


@pytest.fixture(params=["bot", "webhook"])
async def either(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    return await (connect("discord") if request.param == "bot" else as_webhook(connect))
