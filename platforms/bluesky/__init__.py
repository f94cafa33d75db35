"""Bluesky, by the AT Protocol of whatever server an account lives on: text, images, videos and threads."""

from platforms.bluesky.network import Bluesky

NETWORK = Bluesky()
