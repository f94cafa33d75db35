"""Platforms that cannot be read back: a marker in the handles says whether an attempt may have published its post."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from domain.post import Media
from platforms.base import Absent, Unknown
from platforms.errors import ErrorKind
from platforms.files import MediaFile
from tests.platforms.discord.rig import as_webhook
from tests.platforms.post_steps import lost, publish, resumed
from tests.platforms.rig import Connect, Rig


@pytest.fixture(params=["telegram", "webhook"])
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    return await (connect("telegram") if request.param == "telegram" else as_webhook(connect))


class Endless:
    """A source whose files never come."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        self.asked.set()
        await asyncio.Event().wait()
        yield MediaFile("image/jpeg", 0, lambda _: iter(()))  # type: ignore[arg-type]


async def test_a_crash_before_sending_is_known_as_never_sent(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")])
    files, context.media = context.media, Endless()
    run = asyncio.create_task(publish(rig, context))
    await context.media.asked.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    again = resumed(rig, context)
    assert await rig.platform.confirm(rig.connection(), again) == Absent(never_sent=True)
    assert len(rig.saved) == 1
    again.media = files
    await publish(rig, again)
    assert len(await rig.posts()) == 1
    assert rig.saved[-1] == {"sending": True}
    assert await rig.platform.confirm(rig.connection(), resumed(rig, again)) == Unknown(final=True)


async def test_a_refusal_keeps_the_marker_because_it_may_lie(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")])
    assert (await lost(rig, context, "rate_limited")).kind is ErrorKind.RATE_LIMITED
    assert rig.saved == [{"sending": True}]
    assert await rig.platform.confirm(rig.connection(), context) == Unknown(final=True)
