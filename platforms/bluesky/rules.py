"""Bluesky's limits, its settings and credentials, and its texts: their length, links, mentions and tags.

The grammar follows that of Bluesky's own client library (github.com/bluesky-social/atproto, packages/api), except that
all that begins with www. is a link.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import regex
from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints

from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import CAUTION, FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.servers.outgoing import ServerAddress
from platforms.steps.thread import ThreadItems, check_items
from platforms.texts.patterns import TLDS, Language, TextPattern, WebAddress
from platforms.texts.unicode import graphemes

MOST_GRAPHEMES, MOST_BYTES = 300, 3000
"""Source: lexicon app.bsky.feed.post, text."""
LONGEST_TAG = 64
"""Graphemes; source: lexicon app.bsky.richtext.facet."""
LONGEST_HANDLE = 253
"""Source: atproto.com/specs/handle."""

_INVISIBLE = r"\u00AD\u2060\u200A\u200B\u200C\u200D\u20E2"
_LINK = regex.compile(
    r"(?<![^\s(])(?:(?:https?://|www\.(?=[^\s.]))\S+|(?<domain>[a-z][a-z0-9]*+(?:\.[a-z0-9]++)+)\S*)", regex.IGNORECASE
)
_MENTION = regex.compile(r"(?<![^\s(])@([A-Za-z0-9.-]++)")
_TAG = regex.compile(rf"(?<!\S)[#\uFF03](?!\uFE0F)([^\s{_INVISIBLE}]++)")
_HANDLE = regex.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", regex.IGNORECASE
)
_LAST_PUNCTUATION = regex.compile(r"(?<!\p{P})\p{P}++$")
_MORE_THAN_DIGITS = regex.compile(r"[^\d\p{P}]")
_ENDS_SENTENCE = ".,;:!?'\"\u00bb\u2019\u201d\u2026>]}"


class Span(NamedTuple):
    """A part of a text; `start` and `end` count characters."""

    start: int
    end: int
    text: str


def mentions(text: str) -> list[str]:
    """Return the handles that a text mentions, in lower case and without @, each once."""
    return list(dict.fromkeys(span.text.lower() for span in _mentions(text)))


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the facets of a text with their positions in its UTF-8 bytes.

    `dids` maps handles to DIDs; a mention of any other handle stays plain text.
    """
    features = [(span, {"$type": "app.bsky.richtext.facet#link", "uri": _address(span.text)}) for span in _links(text)]
    features += [
        (span, {"$type": "app.bsky.richtext.facet#mention", "did": dids[span.text.lower()]})
        for span in _mentions(text)
        if dids.get(span.text.lower())
    ]
    features += [(span, {"$type": "app.bsky.richtext.facet#tag", "tag": span.text}) for span in _tags(text)]
    return [
        {
            "index": {"byteStart": _bytes(text[: span.start]), "byteEnd": _bytes(text[: span.end])},
            "features": [feature],
        }
        for span, feature in sorted(features, key=lambda item: item[0].start)
    ]


def _bytes(text: str) -> int:
    return len(text.encode())


def _links(text: str) -> Iterator[Span]:
    for match in _LINK.finditer(text):
        link = match[0].rstrip(_ENDS_SENTENCE)
        unopened = link.count(")") - link.count("(")
        while link.endswith(")") and unopened > 0:
            link, unopened = link[:-1].rstrip(_ENDS_SENTENCE), unopened - 1
        if domain := match["domain"]:
            is_link = domain.lower().rpartition(".")[2] in TLDS
        else:
            is_link = bool(link.partition("://")[2]) or link.lower().startswith("www.")
        if is_link:
            yield Span(match.start(), match.start() + len(link), link)


def _address(link: str) -> str:
    return link if link.lower().startswith(("http://", "https://")) else f"https://{link}"


def _mentions(text: str) -> Iterator[Span]:
    for match in _MENTION.finditer(text):
        handle = match[1].rstrip(".-")
        if len(handle) <= LONGEST_HANDLE and _HANDLE.fullmatch(handle):
            yield Span(match.start(), match.start() + 1 + len(handle), handle)


def _tags(text: str) -> Iterator[Span]:
    for match in _TAG.finditer(text):
        tag = _LAST_PUNCTUATION.sub("", match[1])
        if _MORE_THAN_DIGITS.search(tag) and graphemes(tag) <= LONGEST_TAG:
            yield Span(match.start(), match.start() + 1 + len(tag), tag)


HOSTED = "https://bsky.social"
"""The server of the accounts that Bluesky itself hosts."""

