"""Facts found about files, demands of platforms on them, and reasons why work on them ends."""

import math
from dataclasses import dataclass

_MAX_SIDE = 2**31
_MAX_WORD = 64
MAX_PIXELS = 120_000_000
"""Above every phone's usual photo (108 megapixels); decoded, such a picture takes 360 MB."""


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """The measured properties of a file. Width and height are in pixels as displayed, turned upright."""

    content_type: str
    size: int
    width: int
    height: int
    frames: int = 1
    """Pictures of an image: more than one if it moves. Not counted in videos."""
    duration: float | None = None
    """Seconds; None for a still image."""
    fps: float | None = None
    video_codec: str | None = None
    """FFmpeg's names, `h264` and the like."""
    audio_codec: str | None = None
    is_on_its_side: bool = False
    """An image that is displayed turned by a quarter, as its EXIF says: in the file its width is its height."""

    def __post_init__(self) -> None:
        """Raise ValueError for impossible facts: if a file has taken over its decoder, the answer may be anything."""
        amounts = (self.duration or 0.0, self.fps or 0.0)
        words = (self.video_codec or "", self.audio_codec or "")
        if not (0 < self.width <= _MAX_SIDE and 0 < self.height <= _MAX_SIDE and self.frames > 0 and self.size >= 0):
            raise ValueError("a picture cannot have such sides")
        if not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
            raise ValueError("a video cannot have such a length or rate")
        if any(len(word) > _MAX_WORD or not word.isprintable() for word in words):
            raise ValueError("a codec cannot have such a name")

    @property
    def ratio(self) -> float:
        """Return width over height."""
        return self.width / self.height


@dataclass(frozen=True, slots=True)
class ImageDemand:
    """The images that a platform accepts: types (JPEG among them), bytes, and sides in pixels as displayed."""

    content_types: tuple[str, ...] = ("image/jpeg",)
    max_bytes: int | None = None
    max_width: int | None = None
    max_height: int | None = None
    max_shorter: int | None = None
    max_longer: int | None = None
    width: int | None = None
    height: int | None = None
    """Exactly these sides, if both are given; the limits do not count then."""

    def is_met_by(self, facts: MediaFacts) -> bool:
        """Return whether a file can be sent as it is."""
        return (
            facts.content_type in self.content_types
            and (self.max_bytes is None or facts.size <= self.max_bytes)
            and self.box(facts.width, facts.height) == (facts.width, facts.height)
        )

    def box(self, width: int, height: int) -> tuple[int, int]:
        """Return the sides that are demanded, else the largest within the limits that keep the picture's shape."""
        if self.width and self.height:
            return self.width, self.height
        shorter, longer = sorted((width, height))
        scale = min(
            1,
            (self.max_width or width) / width,
            (self.max_height or height) / height,
            (self.max_shorter or shorter) / shorter,
            (self.max_longer or longer) / longer,
        )
        return max(1, int(width * scale)), max(1, int(height * scale))


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion: the new size and JPEG quality."""

    width: int
    height: int
    quality: int

    def __post_init__(self) -> None:
        """Raise ValueError for an impossible size or quality."""
        if not (0 < self.width <= _MAX_SIDE and 0 < self.height <= _MAX_SIDE and 0 < self.quality <= 100):
            raise ValueError("a picture cannot be so")


@dataclass(frozen=True, slots=True)
class Examined:
    """The properties of a file and the names of the metadata that were removed; without any there is no copy."""

    facts: MediaFacts
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for words that no reader of ours uses."""
        if len(self.removed) > _MAX_WORD or any(
            len(word) > _MAX_WORD or not word.isprintable() for word in self.removed
        ):
            raise ValueError("nothing is called so")


class Undecodable(Exception):
    """A file is damaged, or not what it seems."""


class TooManyPixels(Exception):
    """A picture has more pixels than its one argument."""


class TooManyBytes(Exception):
    """A picture cannot be brought below the bytes in its one argument."""
