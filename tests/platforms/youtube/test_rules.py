"""YouTube's limits from both sides, and the metadata of a video."""

from typing import Any

import pytest

from platforms.base import AccountFacts
from platforms.youtube.fields import video_body
from platforms.youtube.rules import tags_length, title_of
from tests.platforms.drafts import broken, draft

CHANNEL = AccountFacts("yt_1", "UC1", "channel")


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
    assert broken("youtube", text, "v", **settings) == []


@pytest.mark.parametrize(
    ("text", "kinds", "settings", "where"),
    [
        ("x" * 5001, "v", {}, "content"),
        ("é" * 2501, "v", {}, "content"),
        ("a < b", "v", {}, "content"),
        ("Hi", "v", {"visibility": "private", "firstComment": "first"}, "firstComment"),
        ("Hi", "v", {"madeForKids": True, "firstComment": "first"}, "firstComment"),
        (" \n ", "v", {}, "title"),
        ("Hi", "v", {"tags": ["x" * 250, "y" * 250]}, "tags"),
        ("Hi", "v", {"tags": ["x x" + "x" * 496]}, "tags"),
    ],
)
def test_invalid_drafts_are_refused(text: str, kinds: str, settings: dict[str, Any], where: str) -> None:
    assert {found for found, _ in broken("youtube", text, kinds, **settings)} == {where}


def test_the_sentences_name_the_limit() -> None:
    assert (
        broken("youtube", "x" * 5001, "v")[0][1]
        == "YouTube allows 5,000 bytes in a video's description; this has 5,001"
    )
    assert broken("youtube")[0][1] == "YouTube requires media for all posts"


def test_the_first_line_is_the_title_where_none_is_given() -> None:
    assert title_of(draft("youtube", "\n  Waves \nand more")) == "Waves"
    assert title_of(draft("youtube", "w" * 99 + " more words")) == "w" * 99
    assert title_of(draft("youtube", "Waves", title="Other")) == "Other"


def test_tags_count_as_youtube_counts_them() -> None:
    assert tags_length([]) == 0
    assert tags_length(["one", "two three"]) == 3 + 1 + 11


def test_a_video_gets_only_the_given_fields() -> None:
    assert video_body(draft("youtube", "Waves")) == {
        "snippet": {"title": "Waves", "description": "Waves", "categoryId": "22"},
        "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
    }
