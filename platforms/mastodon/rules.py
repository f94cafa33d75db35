"""Mastodon's limits, unless the account's own server has set others."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.mastodon.limits import DEFAULTS, ServerLimits, stored_limits
from platforms.mastodon.post_ids import POST_ID
from platforms.mastodon.settings import MastodonSettings, Poll
from platforms.mastodon.text import length
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.unicode import graphemes, nfc

CHARACTERS_PER_UNIT = 20
"""Our choice: far more than links, mentions and combining marks add to a real text."""
SIDE = 5760
"""Mastodon limits the pixels of an image (image_matrix_limit, 33,177,600), of which this is the square root, and shows
no more than 8,294,400 of them."""
_CONFIGURATION = "docs.joinmastodon.org/methods/instance (each server's own configuration wins)"

RULES = Rules(
    post_id=POST_ID,
    text=TextRule(
        limit=DEFAULTS.characters, count=length, characters_per_unit=CHARACTERS_PER_UNIT, source=_CONFIGURATION
    ),
    media=MediaRule(
        max_items=DEFAULTS.attachments,
        max_of=(
            (MediaType.IMAGE, DEFAULTS.attachments),
            (MediaType.GIF, DEFAULTS.attachments),
            (MediaType.VIDEO, 1),
        ),
        mixes=True,
        source=_CONFIGURATION,
    ),
    files=(
        FileRule(
            MediaType.IMAGE,
            # HEIC and AVIF are converted: Mastodon itself makes JPEGs of them, and other servers refuse them.
            ("image/jpeg", "image/png", "image/webp", "image/gif"),
            max_bytes=DEFAULTS.image_bytes,
            max_width=SIDE,
            max_height=SIDE,
            source=_CONFIGURATION,
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=DEFAULTS.most_bytes(MediaType.GIF), source=_CONFIGURATION),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm"),
            max_bytes=DEFAULTS.video_bytes,
            source=_CONFIGURATION,
        ),
    ),
    alt_text=DEFAULTS.description,
    rate_limits=(
        RateLimit(300, timedelta(hours=3), source="Mastodon's source, unverified; a server's own headers tell more"),
    ),
)


def check(label: str, draft: Draft[MastodonSettings], account: AccountFacts) -> list[Violation]:
    """Return everything the account's server would reject, as far as its limits are known."""
    settings, limits = draft.settings, stored_limits(account.limits)
    # The warning counts together with the text after it, and a link in the warning counts in full; source: Mastodon's
    # app/validators/status_length_validator.rb.
    rules = _rules(limits, graphemes(nfc(settings.spoiler_text or "")))
    violations = rules.check(label, draft.text, draft.media)
    if len(draft.media) > 1 and any(item.type is MediaType.VIDEO for item in draft.media):
        violations.append(Violation("mediaItems", f"{label} does not take a video together with other media"))
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    if settings.poll:
        violations += _check_poll(label, settings.poll, limits)
        if draft.media and not limits.polls_with_media:
            violations.append(setting("poll", f"{label} does not take a poll together with media"))
    return violations


@lru_cache(maxsize=100)
def _rules(limits: ServerLimits, warning: int) -> Rules:
    """Return the server's rules for a post with a warning of so many characters."""

    def count(text: str) -> int:
        return length(text, limits.characters_per_url) + warning

    most = limits.attachments
    of_kind = tuple((kind, min(number, 1) if kind is MediaType.VIDEO else most) for kind, number in RULES.media.max_of)
    return replace(
        RULES,
        text=replace(RULES.text, limit=limits.characters, count=count),
        media=replace(RULES.media, max_items=most, max_of=of_kind),
        alt_text=limits.description,
    )


def _check_poll(label: str, poll: Poll, limits: ServerLimits) -> list[Violation]:
    violations = []
    if len(poll.options) > limits.poll_options:
        error = f"{label} allows {limits.poll_options} answers in a poll; this has {len(poll.options)}"
        violations.append(setting(("poll", "options"), error))
    violations += [
        setting(
            ("poll", "options", number),
            f"{label} allows {limits.poll_characters} characters in an answer; this has {len(option)}",
        )
        for number, option in enumerate(poll.options)
        if len(option) > limits.poll_characters
    ]
    if len(set(poll.options)) < len(poll.options):
        violations.append(setting(("poll", "options"), f"{label} does not take the same answer twice"))
    if not limits.poll_shortest <= poll.expires_in <= limits.poll_longest:
        error = f"{label} keeps polls open for {limits.poll_shortest:,} to {limits.poll_longest:,} seconds"
        violations.append(setting(("poll", "expiresIn"), error))
    return violations