CARD_TITLE, CARD_DESCRIPTION = 300, 1000
"""Our choice: the lexicon names no limit, and Bluesky's app shows a few lines."""

Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(lambda name: name.removeprefix("@"))
]
"""The identifier as a server takes it. People write their handle with @, as apps show it."""


POST_NAME = r"^(?:at://|https://bsky\.app/profile/)([^/\s]+)/(?:app\.bsky\.feed\.post|post)/([A-Za-z0-9._:~-]+)/?$"
"""The author and the key of a post, as programs write it (at://) or as people see it."""
PostName = Annotated[
    str,
    StringConstraints(max_length=2048),
    TextPattern(POST_NAME, "must be a post's at:// URI or its address at bsky.app"),
]


class LinkCard(ClientModel):
    """A link shown as a card. Bluesky reads nothing from the page, so the settings must give the card's text."""

    url: WebAddress = Field(description="The page's address.", examples=["https://example.com/launch"])
    title: str = Field(min_length=1, max_length=CARD_TITLE, description="The title.", examples=["We have launched"])
    description: str = Field(
        "", max_length=CARD_DESCRIPTION, description="What the page is about.", examples=["All about it"]
    )
    thumbnail: WebAddress | None = Field(
        None, description="The card's picture.", examples=["https://cdn.example.com/card.jpg"]
    )


class BlueskySettings(ClientModel):
    """Settings of a post on Bluesky."""

    langs: list[Language] = Field(
        default_factory=list, max_length=3, description="Up to 3 languages the text is in.", examples=[["en"]]
    )
    labels: list[Literal["sexual", "nudity", "porn", "graphic-media"]] = Field(
        default_factory=list,
        max_length=4,
        description="What readers are warned of before they see the media.",
        examples=[["graphic-media"]],
    )
    link_card: LinkCard | None = Field(None, description="A card for a link; not together with media.")
    quote_post_id: PostName | None = Field(
        None, description="Show this post below.", examples=["at://did:plc:abc/app.bsky.feed.post/3kabcdefghi2k"]
    )
    reply_to_post_id: PostName | None = Field(
        None, description="Answer this post.", examples=["https://bsky.app/profile/ada.example/post/3kabcdefghi2k"]
    )
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before.",
        examples=[[{"content": "And this is why:"}]],
    )

    @property
    def card_thumbnail(self) -> str | None:
        """Return the address of the card's picture."""
        return self.link_card.thumbnail if self.link_card else None


class BlueskyCredentials(ClientModel):
    """An account's app password and the session that was opened with it, or the tokens of an authorization.

    Given as `{"service": "https://…", "identifier": "…", "password": "…"}`; `accessToken` and `userId` are other names
    for password and identifier. A session is stored and renewed, because a server lets an account open only 30 in 5
    minutes and 300 a day.
    """

    service: ServerAddress = Field(HOSTED, description="The server that holds the account.", examples=[HOSTED])
    user_id: Identifier = Field(
        validation_alias=AliasChoices("identifier", "userId"),
        min_length=1,
        description="The account's handle or DID.",
        examples=["alice.bsky.social"],
    )
    access_token: SecretStr = Field(
        validation_alias=AliasChoices("password", "accessToken"),
        min_length=1,
        description="An app password.",
        examples=["xxxx-xxxx-xxxx-xxxx"],
    )
    client_id: str | None = Field(None, description="Kept by us: the app that its owner has authorized.")
    client_secret: SecretStr | None = Field(
        None, description="Kept by us: the secret of that app, filled in for a request."
    )
    refresh_token: SecretStr | None = Field(None, description="Kept by us: what renews an authorization, once.")
    dpop_key: SecretStr | None = Field(None, description="Kept by us: the key that an authorization is bound to.")
    issuer: str | None = Field(None, description="Kept by us: the server that gave the authorization.")
    access_jwt: SecretStr | None = Field(None, description="Kept by us: what the requests of a session carry.")
    refresh_jwt: SecretStr | None = Field(None, description="Kept by us: what renews a session, once.")
    did: str | None = Field(None, description="Kept by us: the account's permanent name.")
    pds: str | None = Field(None, description="Kept by us: the host that really holds the account.")

    @property
    def is_authorized(self) -> bool:
        """Return whether the account's owner has authorized an app, so that there is no app password."""
        return self.dpop_key is not None


BlueskyConnection = Connection[BlueskyCredentials]
BlueskyContext = PublishContext[BlueskySettings]


ALT_TEXT = 2000
"""The limit of Bluesky's own app (unverified); the lexicons name none."""
IMAGE_BYTES, VIDEO_BYTES = 2_000_000, 300_000_000
"""Source: lexicons app.bsky.embed.images and app.bsky.embed.video; a self-hosted server may take less."""

