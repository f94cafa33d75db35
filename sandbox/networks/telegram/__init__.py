"""Telegram's Bot API: one call publishes, its answer is the only trace of it, and nothing can be read back."""

from typing import ClassVar

from sandbox.networks.telegram.sending import SendRoutes
from sandbox.networks.telegram.whoami import ChatRoutes


class Telegram(SendRoutes, ChatRoutes):
    """Be Telegram, in place of https://api.telegram.org."""

    platform: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    colour: ClassVar[str] = "#229ed9"
