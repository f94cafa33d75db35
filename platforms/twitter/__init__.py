"""X (formerly Twitter), by its API v2 with OAuth 2.0: text, media, polls, threads, replies and edits."""

from platforms.twitter.platform import Twitter

PLATFORM = Twitter()
