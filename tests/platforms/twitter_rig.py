"""Helpers for tests of X."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import PlatformError
from platforms.twitter import PLATFORM
from tests.platforms.rig import Rig


async def publish(rig: Rig, context: PublishContext[Any]) -> Published:
    if PLATFORM.prepares(context.draft):
        await PLATFORM.prepare(rig.connection(), context)
    context.started_at = datetime.now(UTC)
    return await PLATFORM.publish(rig.connection(), context)


async def refused(step: Awaitable[Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value
