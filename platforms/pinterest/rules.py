"""Pinterest's settings and limits, and what does not go together in one pin."""

from dataclasses import replace

from pydantic import Field

from domain.post import MediaType
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import Digits, WebAddress


class PinterestSettings(ClientModel):
    """The board and the texts of a pin. The limits are those of PinCreate in Pinterest's API document."""

    board_id: Digits = Field(description="The board that takes the pin.", examples=["549755885175"])
    board_section_id: Digits | None = Field(None, description="A section of that board.", examples=["549755885176"])
    title: str | None = Field(
        None, min_length=1, max_length=100, description="Up to 100 characters.", examples=["Ten knots to know"]
    )
    link: WebAddress | None = Field(
        None,
        description="The address that the pin links to, up to 2,048 characters.",
        examples=["https://example.com/knots"],
    )
    cover_image_url: WebAddress | None = Field(
        None, description="A video's cover.", examples=["https://cdn.example.com/cover.jpg"]
    )
    cover_image_key_frame_time: int | None = Field(
        None,
        ge=0,
        description="The moment of a video that becomes its cover, in seconds; the first if none is given.",
        examples=[3],
    )


class PinterestCredentials(OAuthCredentials):
    """A user's token (30 days) and its refresh token (60 days, used once: each renewal brings another)."""


_DOCUMENT = "Pinterest's OpenAPI document v5 (5.23.0)"

CAROUSEL = 5
ALT_TEXT = 500
"""Characters of the one alt text that a pin has; source: PinCreate."""
IMAGE_BYTES, VIDEO_BYTES = 20 * 1024 * 1024, 2 * 1024**3
VIDEO_SECONDS = (4, 900)
"""General knowledge, unverified, like that GIFs are accepted by URL."""

RULES = Rules(
    post_id=PostId(
        r"[0-9]{1,32}",
        addresses=(
            (
                r"(?:[a-z]+\.)?pinterest\.(?:com?\.[a-z]{2}|com|[a-z]{2})/pin/(?:[^/?]*--)?([0-9]+)(?:[/?].*)?",
                r"\1",
            ),
        ),
        without_id=(r"pin\.it/.+",),
        pages=((r".+", r"https://www.pinterest.com/pin/\g<0>/"),),
    ),
    text=TextRule(limit=800, count=len, source=f"{_DOCUMENT}, PinCreate.description"),
    media=MediaRule(
        required=True,
        max_items=CAROUSEL,
        max_of=((MediaType.IMAGE, CAROUSEL), (MediaType.GIF, 1), (MediaType.VIDEO, 1)),
        source=f"{_DOCUMENT}, PinMediaSourceImagesURL.items",
    ),
    files=(
        FileRule(
            MediaType.IMAGE, ("image/jpeg", "image/png", "image/webp"), max_bytes=IMAGE_BYTES, source="unverified"
        ),
        FileRule(MediaType.GIF, ("image/gif",), max_bytes=IMAGE_BYTES, source="unverified"),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime"),
            max_bytes=VIDEO_BYTES,
            min_seconds=VIDEO_SECONDS[0],
            max_seconds=VIDEO_SECONDS[1],
            min_ratio=1 / 2,
            max_ratio=1.91,
            source="unverified",
        ),
    ),
    alt_text=ALT_TEXT,
)
COVER = FileRule(
    MediaType.IMAGE,
    ("image/jpeg", "image/png", "image/webp"),
    max_bytes=IMAGE_BYTES,
    source="as for images, unverified",
)


def file_rules(draft: Draft[PinterestSettings]) -> tuple[FileRule, ...]:
    """Return the rules for the files of a draft: several images must have the same sides.

    Ayrshare's guidelines and publishers in production say so; others demand only the same aspect ratio.
    """
    if len(draft.media) < 2:
        return RULES.files
    return tuple(replace(rule, same_sides=True) for rule in RULES.files)


def check(label: str, draft: Draft[PinterestSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Pinterest would reject."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    if len(draft.media) > 1 and (alt_text := joined_alt_text(draft)) and len(alt_text) > ALT_TEXT:
        error = f"{label} allows {ALT_TEXT} characters of alt text in a pin; this has {len(alt_text):,}"
        violations.append(Violation("mediaItems", error))
    covers = {"coverImageUrl": settings.cover_image_url, "coverImageKeyFrameTime": settings.cover_image_key_frame_time}
    names = [name for name, value in covers.items() if value is not None]
    if not any(item.type is MediaType.VIDEO for item in draft.media):
        violations += [setting(name, f"{label} takes {name} only with a video") for name in names]
    elif len(names) > 1:
        violations.append(setting(names[1], f"A video has one cover; give {names[0]} or {names[1]}"))
    return violations


def joined_alt_text(draft: Draft[PinterestSettings]) -> str | None:
    """Return the alt text of the pin as a whole: that of its media, one per line."""
    return "\n".join(item.alt_text for item in draft.media if item.alt_text) or None
