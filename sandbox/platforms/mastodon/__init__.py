"""Mastodon: media that need processing, then one call that publishes, with a key that is valid for an hour."""

from typing import ClassVar

from sandbox.platforms.mastodon.consent import ConsentRoutes
from sandbox.platforms.mastodon.reads import ReadRoutes
from sandbox.platforms.mastodon.statuses import StatusRoutes


class Mastodon(StatusRoutes, ReadRoutes, ConsentRoutes):
    """A fake Mastodon server, in place of https://mastodon.social."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"exclude_reblogs", "lang"})
    platform: ClassVar[str] = "mastodon"
    label: ClassVar[str] = "Mastodon"
    colour: ClassVar[str] = "#6364ff"
    account_prefix: ClassVar[str] = "ma"
