"""The videos that each form of a Facebook post takes."""

from typing import Any

import pytest

from domain.post import MediaType
from platforms.base import AccountFacts
from platforms.facebook import PLATFORM
from tests.platforms.drafts import draft

PAGE = AccountFacts("fb_1755", "1755", "page")


@pytest.mark.parametrize(
    ("settings", "seconds", "ratio"),
    [
        ({}, (None, 14_400), None),
        ({"contentType": "reel"}, (3, 90), 9 / 16),
        ({"contentType": "story"}, (None, 60), None),
    ],
)
def test_videos_have_the_limits_of_their_form(
    settings: dict[str, Any], seconds: tuple[float | None, float], ratio: float | None
) -> None:
    video = draft("facebook", kinds="v", **settings)
    [rule] = [rule for rule in PLATFORM.file_rules(video, PAGE) if rule.kind is MediaType.VIDEO]
    assert (rule.min_seconds, rule.max_seconds) == seconds
    assert (rule.min_ratio is not None) is (ratio is not None)
    if ratio:
        assert (rule.min_ratio or 9) <= ratio <= (rule.max_ratio or 0)
        assert (rule.min_width, rule.min_height) == (540, 960)
