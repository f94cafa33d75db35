"""Helpers for tests of Discord."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.discord import PLATFORM
from platforms.discord.settings import DiscordCredentials
from platforms.errors import PlatformError
from tests.platforms.rig import Connect, Rig


async def as_bot(connect: Connect) -> Rig:
    rig = await connect("discord", credentials={"channelId": "1"})
    rig.stored = rig.stored.model_copy(update={"user_id": rig.account.user_id})
    return rig


async def as_webhook(connect: Connect) -> Rig:
    rig = await connect("discord", credentials={"channelId": "1"})
    token = rig.stored.access_token.get_secret_value()
    url = f"https://discord.com/api/webhooks/{rig.account.user_id}/{token}"
    rig.stored = DiscordCredentials.model_validate({"webhookUrl": url})
    return rig


async def refused(step: Awaitable[Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


async def publish(rig: Rig, context: PublishContext[Any]) -> Published:
    context.started_at = datetime.now(UTC)
    published = await PLATFORM.publish(rig.connection(), context)
    return await PLATFORM.complete(rig.connection(), context, published)


async def lost(rig: Rig, context: PublishContext[Any], fault: str) -> PlatformError:
    await rig.sandbox.fault("discord", fault, "publish")
    context.started_at = datetime.now(UTC)
    return await refused(PLATFORM.publish(rig.connection(), context))


async def requests_of(rig: Rig) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rig.sandbox.control("GET", "requests?platform=discord"))["requests"]
    return found
