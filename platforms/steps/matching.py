"""The choice among equal posts: which of them `confirm` may take for ours, by words and time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from platforms.base import PublishContext, Published

_CLOCKS_APART = timedelta(seconds=60)
"""How far a platform's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class MatchingPost:
    """A post on the account with the text that was sent, made since shortly before it was first sent."""

    post: Published
    made_at: datetime


def earliest_unclaimed(context: PublishContext[Any], found: Iterable[MatchingPost]) -> Published | None:
    """Return the earliest of the posts found that is not known to be another of ours. Confirming always ends here.

    A later one may have been sent by another target since. That target looks only at later posts, so it cannot find
    ours. If we took its post for ours, it would be sent again.
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
    """Return whether a text is too long to be what was sent with markup added; comparing it could take seconds.

    Platforms write up to some 130 characters of HTML for one of a text (tags and mentions), and headings of their own.
    """
    return len(shown) > 400 * len(sent) + 20_000
