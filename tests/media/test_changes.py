import pytest

from media.changes import MediaChange, conversion_changes
from media.decoding.facts import Conversion, MediaFacts

QUALITY = MediaChange("compressed", "Compressed as JPEG of quality 90")


@pytest.mark.parametrize(
    ("facts", "sides", "changes"),
    [
        (MediaFacts("image/jpeg", 9, 60, 40), (60, 40), (QUALITY,)),
        (
            MediaFacts("image/png", 9, 60, 40),
            (60, 40),
            (MediaChange("converted", "Converted from image/png to image/jpeg"), QUALITY),
        ),
        (
            MediaFacts("image/gif", 9, 60, 40, frames=3),
            (30, 20),
            (
                MediaChange("converted", "Converted from image/gif to image/jpeg"),
                MediaChange("converted", "Kept the first of 3 pictures"),
                MediaChange("scaled", "Scaled from 60 x 40 to 30 x 20"),
                QUALITY,
            ),
        ),
    ],
)
def test_every_difference_is_recorded(
    facts: MediaFacts, sides: tuple[int, int], changes: tuple[MediaChange, ...]
) -> None:
    assert conversion_changes(facts, Conversion(*sides, quality=90)) == changes
