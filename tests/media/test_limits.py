from dataclasses import replace

import pytest

from domain.post import MediaType
from media.decoding.facts import ImageDemand, MediaFacts
from media.limits import check, image_demand
from platforms.errors import ErrorKind, PlatformError
from platforms.rules import FileRule
from tests.media import files

MEBI = 2**20
IMAGE = FileRule(MediaType.IMAGE, ("image/jpeg",), max_bytes=8 * MEBI, min_ratio=0.8, max_ratio=1.91)
VIDEO = FileRule(
    MediaType.VIDEO, ("video/mp4", "video/quicktime"), max_bytes=2_000_000, min_seconds=3, max_seconds=60, min_width=360
)
FACTS = MediaFacts("image/jpeg", 100, 1000, 1000)
CLIP = MediaFacts("video/mp4", 100, 1080, 1920, duration=10)


def refusal(rule: FileRule, facts: MediaFacts) -> PlatformError | None:
    file = replace(files.stored_file(b"x", facts.content_type), size=facts.size)
    try:
        check("Instagram", rule, file, facts)
    except PlatformError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        (IMAGE, replace(FACTS, size=8 * MEBI)),
        (IMAGE, replace(FACTS, width=800)),
        (IMAGE, replace(FACTS, width=1910)),
        (VIDEO, replace(CLIP, size=2_000_000, duration=60)),
        (VIDEO, replace(CLIP, width=360, duration=3)),
        (replace(VIDEO, min_bytes=75_000), replace(CLIP, size=75_000)),
    ],
)
def test_files_at_the_limits_are_accepted(rule: FileRule, facts: MediaFacts) -> None:
    assert refusal(rule, facts) is None


@pytest.mark.parametrize(
    ("rule", "facts", "code", "sentence"),
    [
        (
            IMAGE,
            replace(FACTS, size=int(12.3 * MEBI)),
            "media_too_large",
            "Instagram allows 8 MB for an image; this has 12.3 MB.",
        ),
        (
            IMAGE,
            replace(FACTS, size=8 * MEBI + 1),
            "media_too_large",
            "Instagram allows 8,388,608 bytes for an image; this has 8,388,609.",
        ),
        (
            VIDEO,
            replace(CLIP, size=2_500_000),
            "media_too_large",
            "Instagram allows 2 MB for a video; this has 2.5 MB.",
        ),
        (
            replace(VIDEO, min_bytes=75_000),
            replace(CLIP, size=74_999),
            "media_too_small",
            "Instagram needs at least 75,000 bytes for a video; this has 74,999.",
        ),
        (
            IMAGE,
            replace(FACTS, content_type="image/png"),
            "media_type",
            "Instagram takes image/jpeg for an image; this is image/png.",
        ),
        (
            VIDEO,
            replace(CLIP, content_type="video/webm"),
            "media_type",
            "Instagram takes video/mp4 or video/quicktime for a video; this is video/webm.",
        ),
        (
            IMAGE,
            replace(FACTS, width=700),
            "media_ratio",
            (
                "Instagram allows an image whose width divided by its height is from 0.8 to 1.91; "
                "this is 700 x 1,000 (0.7)."
            ),
        ),
        (
            VIDEO,
            replace(CLIP, duration=60.5),
            "media_too_long",
            "Instagram allows 60 seconds for a video; this has 60.5.",
        ),
        (
            VIDEO,
            replace(CLIP, duration=2.5),
            "media_too_short",
            "Instagram needs at least 3 seconds for a video; this has 2.5.",
        ),
        (
            VIDEO,
            replace(CLIP, width=359),
            "media_dimensions",
            "Instagram needs a video at least 360 pixels wide; this has 359.",
        ),
        (
            replace(VIDEO, max_height=1900),
            CLIP,
            "media_dimensions",
            "Instagram allows a video at most 1,900 pixels high; this has 1,920.",
        ),
    ],
)
def test_refusals_name_platform_limit_and_actual_value(
    rule: FileRule, facts: MediaFacts, code: str, sentence: str
) -> None:
    error = refusal(rule, facts)
    assert error is not None
    assert (error.kind, error.code, error.message) == (ErrorKind.REJECTED, code, sentence)


def test_too_many_bytes_alone_change_no_picture_unless_the_rule_says_so() -> None:
    large = replace(FACTS, size=9 * MEBI)
    assert image_demand(IMAGE, large) is None
    shrunk = image_demand(replace(IMAGE, shrinks=True), large)
    assert shrunk is not None
    assert shrunk.max_bytes == 8 * MEBI


def test_another_type_and_longer_sides_demand_a_conversion_that_fits_the_bytes() -> None:
    for rule, facts in (
        (IMAGE, replace(FACTS, content_type="image/heic")),
        (replace(IMAGE, max_width=999), FACTS),
        (replace(IMAGE, max_height=999), FACTS),
    ):
        demand = image_demand(rule, facts)
        assert demand is not None
        assert demand.max_bytes == 8 * MEBI
    assert image_demand(replace(IMAGE, max_width=1000, max_height=1000), FACTS) is None


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(1254, 1254, (1080, 1080)), (1086, 1448, (1080, 1440)), (941, 1672, (941, 1672)), (3000, 1000, (1920, 640))],
)
def test_a_limit_of_the_shorter_side_holds_for_every_shape(width: int, height: int, box: tuple[int, int]) -> None:
    demand = ImageDemand(max_shorter=1080, max_longer=1920)
    assert demand.box(width, height) == box
