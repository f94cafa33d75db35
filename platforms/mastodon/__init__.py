"""Mastodon, and every server that speaks its API: text, polls, images, GIFs and videos."""

from platforms.mastodon.platform import Mastodon

PLATFORM = Mastodon()
