"""The choice among equal posts: which of them `confirm` may take for ours, by words and time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from platforms.base import PublishContext, Published

CLOCKS_APART = timedelta(seconds=60)
"""How far a platform's clock may be ahead of ours or behind it; our choice."""


@dataclass(frozen=True, slots=True)
class MatchingPost:
    """A post on the account with the text that was sent, and when it was made by the platform's clock."""

    post: Published
    made_at: datetime


def earliest_unclaimed(
    context: PublishContext[Any], found: Iterable[MatchingPost], *, since: datetime | None = None
) -> Published | None:
    """Return the earliest of the posts found that is not known to be another of ours. Confirming always ends here.

    A post that was made before `since`, when ours was first sent, is not ours. Without `since`, the search itself has
    left such posts out.

    A later one may have been sent by another target since. That target looks only at later posts, so it cannot find
    ours. If we took its post for ours, it would be sent again.
    """
    free = (
        each
        for each in found
        if each.post.platform_post_id not in context.taken
        and (since is None or each.made_at >= since - CLOCKS_APART)
        and (context.ended_at is None or each.made_at <= context.ended_at + CLOCKS_APART)
    )
    first = min(free, key=lambda each: each.made_at, default=None)
    return first.post if first else None


def has_same_words(shown: object, sent: str | None) -> bool:
    """Return whether a text that a platform shows has the words that were sent; platforms change the space between."""
    return str(shown or "").split() == (sent or "").split()


def is_too_long(shown: str, sent: str) -> bool:
    """Return whether a text is too long to be what was sent with markup added; comparing it could take seconds.

    Platforms write up to some 130 characters of HTML for one of a text (tags and mentions), and headings of their own.
    """
    return len(shown) > 400 * len(sent) + 20_000
