"""Helpers for tests of Reddit."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import PlatformError
from platforms.reddit import PLATFORM
from tests.platforms.rig import Rig

TEST = {"subreddit": "test"}


async def publish(rig: Rig, context: PublishContext[Any]) -> Published:
    if PLATFORM.prepares(context.draft):
        await PLATFORM.prepare(rig.connection(), context)
    context.started_at = context.started_at or datetime.now(UTC)
    return await PLATFORM.publish(rig.connection(), context)


async def refused(step: Awaitable[Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


def post(rig: Rig, text: str, *names: str, **settings: Any) -> PublishContext[Any]:
    return rig.context(text, [rig.sandbox.media(name) for name in names], settings={**TEST, **settings})
