"""LinkedIn's settings, limits and text format, and what does not go together in one post."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import TextPattern, WebAddress

OrganizationUrn = Annotated[str, TextPattern(r"^urn:li:organization:\d+$", "must be like urn:li:organization:123")]

PAGE_PREFIX = "organization-"
"""The beginning of a company page's user id here: LinkedIn's ids of pages are numbers, and those of members may be."""


def own_page(user_id: str) -> str:
    """Return the URN of the page that an account is; empty for a member."""
    return f"urn:li:organization:{user_id.removeprefix(PAGE_PREFIX)}" if user_id.startswith(PAGE_PREFIX) else ""


TITLE, DESCRIPTION, COMMENT = 400, 4086, 1250
"""Characters of an article's title and description and of a comment; general knowledge, unverified."""

QUESTION = 140
PollOption = Annotated[str, StringConstraints(min_length=1, max_length=30)]
"""The limits of a poll in LinkedIn's own form; general knowledge, unverified, like the poll's names and durations."""


class Article(ClientModel):
    """A link shown as a card. LinkedIn reads nothing from the page, so the settings must give the card's text."""

    source: WebAddress = Field(description="The page's address.", examples=["https://example.com/launch"])
    title: str = Field(min_length=1, max_length=TITLE, description="The card's title.", examples=["We have launched"])
    description: str | None = Field(
        None, min_length=1, max_length=DESCRIPTION, description="A line below the title.", examples=["All about it"]
    )
    thumbnail: WebAddress | None = Field(
        None, description="The card's picture.", examples=["https://cdn.example.com/card.jpg"]
    )


class Poll(ClientModel):
    """A poll."""

    question: str = Field(min_length=1, max_length=QUESTION, description="The question.", examples=["Tea or coffee?"])
    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of up to 30 characters.", examples=[["Tea", "Coffee"]]
    )
    duration: Literal["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"] = Field(
        "THREE_DAYS", description="How long it stays open.", examples=["SEVEN_DAYS"]
    )


class LinkedInSettings(ClientModel):
    """Settings of a post on LinkedIn."""

    organization_urn: OrganizationUrn | None = Field(
        None,
        description="Publish as this company page, which the member administers, if it is allowed for the account.",
        examples=["urn:li:organization:5515715"],
    )
    document_title: str | None = Field(
        None,
        min_length=1,
        max_length=TITLE,
        description="The title of a document; its file name if left out.",
        examples=["Annual report"],
    )
    article: Article | None = Field(
        None,
        description="A link shown as a card; not together with media.",
        examples=[{"source": "https://example.com/launch", "title": "We have launched"}],
    )
    poll: Poll | None = Field(
        None,
        description="A poll; not together with media or an article.",
        examples=[{"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}],
    )
    disable_link_preview: bool = Field(
        default=False,
        description="Publish without the `article`. Links in a text never become cards by themselves.",
        examples=[True],
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment added right after publishing.",
        examples=["Read more: https://example.com"],
    )
    visibility: Literal["PUBLIC", "CONNECTIONS", "LOGGED_IN"] = Field(
        "PUBLIC", description="Who sees the post; pages publish for everyone.", examples=["CONNECTIONS"]
    )


class LinkedInCredentials(OAuthCredentials):
    """A member's token (60 days). `organization_urn` makes the account a company page that the member manages."""

    organization_urn: OrganizationUrn | None = None
    api_version: Annotated[str, TextPattern(r"^\d{6}$", "must be a version such as 202601")] | None = None
    """The API version (YYYYMM) to use instead of our default; each is withdrawn about a year after its release."""


_ESCAPED = str.maketrans({character: f"\\{character}" for character in r"\|{}@[]()<>#*_~"})
_LIVE = re.compile(
    r"@\[(?P<name>[^\[\]()\n]+)\]\((?P<urn>urn:li:(?:organization|person):[\w-]+)\)"
    # Letters and digits, at least one letter; not the fragment of an address.
    r"|(?<![\w/&#])#(?P<tag>(?=\d*[^\W\d_])[^\W_]+)(?!\w)"
)


def little(text: str) -> str:
    """Return a text for LinkedIn: `#tags` and `@[Name](urn:li:organization:1)` are active, all else is escaped."""
    parts: list[str] = []
    position = 0
    for match in _LIVE.finditer(text):
        parts.append(_escaped(text[position : match.start()]))
        if match["tag"]:
            parts.append(rf"{{hashtag|\#|{match['tag']}}}")
        else:
            parts.append(f"@[{_escaped(match['name'])}]({match['urn']})")
        position = match.end()
    return "".join([*parts, _escaped(text[position:])])


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)


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
