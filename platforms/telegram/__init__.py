"""Telegram (channels and groups, by a bot): text, photos, albums, videos and animations."""

from platforms.telegram.platform import Telegram

PLATFORM = Telegram()
