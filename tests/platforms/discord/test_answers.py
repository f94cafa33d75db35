"""Responses of Discord that are lost, or cannot be read."""

from datetime import UTC, datetime

from platforms.base import Absent
from platforms.discord import PLATFORM
from tests.platforms.rig import Rig


async def test_a_nonce_that_is_shown_decides(bot: Rig) -> None:
    me = (await bot.sandbox.client.get(f"{bot.sandbox.url}/discord/users/@me", headers=bearer(bot))).json()
    context = bot.context("Hi", started_at=datetime.now(UTC))
    shown = {"author": me, "content": "Hi", "attachments": [], "embeds": []}
    page = [{"id": "334385199974967044", "nonce": "another", **shown}]
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=page)
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()


def bearer(rig: Rig) -> dict[str, str]:
    return {"Authorization": f"Bot {rig.stored.access_token.get_secret_value()}"}
