"""Bluesky: an AT Protocol server with its sessions, blobs and records, and the video service."""

from typing import ClassVar

from sandbox.platforms.bluesky.authorization import AuthorizationRoutes
from sandbox.platforms.bluesky.sessions import SessionRoutes
from sandbox.platforms.bluesky.video import VideoRoutes


class Bluesky(AuthorizationRoutes, SessionRoutes, VideoRoutes):
    """A fake AT Protocol server, in place of https://bsky.social, and https://video.bsky.app."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"collection", "repo"})
    platform: ClassVar[str] = "bluesky"
    label: ClassVar[str] = "Bluesky"
    colour: ClassVar[str] = "#0a7aff"
    account_prefix: ClassVar[str] = "bs"
