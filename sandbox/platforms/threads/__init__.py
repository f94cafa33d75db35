"""Threads: a container for each post, its status, then one call that publishes it; replies make threads."""

from typing import ClassVar

from sandbox.platforms.threads.publishing import PublishRoutes
from sandbox.platforms.threads.reads import ReadRoutes


class Threads(PublishRoutes, ReadRoutes):
    """The fake Threads, in place of https://graph.threads.net."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"access_token", "fields"})
    platform: ClassVar[str] = "threads"
    label: ClassVar[str] = "Threads"
    colour: ClassVar[str] = "#101010"
    account_prefix: ClassVar[str] = "th"
