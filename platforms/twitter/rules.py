"""X's limits, and what does not go together in one post."""

from dataclasses import replace
from datetime import timedelta

from domain.pace import Pace
from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.rules import FileRule, MediaRule, PostId, Rules, TextRule, Violation, setting
from platforms.thread import check_items
from platforms.twitter.settings import TwitterSettings
from platforms.twitter.text import LIMIT, PREMIUM_LIMIT, weighted_length

ALT_TEXT = 1000
"""Characters; source: X API v2 OpenAPI document, CreateMediaMetadataMetadataAltText."""
MEGABYTE = 1024 * 1024
"""X's megabytes may be smaller: X judges the rest."""
LONG_VIDEO = 4 * MEGABYTE * 1000
"""Bytes: the pieces that an upload may have, at the size in which they are sent."""
_MEDIA_PAGE = "docs.x.com/x-api/media/quickstart/best-practices"

RULES = Rules(
    post_id=PostId(r"[0-9]{1,19}"),
    text=TextRule(
        limit=LIMIT,
        count=weighted_length,
        unit="weighted characters",
        premium_limit=PREMIUM_LIMIT,
        source="github.com/twitter/twitter-text config/v3.json; help.x.com/using-x/x-premium for the premium limit",
    ),
    media=MediaRule(
        max_items=4,
        max_of=((MediaType.IMAGE, 4), (MediaType.GIF, 1), (MediaType.VIDEO, 1)),
        source=_MEDIA_PAGE,
    ),
    files=(
        FileRule(
            MediaType.IMAGE, ("image/jpeg", "image/png", "image/webp"), max_bytes=5 * MEGABYTE, source=_MEDIA_PAGE
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=15 * MEGABYTE, source=_MEDIA_PAGE),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm", "video/mp2t"),
            max_bytes=512 * MEGABYTE,
            min_seconds=0.5,
            max_seconds=140,
            source=_MEDIA_PAGE,
        ),
    ),
    alt_text=ALT_TEXT,
    paces=(Pace(100, timedelta(minutes=15), source="docs.x.com/x-api/fundamentals/rate-limits, per user"),),
)


def file_rules(*, long_video: bool) -> tuple[FileRule, ...]:
    """Return the rules of files; a long video may be as long as X lets the account's be."""
    if not long_video:
        return RULES.files
    return tuple(
        replace(rule, max_bytes=LONG_VIDEO, max_seconds=None) if rule.kind is MediaType.VIDEO else rule
        for rule in RULES.files
    )


def check(label: str, draft: Draft[TwitterSettings], *, premium: bool) -> list[Violation]:
    """Return everything X would refuse, in the post and in the thread that follows it."""

    def check_one(text: str, media: tuple[Media, ...]) -> list[Violation]:
        return RULES.check(label, text, media, premium=premium)

    settings = draft.settings
    found = check_one(draft.text, draft.media)
    if not draft.text.strip() and not draft.media:
        found.append(Violation("content", f"{label} needs text or media"))
    # That media, poll and quote exclude each other is general knowledge, unverified.
    if settings.poll and draft.media:
        found.append(setting("poll", f"{label} does not take a poll together with media"))
    if settings.quote_tweet_id and (settings.poll or draft.media):
        found.append(setting("quoteTweetId", f"{label} does not take a quoted post together with media or a poll"))
    return found + check_items(label, settings.thread_items, check_one)
