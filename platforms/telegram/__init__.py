"""Telegram (channels and groups, by a bot): text, photos, albums, videos and animations."""

from platforms.telegram.network import Telegram

NETWORK = Telegram()
