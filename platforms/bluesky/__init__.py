"""Bluesky, by the AT Protocol of whatever server an account lives on: text, media, cards, quotes, answers, threads."""

from platforms.bluesky.platform import Bluesky

PLATFORM = Bluesky()
