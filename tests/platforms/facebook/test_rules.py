"""Facebook's limits from both sides, and the allowed combinations of settings."""

from typing import Any

import pytest

from domain.post import MediaType
from platforms.base import AccountFacts
from platforms.facebook import PLATFORM
from platforms.facebook.rules import TEXT
from tests.platforms.drafts import broken, draft

PAGE = AccountFacts("fb_1755", "1755", "page")


@pytest.mark.parametrize(
    ("kinds", "settings"),
    [
        ("", {"link": "https://example.com/a", "firstComment": "first"}),
        ("v", {"title": "Waves"}),
        ("v", {"contentType": "reel", "title": "Waves", "firstComment": "first", "draft": False}),
        ("v", {"contentType": "story"}),
        ("i", {"contentType": "story"}),
        ("", {"pageId": "1755", "draft": True}),
    ],
)
def test_valid_drafts_are_accepted(kinds: str, settings: dict[str, Any]) -> None:
    assert broken("facebook", "Hi", kinds, account=PAGE, **settings) == []


@pytest.mark.parametrize(
    ("kinds", "settings", "where"),
    [
        ("i", {"contentType": "reel"}, "mediaItems"),
        ("", {"contentType": "reel"}, "mediaItems"),
        ("ii", {"contentType": "story"}, "mediaItems"),
        ("", {"contentType": "story"}, "mediaItems"),
        ("i", {"link": "https://example.com/a"}, "link"),
        ("i", {"title": "Waves"}, "title"),
        ("v", {"title": "Waves", "contentType": "story"}, "title"),
        ("i", {"contentType": "story", "firstComment": "first"}, "firstComment"),
        ("i", {"contentType": "story", "draft": True}, "draft"),
        ("", {"draft": True, "firstComment": "first"}, "firstComment"),
        ("", {"pageId": "99"}, "pageId"),
    ],
)
def test_invalid_drafts_are_refused(kinds: str, settings: dict[str, Any], where: str) -> None:
    assert [found for found, _ in broken("facebook", "Hi", kinds, account=PAGE, **settings)] == [where]


def test_a_link_alone_is_a_post() -> None:
    assert broken("facebook", "") == [("content", "Facebook needs text, a link or media")]
    assert broken("facebook", "", link="https://example.com") == []


def test_a_storys_text_is_never_sent() -> None:
    assert broken("facebook", "x" * (TEXT + 1), "i", contentType="story") == []


def test_pictures_have_the_sizes_that_facebook_takes() -> None:
    sizes = {rule.kind: rule.max_bytes for rule in PLATFORM.rules.files}
    assert (sizes[MediaType.IMAGE], sizes[MediaType.GIF]) == (4 * 1024 * 1024, 10 * 1024 * 1024)


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


def test_a_page_that_is_not_known_yet_is_not_held_against_the_setting() -> None:
    assert broken("facebook", pageId="99", account=AccountFacts("fb_1", "", "")) == []
