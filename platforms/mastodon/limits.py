"""The limits of a server: each server sets its own, which are requested once a day."""

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.post import MediaType
from platforms.http.untrusted import count

LIFETIME = 86_400
"""Seconds for which a server's limits are cached."""
MOST_SERVERS = 1000
"""Servers in the cache of one process."""


POLLS_WITH_MEDIA_SINCE = (4, 6)
"""The first such version of Mastodon; source: mastodon/mastodon#39203."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """A server's limits; the defaults are mastodon.social's, as Mastodon's documentation shows them."""

    characters: int = 500
    characters_per_url: int = 23
    attachments: int = 4
    description: int = 1500
    image_bytes: int = 16_777_216
    video_bytes: int = 103_809_024
    poll_options: int = 4
    poll_characters: int = 50
    poll_shortest: int = 300
    poll_longest: int = 2_629_746
    types: tuple[str, ...] = ()
    """MIME types; empty means any, if the server names none."""
    polls_with_media: int = 0
    """Whether a post may have both: 1 or 0."""
    version: str = ""
    """The version string of the server."""

    def numbers(self) -> dict[str, int]:
        """Return the numbers that the rules need, to be stored with an account."""
        return {name: getattr(self, name) for name in _KEPT}

    def most_bytes(self, kind: MediaType) -> int:
        """Return the size that a file may have. Mastodon converts an animated GIF to a video and limits it as one."""
        if kind is MediaType.VIDEO:
            return self.video_bytes
        return max(self.image_bytes, self.video_bytes) if kind is MediaType.GIF else self.image_bytes

    @property
    def is_mastodon(self) -> bool:
        """Return whether the server is Mastodon itself or a fork of it."""
        return bool(_MASTODON.fullmatch(self.version))

    @property
    def lists_all(self) -> bool:
        """Return whether the server is known to list all statuses of an account to it, even private ones and replies.

        Mastodon is, and so are, by their code, the servers that derive from Pleroma. snac and Pixelfed are known not to
        be.
        """
        return self.is_mastodon or self.is_of_pleroma

    @property
    def shows_all_at_home(self) -> bool:
        """Return whether the home timeline is known to contain all of the account's own statuses: snac's does."""
        return bool(_SNAC.search(self.version))

    @property
    def is_of_pleroma(self) -> bool:
        """Return whether the server is Pleroma or its derivative Akkoma."""
        return bool(_PLEROMA.search(self.version))


DEFAULTS = ServerLimits()

_PLACES = {
    "characters": ("statuses", "max_characters"),
    "characters_per_url": ("statuses", "characters_reserved_per_url"),
    "attachments": ("statuses", "max_media_attachments"),
    "description": ("media_attachments", "description_limit"),
    "image_bytes": ("media_attachments", "image_size_limit"),
    "video_bytes": ("media_attachments", "video_size_limit"),
    "poll_options": ("polls", "max_options"),
    "poll_characters": ("polls", "max_characters_per_option"),
    "poll_shortest": ("polls", "min_expiration"),
    "poll_longest": ("polls", "max_expiration"),
}
"""The path of each limit in a server's configuration; source: Mastodon's OpenAPI document, Instance."""

_MOST = {
    "characters": 100_000,
    "characters_per_url": 1_000,
    "attachments": 100,
    "description": 100_000,
    "image_bytes": 2**40,
    "video_bytes": 2**40,
    "poll_options": 100,
    "poll_characters": 10_000,
    "poll_shortest": 31_622_400,
    "poll_longest": 316_224_000,
}
"""The upper bound of each: a server may report anything, and the API counts texts by these values."""
_MOST_TYPES, _LONGEST_TYPE, _LONGEST_VERSION = 200, 100, 100

_MASTODON = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:[-+][A-Za-z0-9.+-]{1,40})?")
"""The version of a server that is Mastodon; similar servers add their own name in brackets."""

_PLEROMA = re.compile(r"\bcompatible; (?:Pleroma|Akkoma)\b", re.IGNORECASE)
_SNAC = re.compile(r"\breally snac/")
_KEPT = (*_PLACES, "polls_with_media")


class KnownLimits:
    """The limits of the servers that were asked last, at most a day ago, by their addresses."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, ServerLimits]] = OrderedDict()

    def get(self, address: str) -> ServerLimits | None:
        """Return a server's limits, None if it must be asked."""
        asked_at, limits = self._known.get(address, (0.0, None))
        return limits if time.monotonic() - asked_at < LIFETIME else None

    def remember(self, address: str, limits: ServerLimits) -> None:
        """Store the limits that a server has just reported; the server that was asked the longest ago is forgotten."""
        self._known[address] = (time.monotonic(), limits)
        self._known.move_to_end(address)
        while len(self._known) > MOST_SERVERS:
            self._known.popitem(last=False)


def stored_limits(numbers: Mapping[str, int]) -> ServerLimits:
    """Return the limits that are stored with an account; the defaults if none are."""
    known: dict[str, Any] = {name: numbers[name] for name in _KEPT if name in numbers}
    return ServerLimits(**known)


def parse_limits(instance: Mapping[str, Any]) -> ServerLimits:
    """Return the limits that a server reports in its description of itself."""
    configuration = instance.get("configuration")
    configuration = configuration if isinstance(configuration, dict) else {}
    numbers: dict[str, Any] = {}
    # Servers reported it here before Mastodon defined a field for it.
    reported = {"characters": instance.get("max_toot_chars")}
    for name, (group, key) in _PLACES.items():
        values = configuration.get(group)
        reported[name] = (values.get(key) if isinstance(values, dict) else None) or reported.get(name)
    for name, value in reported.items():
        # A number that is written as text does not count; other servers' responses contain such.
        if isinstance(value, int) and (within := count(value, _MOST[name])):
            numbers[name] = within
    media = configuration.get("media_attachments")
    types = media.get("supported_mime_types") if isinstance(media, dict) else None
    named = types[:_MOST_TYPES] if isinstance(types, list) else []
    version = str(instance.get("version") or "")[:_LONGEST_VERSION]
    takes_both = int(tuple(map(int, re.findall(r"[0-9]{1,3}", version)[:2])) >= POLLS_WITH_MEDIA_SINCE)
    known = ServerLimits(**numbers, types=tuple(str(name)[:_LONGEST_TYPE] for name in named), version=version)
    return replace(known, polls_with_media=takes_both if known.is_mastodon else 0)
