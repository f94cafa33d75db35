"""LinkedIn's limits, and what does not go together in one post."""

from datetime import timedelta

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.linkedin.little import little
from platforms.linkedin.settings import LinkedInSettings
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting

_SHARES = "learn.microsoft.com/en-us/linkedin/marketing/community-management/shares"

IMAGES = 20
ALT_TEXT = 4086
"""Characters; general knowledge, unverified."""
MEGABYTE = 1024 * 1024

_HOST = r"(?:[a-z]+\.)?linkedin\.com"

RULES = Rules(
    post_id=PostId(
        r"urn:li:(share|ugcPost|activity):[0-9]{1,32}",
        "a name such as urn:li:share:7123456789012345678",
        addresses=(
            (
                rf"{_HOST}/(?:embed/)?(?:feed/update|analytics/post-summary)/(urn:li:[A-Za-z]+:[0-9]+)(?:[/?].*)?",
                r"\1",
            ),
            (rf"{_HOST}/posts/[^/?]*[-_](share|ugcPost|activity)-([0-9]+)(?:[-/?].*)?", r"urn:li:\1:\2"),
        ),
        without_id=(r"lnkd\.in/.+",),
        pages=((r"urn:li:\w+:[\w-]+", r"https://www.linkedin.com/feed/update/\g<0>/"),),
    ),
    # LinkedIn counts the text as it is sent: each escape is a character, a hashtag's template 13 more (BrightBean).
    text=TextRule(
        limit=3000,
        count=lambda text: len(little(text)),
        characters_per_unit=2,
        unit="characters, with a backslash before each of | { } @ [ ] ( ) < > # * _ ~",
        source=f"{_SHARES}/posts-api",
    ),
    media=MediaRule(
        max_items=IMAGES,
        max_of=(
            (MediaType.IMAGE, IMAGES),
            (MediaType.GIF, IMAGES),
            (MediaType.VIDEO, 1),
            (MediaType.DOCUMENT, 1),
        ),
        source=f"{_SHARES}/multiimage-post-api",
    ),
    files=(
        # LinkedIn limits the pixels (36,152,320); a square of 6,000 stays below.
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/png", "image/gif"),
            max_width=6000,
            max_height=6000,
            source=f"{_SHARES}/images-api",
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_width=6000, max_height=6000, source=f"{_SHARES}/images-api"),
        # The page names 500 MB, its description of a field 5 GB.
        FileRule(
            MediaType.VIDEO,
            ("video/mp4",),
            min_bytes=75_000,
            max_bytes=500 * MEGABYTE,
            min_seconds=3,
            max_seconds=1800,
            source=f"{_SHARES}/videos-api",
        ),
        FileRule(
            MediaType.DOCUMENT,
            ("application/pdf", "application/zip", "application/x-ole-storage"),
            max_bytes=100 * MEGABYTE,
            source=f"{_SHARES}/documents-api",
        ),
    ),
    alt_text=ALT_TEXT,
    refuses_repeats=True,
    # LinkedIn counts requests, and a post needs at least one.
    rate_limits=(RateLimit(150, timedelta(days=1), source=f"{_SHARES}, quota of a member"),),
)


def check(label: str, draft: Draft[LinkedInSettings], _: AccountFacts) -> list[Violation]:
    """Return everything LinkedIn would reject."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    article = settings.article and not settings.disable_link_preview
    if not draft.text.strip() and not draft.media and not article and not settings.poll:
        violations.append(Violation("content", f"{label} needs text, media, an article or a poll"))
    if article and draft.media:
        violations.append(setting("article", f"{label} does not take an article together with media"))
    if settings.poll:
        if draft.media or article:
            violations.append(setting("poll", f"{label} does not take a poll together with media or an article"))
        if len(set(settings.poll.options)) < len(settings.poll.options):
            violations.append(setting(("poll", "options"), f"{label} does not take the same answer twice"))
    if settings.document_title and not any(item.type is MediaType.DOCUMENT for item in draft.media):
        violations.append(setting("documentTitle", f"{label} takes documentTitle only with a document"))
    if settings.organization_urn and settings.visibility != "PUBLIC":
        violations.append(setting("visibility", f"{label} pages publish for everyone (PUBLIC)"))
    return violations
