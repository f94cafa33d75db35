"""Choose among posts that say the same: which of them confirming by words and time may take for ours."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from platforms.base import PublishContext, Published

_CLOCKS_APART = timedelta(seconds=60)
"""How far a network's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class MatchingPost:
    """Be a post on the account that says what was sent, made since shortly before it was first sent."""

    post: Published
    made_at: datetime


def earliest_unclaimed(context: PublishContext[Any], found: Iterable[MatchingPost]) -> Published | None:
    """Return the earliest of what was found that is not known to be another of ours; confirming always ends here.

    A later one may be what another target has sent since, whose own confirming begins too late to see ours: taken for
    ours, it would leave that one to be sent again.
    """
    free = (
        each
        for each in found
        if each.post.platform_post_id not in context.taken
        and (context.ended_at is None or each.made_at <= context.ended_at + _CLOCKS_APART)
    )
    first = min(free, key=lambda each: each.made_at, default=None)
    return first.post if first else None


def is_too_long(shown: str, sent: str) -> bool:
    """Tell whether a text is so long that no markup makes it of what was sent; comparing it could take seconds.

    Networks write up to some 130 characters of HTML for one of a text (tags and mentions), and headings of their own.
    """
    return len(shown) > 400 * len(sent) + 20_000
