"""Telegram's Bot API: one call publishes, and only its answer has the id, because messages cannot be read back."""

from typing import ClassVar

from sandbox.platforms.telegram.chats import ChatRoutes
from sandbox.platforms.telegram.sending import SendRoutes


class Telegram(SendRoutes, ChatRoutes):
    """The fake Telegram, in place of https://api.telegram.org."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {
            "user_id",
            "supports_streaming",
            "width",
            "height",
            "disable_notification",
            "protect_content",
            "message_thread_id",
            "link_preview_options",
            "has_spoiler",
            "show_caption_above_media",
            "parse_mode",
        }
    )
    platform: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    colour: ClassVar[str] = "#229ed9"
    account_prefix: ClassVar[str] = "tg"
