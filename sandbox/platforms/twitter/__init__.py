"""X (Twitter), API v2: one call publishes, media are uploaded before it, Premium accounts may edit for an hour."""

from typing import ClassVar

from sandbox.platforms.twitter.posts import PostRoutes
from sandbox.platforms.twitter.reads import ReadRoutes
from sandbox.platforms.twitter.users import UserRoutes


class Twitter(PostRoutes, ReadRoutes, UserRoutes):
    """The fake X, in place of https://api.x.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"client_id"})
    platform: ClassVar[str] = "twitter"
    label: ClassVar[str] = "X"
    colour: ClassVar[str] = "#14171a"
    account_prefix: ClassVar[str] = "tw"
