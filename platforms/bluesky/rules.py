"""Bluesky's limits."""

from datetime import timedelta
from urllib.parse import urlsplit

from domain.post import Media, MediaType
from domain.rate_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.bluesky.settings import BlueskySettings
from platforms.bluesky.text import MOST_BYTES, MOST_GRAPHEMES
from platforms.post_ids import PostId
from platforms.rules import CAUTION, FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.steps.thread import check_items
from platforms.texts.unicode import graphemes

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
