"""YouTube's limits from both sides, and the metadata of a video."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.youtube import PLATFORM
from platforms.youtube.fields import video_body
from platforms.youtube.rules import tags_length, title_of
from platforms.youtube.settings import YouTubeSettings

CHANNEL = AccountFacts("yt_1", "UC1", "channel")


def draft_of(text: str, kinds: str = "v", **settings: Any) -> Draft[YouTubeSettings]:
    known = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF}
    media = tuple(Media(type=known[kind], url=f"https://example.com/{kind}") for kind in kinds)
    return Draft(text, media, YouTubeSettings.model_validate(settings))


def broken(text: str, kinds: str = "v", **settings: Any) -> list[tuple[str, str]]:
    found = PLATFORM.check(draft_of(text, kinds, **settings), CHANNEL)
    return [(each.error, ".".join(map(str, each.path)) or each.part) for each in found]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("x" * 5000, {}),
        ("é" * 2500, {"title": "t" * 100}),
        ("", {"title": "Waves"}),
        ("Hi", {"tags": ["x" * 250, "y" * 249]}),
        ("Hi", {"visibility": "private", "categoryId": "1", "madeForKids": True}),
    ],
)
def test_valid_drafts_are_accepted(text: str, settings: dict[str, Any]) -> None:
    assert broken(text, **settings) == []


@pytest.mark.parametrize(
    ("text", "kinds", "settings", "where"),
    [
        ("x" * 5001, "v", {}, "content"),
        ("é" * 2501, "v", {}, "content"),
        ("a < b", "v", {}, "content"),
        ("Hi", "", {}, "mediaItems"),
        ("Hi", "vv", {}, "mediaItems"),
        ("Hi", "i", {}, "mediaItems"),
        ("Hi", "v", {"visibility": "private", "firstComment": "first"}, "firstComment"),
        ("Hi", "v", {"madeForKids": True, "firstComment": "first"}, "firstComment"),
        ("Hi", "vi", {}, "mediaItems"),
        (" \n ", "v", {}, "title"),
        ("Hi", "v", {"tags": ["x" * 250, "y" * 250]}, "tags"),
        ("Hi", "v", {"tags": ["x x" + "x" * 496]}, "tags"),
    ],
)
def test_invalid_drafts_are_refused(text: str, kinds: str, settings: dict[str, Any], where: str) -> None:
    assert {found for _, found in broken(text, kinds, **settings)} == {where}


def test_the_sentences_name_the_limit() -> None:
    assert broken("x" * 5001)[0][0] == "YouTube allows 5,000 bytes in a video's description; this has 5,001"
    assert broken("Hi", "")[0][0] == "YouTube requires media for all posts"


@pytest.mark.parametrize(
    "settings",
    [
        {"title": "t" * 101},
        {"title": "a<b"},
        {"title": " "},
        {"visibility": "secret"},
        {"tags": ["a,b"]},
        {"tags": [""]},
        {"categoryId": "music"},
        {"privacy": "public"},
    ],
)
def test_refuses_unknown_and_wrong_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        YouTubeSettings.model_validate(settings)


def test_the_first_line_is_the_title_where_none_is_given() -> None:
    assert title_of(draft_of("\n  Waves \nand more")) == "Waves"
    assert title_of(draft_of("w" * 99 + " more words")) == "w" * 99
    assert title_of(draft_of("Waves", title="Other")) == "Other"


def test_tags_count_as_youtube_counts_them() -> None:
    assert tags_length([]) == 0
    assert tags_length(["one", "two three"]) == 3 + 1 + 11


def test_a_video_gets_only_the_given_fields() -> None:
    assert video_body(draft_of("Waves")) == {
        "snippet": {"title": "Waves", "description": "Waves", "categoryId": "22"},
        "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
    }
