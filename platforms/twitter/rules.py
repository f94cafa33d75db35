"""X's limits, and what does not go together in one post."""

import re
from dataclasses import replace
from datetime import timedelta

from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, caution, setting
from platforms.steps.captions import check_languages
from platforms.steps.thread import check_items
from platforms.twitter.settings import TwitterSettings
from platforms.twitter.text import LIMIT, PREMIUM_LIMIT, weighted_length

ALT_TEXT = 1000
"""Characters; source: X API v2 OpenAPI document, CreateMediaMetadataMetadataAltText."""
MEGABYTE = 1024 * 1024
"""X's megabytes may be smaller; X decides on files in between."""
VIDEO_BYTES, PREMIUM_VIDEO_BYTES = 8_000 * MEGABYTE, 16_000 * MEGABYTE
VIDEO_SECONDS, PREMIUM_VIDEO_SECONDS = 20 * 60, 125 * 60
_MEDIA_PAGE = "docs.x.com/x-api/media/quickstart/best-practices"
_VIDEOS = "X API changelog, September 1, 2026"
_SPACE = r"\s\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069"
_CASHTAG = re.compile(
    rf"(?:^|(?<=[{_SPACE}]))\$([A-Za-z]{{1,6}}(?:[._][A-Za-z]{{1,2}})?)(?=$|[{_SPACE}!-/:-@\[-^_{{|}}~])"
)
"""A stock's symbol as X links it; source: github.com/twitter/twitter-text, validCashtag."""

RULES = Rules(
    post_id=PostId(
        r"[0-9]{1,19}",
        addresses=(
            (r"(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com/(?:[^/]+|i/web)/status(?:es)?/([0-9]+)(?:[/?].*)?", r"\1"),
        ),
        without_id=(r"t\.co/.+",),
        # The page needs no user name.
        pages=((r".+", r"https://x.com/i/status/\g<0>"),),
    ),
    text=TextRule(
        limit=LIMIT,
        count=weighted_length,
        unit="weighted characters",
        premium_limit=PREMIUM_LIMIT,
        # A link of 4,096 characters, the longest there is, counts 23, so a text with some of these still fits.
        characters_per_unit=20,
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
            max_bytes=VIDEO_BYTES,
            min_seconds=0.5,
            max_seconds=VIDEO_SECONDS,
            source=_VIDEOS,
        ),
    ),
    alt_text=ALT_TEXT,
    refuses_repeats=True,
    rate_limits=(RateLimit(100, timedelta(minutes=15), source="docs.x.com/x-api/fundamentals/rate-limits, per user"),),
)


CAPTIONS = FileRule(
    MediaType.DOCUMENT,
    ("application/x-subrip", "text/vtt"),
    max_bytes=MEGABYTE,
    source="X API v2 OpenAPI document, InitializeMediaUploadRequest; the size is our choice",
)


def file_rules(*, premium: bool) -> tuple[FileRule, ...]:
    """Return the rules of files; videos of an account with X Premium may be longer. X checks them again itself."""
    if not premium:
        return RULES.files
    return tuple(
        replace(rule, max_bytes=PREMIUM_VIDEO_BYTES, max_seconds=PREMIUM_VIDEO_SECONDS)
        if rule.kind is MediaType.VIDEO
        else rule
        for rule in RULES.files
    )


def cautions(label: str, draft: Draft[TwitterSettings]) -> list[Violation]:
    """Return what X may reject; it is not known here whose post is replied to or quoted.

    Source: the warning on X's page on making posts, and its changelog of 2026-02-23 and 2026-04-20.
    """
    settings, warnings = draft.settings, []
    if settings.reply_to_tweet_id:
        warning = f"{label} lets apps answer only the account's own posts and those that mention it"
        warnings.append(caution("replyToTweetId", warning))
    if settings.quote_tweet_id:
        warning = f"{label} lets apps quote others' posts only on its Enterprise plan"
        warnings.append(caution("quoteTweetId", warning))
    return warnings


def check(label: str, draft: Draft[TwitterSettings], account: AccountFacts) -> list[Violation]:
    """Return everything X would reject, in the post and in the thread that follows it."""

    def check_one(text: str, media: tuple[Media, ...]) -> list[Violation]:
        violations = RULES.check(label, text, media, premium=account.premium)
        # Whether X counts a symbol that occurs twice is not known; X decides that itself.
        if len({name.upper() for name in _CASHTAG.findall(text)}) > 1:
            violations.append(Violation("content", f"{label} allows one cashtag ($NAME) in a post"))
        return violations

    settings = draft.settings
    violations = check_one(draft.text, draft.media)
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    # That media, poll and quote exclude each other is general knowledge, unverified.
    if settings.poll and draft.media:
        violations.append(setting("poll", f"{label} does not take a poll together with media"))
    if settings.quote_tweet_id and (settings.poll or draft.media):
        violations.append(setting("quoteTweetId", f"{label} does not take a quoted post together with media or a poll"))
    if settings.captions and not any(item.type is MediaType.VIDEO for item in draft.media):
        violations.append(setting("captions", f"{label} takes captions only with a video"))
    violations += check_languages(label, (caption.language for caption in settings.captions))
    return violations + check_items(label, settings.thread_items, check_one)
