"""Facebook's limits from both sides, and the allowed combinations of settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.facebook import PLATFORM
from platforms.facebook.rules import ALT_TEXT, TEXT
from platforms.facebook.settings import FacebookSettings

PAGE = AccountFacts("fb_1755", "1755", "page")


def media(kinds: str, alt_text: str | None = None) -> tuple[Media, ...]:
    known = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF}
    return tuple(Media(type=known[kind], url="https://example.com/a", alt_text=alt_text) for kind in kinds)


def broken(text: str = "Hi", kinds: str = "", alt_text: str | None = None, **settings: Any) -> list[tuple[str, str]]:
    draft = Draft(text, media(kinds, alt_text), FacebookSettings.model_validate(settings))
    return [(found.error, ".".join(map(str, found.path)) or found.part) for found in PLATFORM.check(draft, PAGE)]


@pytest.mark.parametrize(
    ("kinds", "settings"),
    [
        ("", {}),
        ("", {"link": "https://example.com/a", "firstComment": "first"}),
        ("i" * 10, {}),
        ("g", {}),
        ("v", {"title": "Waves"}),
        ("v", {"contentType": "reel", "title": "Waves", "firstComment": "first", "draft": False}),
        ("v", {"contentType": "story"}),
        ("i", {"contentType": "story"}),
        ("", {"pageId": "1755", "draft": True}),
    ],
)
def test_valid_drafts_are_accepted(kinds: str, settings: dict[str, Any]) -> None:
    assert broken("x" * TEXT, kinds, "a" * ALT_TEXT, **settings) == []


@pytest.mark.parametrize(
    ("kinds", "settings", "where"),
    [
        ("i" * 11, {}, "mediaItems"),
        ("vv", {}, "mediaItems"),
        ("iv", {}, "mediaItems"),
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
    assert [found for _, found in broken("Hi", kinds, **settings)] == [where]


def test_the_sentences_name_the_limit() -> None:
    assert broken("x" * (TEXT + 1)) == [("Facebook allows 63,206 characters; this has 63,207", "content")]
    assert broken("", "") == [("Facebook needs text, a link or media", "content")]
    assert broken("", "", link="https://example.com") == []
    assert broken("Hi", "i", "a" * 1001)[0][0] == "Facebook allows 1,000 characters of alt text; this has 1,001"


def test_a_storys_text_is_never_sent() -> None:
    assert broken("x" * (TEXT + 1), "i", contentType="story") == []


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
    draft = Draft("Hi", media("v"), FacebookSettings.model_validate(settings))
    [rule] = [rule for rule in PLATFORM.file_rules(draft, PAGE) if rule.kind is MediaType.VIDEO]
    assert (rule.min_seconds, rule.max_seconds) == seconds
    assert (rule.min_ratio is not None) is (ratio is not None)
    if ratio:
        assert (rule.min_ratio or 9) <= ratio <= (rule.max_ratio or 0)
        assert (rule.min_width, rule.min_height) == (540, 960)


def test_a_page_that_is_not_known_yet_is_not_held_against_the_setting() -> None:
    draft = Draft("Hi", (), FacebookSettings.model_validate({"pageId": "99"}))
    assert PLATFORM.check(draft, AccountFacts("fb_1", "", "")) == []


@pytest.mark.parametrize(
    "settings",
    [{"contentType": "post"}, {"first_comments": "x"}, {"pageId": "me"}, {"link": "example.com"}, {"title": ""}],
)
def test_refuses_unknown_and_wrong_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FacebookSettings.model_validate(settings)
