"""Record what was changed about a media file before a platform got it."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.post import MediaChangeKind
from media.decoding.facts import Conversion, MediaFacts


@dataclass(frozen=True, slots=True)
class MediaChange:
    """One change of a file; `detail` is a short phrase for its owner."""

    what: MediaChangeKind
    detail: str


def conversion_changes(facts: MediaFacts, conversion: Conversion) -> tuple[MediaChange, ...]:
    """Return the differences of a picture's new JPEG from the original file."""
    return tuple(_differences(facts, conversion))


def _differences(facts: MediaFacts, conversion: Conversion) -> Iterator[MediaChange]:
    if facts.content_type != "image/jpeg":
        yield MediaChange("converted", f"Converted from {facts.content_type} to image/jpeg")
    if facts.frames > 1:
        yield MediaChange("converted", f"Kept the first of {facts.frames} pictures")
    if (conversion.width, conversion.height) != (facts.width, facts.height):
        yield MediaChange(
            "scaled", f"Scaled from {facts.width} x {facts.height} to {conversion.width} x {conversion.height}"
        )
    yield MediaChange("compressed", f"Compressed as JPEG of quality {conversion.quality}")
