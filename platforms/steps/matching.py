"""The choice among posts of an account: which of them `confirm` may take for ours, by words and time.

Platforms change the texts that they are sent, and few document how: they shorten links, name the accounts that are
mentioned, trim lines, replace emoji and cut off what is too long. So a text that only resembles ours proves nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from html import unescape
from typing import Any

import regex

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.http.answers import FirstItems
from platforms.texts.unicode import compatible_length, nfkc, readable

CLOCKS_APART = timedelta(seconds=60)
"""How far a platform's clock may be ahead of ours or behind it; our choice."""

_ADDRESS = (
    r"https?(?::|\.{3})[^\s<>\"]*+"
    r"|(?<![\w.-])[\w-]++(?:\.[^\W\d_][\w-]*+)++(?:/[^\s<>\"]*+)?"
)
_MENTION = r"(?<!\w)@(?:\[[^\[\]]{1,300}\]\([^\s()]{1,300}\)|[\w.-]++(?:@[\w.-]++)?)"
_CHANGED = (regex.compile(_ADDRESS), regex.compile(f"{_MENTION}|{_ADDRESS}"))
"""What platforms write in another way: links with and without their scheme, and the accounts that are mentioned."""
GROWTH_BY_MARKUP = 400
"""Characters of HTML that servers write for one of a text: some 130 for a tag, more if the host's name is long."""
GROWTH_OF_TEXT = 2
"""Characters without markup for one of a text, on average over texts of more than 20,000; our choice. Links and
mentions may grow more, but texts of nothing else have limits below that."""
_GROWTH_BY_REFERENCES = 10
_CUT_OFF = "..."
"""The end of a text that a platform has cut off; an ellipsis is the same in normal form KC."""
_WORD = regex.compile(r"[\p{L}\p{N}]++")


class Likeness(IntEnum):
    """The likeness of a shown text to the one that was sent. A post is as like ours as the least like of its parts."""

    OTHER = 0
    RESEMBLES = 1
    """It may be ours: too similar to send the post again, but not enough to call it ours."""
    SAME = 2


@dataclass(frozen=True, slots=True)
class MatchingPost:
    """A post on the account that is or may be what was sent, and when it was made by the platform's clock."""

    post: Published
    made_at: datetime
    likeness: Likeness = Likeness.SAME


def verdict(
    context: PublishContext[Any],
    posts: Iterable[MatchingPost],
    *,
    since: datetime | None = None,
    is_whole: bool = True,
    is_cut: bool = False,
) -> Finding:
    """Return the finding of a search that has read these posts; `is_whole`: no post of the time can be missing.

    `is_cut`: if one is missing, it is because a response was too large to be read. If one of the posts resembles ours,
    ours must not be sent again.
    """
    listed = list(posts)
    same, similar = (
        earliest_unclaimed(context, (post for post in listed if post.likeness is likeness), since=since)
        for likeness in (Likeness.SAME, Likeness.RESEMBLES)
    )
    if same or (is_whole and not similar):
        return same or Absent()
    return Unknown(is_cut=is_cut and not similar)


async def verdict_of_newest(
    context: PublishContext[Any], page: list[Any], posts: Iterable[MatchingPost], *, since: datetime, most: int
) -> Finding:
    """Return the finding of a search in a page of up to `most` items, newest first; `posts` are what they are."""
    listed, is_cut = list[MatchingPost](), isinstance(page, FirstItems)
    for post in posts:
        listed.append(post)
        await asyncio.sleep(0)  # to compare one takes milliseconds
    reaches_back = any(post.made_at < since - CLOCKS_APART for post in listed)
    is_whole = reaches_back or (len(page) < most and not is_cut)
    return verdict(context, listed, since=since, is_whole=is_whole, is_cut=is_cut)


def earliest_unclaimed(
    context: PublishContext[Any], posts: Iterable[MatchingPost], *, since: datetime | None = None
) -> Published | None:
    """Return the earliest of the posts found that is not known to be another of ours. Confirming always ends here.

    A post that was made before `since`, when ours was first sent, is not ours. Without `since`, the search itself has
    left such posts out.

    A later one may have been sent by another target since. That target looks only at later posts, so it cannot find
    ours. If we took its post for ours, it would be sent again.
    """
    free = (
        post
        for post in posts
        if post.post.platform_post_id not in context.taken
        and (since is None or post.made_at >= since - CLOCKS_APART)
        and (context.ended_at is None or post.made_at <= context.ended_at + CLOCKS_APART)
    )
    first = min(free, key=lambda post: post.made_at, default=None)
    return first.post if first else None


def likeness(shown: object, sent: str | None) -> Likeness:
    """Return how like a text that a platform shows is to the one that was sent. The cost is linear in both.

    Platforms change the space between words, so it makes no difference. Two texts resemble each other if one only has
    words in addition, apart from links and mentions, or is the beginning of the other and ends with dots. Another text
    of a series has words of its own, so it does not resemble.
    """
    text, ours = str(shown or ""), sent or ""
    if text.split() == ours.split():
        return Likeness.SAME
    if is_too_long(text, ours, _GROWTH_BY_REFERENCES):
        return Likeness.OTHER
    text, ours = unescape(readable(text)), unescape(readable(ours))
    if is_too_long(text, ours, GROWTH_OF_TEXT):
        return Likeness.OTHER
    text = nfkc(text).casefold()
    for changed in _CHANGED if "@" in text or "@" in nfkc(ours) else _CHANGED[:1]:
        words, own_words = _WORD.findall(changed.sub(" ", text)), _sent_words(ours, changed)
        if _has_only_more(words, own_words) or (text.rstrip().endswith(_CUT_OFF) and _is_beginning(words, own_words)):
            return Likeness.RESEMBLES
    return Likeness.OTHER


@lru_cache(maxsize=4)
def _sent_words(ours: str, changed: regex.Pattern[str]) -> list[str]:
    """Return the words of a sent text, which is compared with each of many posts."""
    return _WORD.findall(changed.sub(" ", nfkc(ours).casefold()))


def is_too_long(shown: str, sent: str, growth: int = GROWTH_BY_MARKUP) -> bool:
    """Return whether a text is too long to be what was sent; comparing it could take seconds.

    `growth`: the characters that a platform writes for one of a text. It may also write headings of its own. Characters
    are counted as compatible ones: a server may choose those that become many.
    """
    most = growth * compatible_length(sent) + 20_000
    return compatible_length(shown, most) > most


def _has_only_more(words: list[str], own_words: list[str]) -> bool:
    """Return whether one list is the other with words added, at most as many as it had."""
    few, many = sorted((words, own_words), key=len)
    rest = iter(many)
    return 2 * len(few) >= len(many) and all(word in rest for word in few)


def _is_beginning(words: list[str], own_words: list[str]) -> bool:
    letters = "".join(words)
    return bool(letters) and "".join(own_words).startswith(letters)
