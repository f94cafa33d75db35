"""Mastodon, and every server with its API: text, polls, images, GIFs and videos."""

from platforms.mastodon.platform import Mastodon

PLATFORM = Mastodon()
