"""Bluesky and other servers of the AT Protocol: text, media, link cards, quotes, replies and threads."""

from platforms.bluesky.platform import Bluesky

PLATFORM = Bluesky()
