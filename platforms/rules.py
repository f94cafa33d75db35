"""A platform's limits as data, and the sentences that say which one is broken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from domain.codes import ProblemCode
from domain.post import Media, MediaType
from domain.request_limits import RateLimit
from domain.workspaces import MAX_TEXT
from platforms.post_ids import PostId

RequestField = Literal["content", "mediaItems", "platformSpecificData"]

_PLURAL = {MediaType.IMAGE: "images", MediaType.VIDEO: "videos", MediaType.GIF: "GIFs", MediaType.DOCUMENT: "documents"}


def _counted(count: int, kind: MediaType) -> str:
    return f"{count} {_PLURAL[kind] if count != 1 else _PLURAL[kind].removesuffix('s')}"


@dataclass(frozen=True, slots=True)
class Violation:
    """The part of a post that breaks a platform's rule; `path` continues inside platformSpecificData."""

    part: RequestField
    error: str
    code: ProblemCode = "invalid_field_value"
    path: tuple[str | int, ...] = ()


def setting(where: str | tuple[str | int, ...], error: str, *, missing: bool = False) -> Violation:
    """Return a violation by a setting: the one of this name, or the one at the end of this path."""
    code: ProblemCode = "missing_required_field" if missing else "invalid_field_value"
    return Violation("platformSpecificData", error, code, (where,) if isinstance(where, str) else where)


CAUTION: ProblemCode = "platform_caution"


def caution(where: str, warning: str) -> Violation:
    """Return a warning about the effect of a setting of this name, although it breaks no rule."""
    return Violation("platformSpecificData", warning, CAUTION, (where,))


@dataclass(frozen=True, slots=True)
class TextRule:
    """A limit of a text to `limit` units, as `count` counts them; `premium_limit` is for paying accounts.

    `with_media` holds the limits of a text together with media of a kind, if they differ.
    """

    limit: int
    count: Callable[[str], int]
    unit: str = "characters"
    premium_limit: int | None = None
    with_media: tuple[tuple[MediaType, int], ...] = ()
    characters_per_unit: int | None = None
    """Set if counting is expensive: a text with more characters per unit than this is refused without counting."""
    source: str = ""

    def check(self, label: str, text: str, media: tuple[Media, ...] = (), *, premium: bool = False) -> list[Violation]:
        """Return a violation if the text is too long for the media that it comes with."""
        limit, where = self.premium_limit if premium and self.premium_limit else self.limit, ""
        kinds = {item.type for item in media}
        if fewer := [(most, kind) for kind, most in self.with_media if kind in kinds]:
            limit, kind = min(fewer)
            where = f" beside {_PLURAL[kind]}"
        most = MAX_TEXT if self.characters_per_unit is None else min(limit * self.characters_per_unit, MAX_TEXT)
        if len(text) > most:
            excess = f"this has {len(text):,} characters, more than can be counted"
            return [Violation("content", f"{label} allows {limit:,} {self.unit}{where}; {excess}")]
        length = self.count(text)
        if length <= limit:
            return []
        return [Violation("content", f"{label} allows {limit:,} {self.unit}{where}; this has {length:,}")]


@dataclass(frozen=True, slots=True)
class MediaRule:
    """The limits of how many media items of each kind one post takes, and whether kinds may be mixed."""

    required: bool = False
    max_items: int = 1
    max_of: tuple[tuple[MediaType, int], ...] = ()
    mixes: bool = False
    source: str = ""

    def check(self, label: str, media: tuple[Media, ...]) -> list[Violation]:
        """Return a violation for each limit that the media break."""
        if not media:
            return [Violation("mediaItems", f"{label} requires media for all posts")] if self.required else []
        allowed = dict(self.max_of)
        violations: list[Violation] = []
        for kind in MediaType:
            count = sum(item.type is kind for item in media)
            if count and kind not in allowed:
                violations.append(Violation("mediaItems", f"{label} does not take {_PLURAL[kind]}"))
            elif count > allowed.get(kind, 0):
                most = _counted(allowed[kind], kind)
                violations.append(Violation("mediaItems", f"{label} allows {most} in a post; this has {count}"))
        if not self.mixes and len({item.type for item in media}) > 1:
            violations.append(Violation("mediaItems", f"{label} does not mix images, videos and GIFs in one post"))
        if not violations and len(media) > self.max_items:
            violations.append(
                Violation("mediaItems", f"{label} allows {self.max_items} media items in a post; this has {len(media)}")
            )
        return violations


@dataclass(frozen=True, slots=True)
class FileRule:
    """The limits of one kind of media file: sizes in bytes, durations in seconds, sides in pixels, ratios width/height.

    `types` are the MIME types that the platform takes. Images of other types are converted to JPEG, and images with
    longer sides are scaled down.
    """

    kind: MediaType
    types: tuple[str, ...]
    min_bytes: int | None = None
    max_bytes: int | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    max_shorter: int | None = None
    max_longer: int | None = None
    """The limits of the shorter and of the longer side, whichever side that is."""
    min_ratio: float | None = None
    max_ratio: float | None = None
    same_sides: bool = False
    """Whether the images of one post must all have the same sides. They are scaled to the smallest one's, and refused
    if their shapes differ."""
    shrinks: bool = False
    """Whether an image of too many bytes is compressed until it fits instead of being refused."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All limits of a platform."""

    text: TextRule
    media: MediaRule
    post_id: PostId
    """The accepted form of a post's id: it becomes part of the addresses of requests to the platform."""
    files: tuple[FileRule, ...] = ()
    alt_text: int | None = None
    """Characters of a media item's altText; None if the platform takes none."""
    rate_limits: tuple[RateLimit, ...] = ()
    """How often an account may publish, if the documentation says so and responses report no quota."""
    refuses_repeats: bool = False
    """Whether it refuses a post with the text of an earlier one of the account (its errors with the code DUPLICATE)."""
    prepare_rate_limits: tuple[RateLimit, ...] = ()
    """How often an account may begin to upload or build a post."""

    def check(self, label: str, text: str, media: tuple[Media, ...], *, premium: bool = False) -> list[Violation]:
        """Return everything in text and media that breaks a limit."""
        violations = self.text.check(label, text, media, premium=premium) + self.media.check(label, media)
        for item in media:
            if self.alt_text is not None and item.alt_text and len(item.alt_text) > self.alt_text:
                error = f"{label} allows {self.alt_text:,} characters of alt text; this has {len(item.alt_text):,}"
                violations.append(Violation("mediaItems", error))
        return violations