THUMBNAIL_BYTES = 1_000_000
"""Source: lexicon app.bsky.embed.external."""
IMAGES, MOST_IN_A_ROW = 10, 4
"""Of a gallery, and of a post without one; source: lexicons app.bsky.embed.gallery and images."""
POINTS = 3
"""The most points of an account that making a record costs; source: the page on limits. For putRecord, which we use,
the reference server charges 2."""
_LIMITS = "docs.bsky.app/docs/advanced-guides/rate-limits"

_LEXICONS = "github.com/bluesky-social/atproto lexicons/app/bsky"

_HOST = r"(?:bsky\.app|main\.bsky\.dev|staging\.bsky\.app)"

RULES = Rules(
    post_id=PostId(
        r"at://(?P<owner>did:[a-z]+:[A-Za-z0-9._:%-]{1,256})/app\.bsky\.feed\.post/[A-Za-z0-9._:~-]{1,512}",
        "an address such as at://did:plc:abc/app.bsky.feed.post/3kabcdefghi2k",
        addresses=(
            (
                rf"{_HOST}/profile/(?P<owner>did:[a-z]+:[^/]+)/post/([^/?]+)(?:[/?].*)?",
                r"at://\1/app.bsky.feed.post/\2",
            ),
            # The address names the account by its handle, which may belong to another account tomorrow.
            (rf"{_HOST}/profile/[^/:]+/post/([^/?]+)(?:[/?].*)?", r"at://{user}/app.bsky.feed.post/\1"),
        ),
        without_id=(r"go\.bsky\.app/.+",),
        # The page is named by the account's DID, which stays valid if the handle changes.
        pages=((r"at://(did:[^/]+)/app\.bsky\.feed\.post/(.+)", r"https://bsky.app/profile/\1/post/\2"),),
        owner=lambda user_id: user_id if user_id.startswith("did:") else "",
    ),
    text=TextRule(
        limit=MOST_GRAPHEMES,
        count=graphemes,
        characters_per_unit=MOST_BYTES // MOST_GRAPHEMES,
        source=f"{_LEXICONS}/feed/post.json",
    ),
    media=MediaRule(
        max_items=IMAGES,
        # A GIF would be shown without motion: on Bluesky only videos move.
        max_of=((MediaType.IMAGE, IMAGES), (MediaType.VIDEO, 1)),
        source=f"{_LEXICONS}/embed/images.json, gallery.json, video.json",
    ),
    files=(
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/png", "image/webp"),
            max_bytes=IMAGE_BYTES,
            shrinks=True,
            source=f"{_LEXICONS}/embed/images.json",
        ),
        FileRule(MediaType.VIDEO, ("video/mp4",), max_bytes=VIDEO_BYTES, source=f"{_LEXICONS}/embed/video.json"),
    ),
    alt_text=ALT_TEXT,
    rate_limits=(
        RateLimit(5_000 // POINTS, timedelta(hours=1), source=_LIMITS),
        RateLimit(35_000 // POINTS, timedelta(days=1), source=_LIMITS),
    ),
)
THUMBNAIL = FileRule(
    MediaType.IMAGE,
    ("image/jpeg", "image/png", "image/webp"),
    max_bytes=THUMBNAIL_BYTES,
    shrinks=True,
    source=f"{_LEXICONS}/embed/external.json",
)


def check(label: str, draft: Draft[BlueskySettings], _: AccountFacts) -> list[Violation]:
    """Return everything Bluesky would reject, in the post and in the thread that follows it."""
    violations = _check_one(label, draft.text, draft.media)
    if not draft.text.strip() and not draft.media:
        violations.append(Violation("content", f"{label} needs text or media"))
    if draft.settings.link_card and draft.media:
        violations.append(setting("linkCard", f"{label} shows a link card or media, not both"))
    items = draft.settings.thread_items
    return violations + check_items(label, items, lambda text, media: _check_one(label, text, media))


def cautions(label: str, draft: Draft[BlueskySettings]) -> list[Violation]:
    """Return a warning if a picture is a GIF by its address: it becomes a JPEG."""
    if all(not urlsplit(item.url).path.lower().endswith(".gif") for item in draft.media):
        return []
    return [Violation("mediaItems", f"{label} shows a GIF as a still picture; send a video if it should move", CAUTION)]


def _check_one(label: str, text: str, media: tuple[Media, ...]) -> list[Violation]:
    violations = RULES.check(label, text, media)
    if (size := len(text.encode())) > MOST_BYTES:
        violations.append(Violation("content", f"{label} allows {MOST_BYTES:,} bytes of text; this has {size:,}"))
    return violations
