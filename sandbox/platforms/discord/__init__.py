"""Discord's API v10: bots, whose repeats are recognised by a nonce and whose channels can be read, and webhooks."""

from typing import ClassVar

from sandbox.platforms.discord.consent import ConsentRoutes
from sandbox.platforms.discord.messages import MessageRoutes
from sandbox.platforms.discord.reads import ReadRoutes


class Discord(MessageRoutes, ReadRoutes, ConsentRoutes):
    """The fake Discord, in place of https://discord.com/api/v10."""

    platform: ClassVar[str] = "discord"
    label: ClassVar[str] = "Discord"
    colour: ClassVar[str] = "#5865f2"
    account_prefix: ClassVar[str] = "dc"
