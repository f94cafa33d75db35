"""Helpers for tests of Discord."""

from platforms.discord.rules import DiscordCredentials
from tests.platforms.rig import Connect, Rig


async def as_webhook(connect: Connect) -> Rig:
    rig = await connect("discord")
    token = rig.stored.access_token.get_secret_value()
    url = f"https://discord.com/api/webhooks/{rig.account.user_id}/{token}"
    rig.stored = DiscordCredentials.model_validate({"webhookUrl": url})
    return rig
