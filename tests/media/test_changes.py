import pytest

from media.changes import Change, conversion_changes
from media.decoding.facts import Conversion, MediaFacts

QUALITY = Change("compressed", "Compressed as JPEG of quality 90")


@pytest.mark.parametrize(
    ("facts", "made", "changes"),
    [
        (MediaFacts("image/jpeg", 9, 60, 40), (60, 40), (QUALITY,)),
        (
            MediaFacts("image/png", 9, 60, 40),
            (60, 40),
            (Change("converted", "Converted from image/png to image/jpeg"), QUALITY),
        ),
        (
            MediaFacts("image/gif", 9, 60, 40, frames=3),
            (30, 20),
            (
                Change("converted", "Converted from image/gif to image/jpeg"),
                Change("converted", "Kept the first of 3 pictures"),
                Change("scaled", "Scaled from 60 x 40 to 30 x 20"),
                QUALITY,
            ),
        ),
    ],
)
def test_every_difference_is_told(facts: MediaFacts, made: tuple[int, int], changes: tuple[Change, ...]) -> None:
    assert conversion_changes(facts, Conversion(*made, quality=90)) == changes
