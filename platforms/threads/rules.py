"""The settings, credentials and limits of Threads, and what does not go together in one post."""

from datetime import timedelta
from typing import Annotated, Literal

import regex
from pydantic import Field, StringConstraints

from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.meta.graph import MetaCredentials
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, caution, setting
from platforms.steps.thread import ThreadItems, check_items
from platforms.texts.patterns import Digits, TextPattern, WebAddress

PollOption = Annotated[str, StringConstraints(min_length=1, max_length=25)]
"""The 25 characters are unverified."""


class Poll(ClientModel):
    """A poll."""

    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of 1 to 25 characters.", examples=[["Yes", "No"]]
    )


class ThreadsSettings(ClientModel):
    """Settings of a post on Threads."""

    topic_tag: (
        Annotated[str, StringConstraints(max_length=50), TextPattern(r"^[^.&]+$", "must hold neither . nor &")] | None
    ) = Field(
        None, min_length=1, description="The topic, 1 to 50 characters without . and &.", examples=["photography"]
    )
    reply_control: (
        Literal["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"] | None
    ) = Field(None, description="Who may reply; everyone if left out.", examples=["mentioned_only"])
    quote_post_id: Digits | None = Field(
        None, description="Quote the post with this id.", examples=["18000000000000001"]
    )
    reply_to_id: Digits | None = Field(
        None,
        description="Answer the post with this id. Others' posts only if Threads has granted the service's app more "
        "than publishing.",
        examples=["18000000000000001"],
    )
    link_attachment: WebAddress | None = Field(
        None, description="A link shown as a card; only if there are no media.", examples=["https://example.com"]
    )
    poll: Poll | None = Field(None, description="A poll; only if there are no media.")
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before.",
        examples=[[{"content": "And this is why:"}]],
    )


class ThreadsCredentials(MetaCredentials):
    """A long-lived Threads user token (60 days) and, if known, its account's id."""

    user_id: str | None = Field(None, description="The account's id.", examples=["17841400000000000"])


ThreadsConnection = Connection[ThreadsCredentials]
ThreadsContext = PublishContext[ThreadsSettings]


_POSTS_PAGE = "developers.facebook.com/docs/threads/posts (a dated copy)"

CHARACTERS, LINKS, CAROUSEL_ITEMS = 500, 5, 20
"""Source: the page on posts."""
ALT_TEXT = 1000
"""Characters; unverified, the page names no number."""
IMAGE_BYTES, VIDEO_BYTES, VIDEO_SECONDS = 8 * 1024 * 1024, 1024**3, 300
"""Source: the page on media specifications (a dated copy); its megabytes may be smaller."""
STEEPEST = 10
"""The highest ratio of an image's longer to its shorter side; source: the same page. The page also names widths (320 to
1440 pixels), to which Threads itself scales images (general knowledge, unverified)."""

_CLUSTER = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\uFE0F|\u20E3")
_LINK = regex.compile(r"https?://[^\s<>\"]*[^\s<>\".,:;!?')\]}]", regex.IGNORECASE)


def length(text: str) -> int:
    """Return the length that Threads limits: an emoji counts as its bytes in UTF-8."""
    if text.isascii():
        return len(text)
    clusters = _CLUSTER.findall(text)
    return sum(len(cluster.encode()) if _EMOJI.search(cluster) else len(cluster) for cluster in clusters)


RULES = Rules(
    post_id=PostId(r"[0-9]{1,32}", "the post's number, which its address does not contain"),
    text=TextRule(limit=CHARACTERS, count=length, characters_per_unit=4, source=_POSTS_PAGE),
    media=MediaRule(
        max_items=CAROUSEL_ITEMS,
        max_of=((MediaType.IMAGE, CAROUSEL_ITEMS), (MediaType.VIDEO, CAROUSEL_ITEMS)),
        mixes=True,
        source=_POSTS_PAGE,
    ),
    files=(
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/png"),
            max_bytes=IMAGE_BYTES,
            min_ratio=1 / STEEPEST,
            max_ratio=STEEPEST,
            source=_POSTS_PAGE,
        ),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime"),
            max_bytes=VIDEO_BYTES,
            max_seconds=VIDEO_SECONDS,
            source=_POSTS_PAGE,
        ),
    ),
    alt_text=ALT_TEXT,
    # Each account is asked for its own number.
    rate_limits=(RateLimit(250, timedelta(days=1), source="developers.facebook.com/docs/threads/overview"),),
)


def cautions(label: str, draft: Draft[ThreadsSettings]) -> list[Violation]:
    """Return what Threads may reject; source: its page on replies, December 22, 2025."""
    if draft.settings.reply_to_id is None:
        return []
    access = "threads_keyword_search or threads_manage_mentions"
    return [caution("replyToId", f"{label} lets an app answer others' posts only if it was granted {access}")]


def check(label: str, draft: Draft[ThreadsSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Threads would reject, in the post and in those that follow it; files are not checked."""
    settings = draft.settings
    violations = _check_one(label, draft.text, draft.media)
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    attached = {"linkAttachment": settings.link_attachment, "poll": settings.poll}
    for name, value in attached.items():
        if value and draft.media:
            violations.append(setting(name, f"{label} takes {name} only in a post without media"))
    if all(attached.values()):
        violations.append(setting("poll", f"{label} does not take a poll together with linkAttachment"))
    return violations + check_items(label, settings.thread_items, lambda text, media: _check_one(label, text, media))


def _check_one(label: str, text: str, media: tuple[Media, ...]) -> list[Violation]:
    violations = RULES.check(label, text, media)
    # A text that is already too long is not searched.
    if len(text) <= CHARACTERS and (links := len(set(_LINK.findall(text)))) > LINKS:
        violations.append(Violation("content", f"{label} allows {LINKS} different links in a post; this has {links}"))
    return violations
