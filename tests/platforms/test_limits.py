"""The limits of each platform on media and texts, tested from both sides."""

from dataclasses import dataclass
from typing import Any

import pytest

from domain.post import MediaType
from platforms.registry import platforms
from tests.platforms.drafts import broken


@dataclass(frozen=True)
class Limits:
    """The media that one platform takes, as letters, and the most characters of a text and of an alt text."""

    taken: tuple[str, ...]
    refused: tuple[str, ...]
    text: int
    alt_text: int | None = None


LIMITS = {
    "bluesky": Limits(("", "i" * 10, "v"), ("i" * 11, "vv", "vi", "g"), 300, 2000),
    "discord": Limits(("", "i", "v", "g", "ivg", "i" * 10), ("i" * 6 + "v" * 5,), 2000, 1024),
    "facebook": Limits(("", "i" * 10, "g", "v"), ("i" * 11, "vv", "iv"), 63_206, 1000),
    "googlebusiness": Limits(("", "i"), ("ii", "v", "g", "iv"), 1500),
    "instagram": Limits(("i", "iv", "v", "i" * 10), ("", "g", "i" * 11, "i" * 6 + "v" * 5), 2200, 1000),
    "linkedin": Limits(("", "i" * 20, "g", "v", "d"), ("i" * 21, "vv", "dd", "iv", "id"), 3000, 4086),
    "mastodon": Limits(("", "iiig", "v"), ("i" * 5, "iiigg", "vi", "vv"), 500, 1500),
    "pinterest": Limits(("i" * 5, "g", "v"), ("", "i" * 6, "gg", "vv", "d", "iv"), 800, 500),
    "reddit": Limits(("", "i" * 20, "g"), ("i" * 21, "gg", "v", "d", "ig"), 40_000),
    "telegram": Limits(
        ("", "i", "v", "g", "d", "iv", "i" * 10, "v" * 10, "d" * 10),
        ("i" * 11, "i" * 6 + "v" * 5, "gg", "ig", "id", "d" * 11),
        4096,
    ),
    "threads": Limits(("", "i" * 19 + "v"), ("i" * 21, "i" * 11 + "v" * 10, "g"), 500, 1000),
    "tiktok": Limits(("v", "i" * 35), ("", "i" * 36, "vv", "vi", "g"), 2200),
    "twitter": Limits(("", "i" * 4, "g", "v"), ("i" * 5, "gg", "vv", "iv", "ig"), 280, 1000),
    "youtube": Limits(("v",), ("", "vv", "i", "vi"), 5000),
}
TITLED: dict[str, dict[str, Any]] = {"reddit": {"title": "A title"}, "youtube": {"title": "A title"}}
"""Settings without which the first line of the text would be a title, with limits of its own."""
assert LIMITS.keys() == platforms().keys()


@pytest.mark.parametrize("name", LIMITS)
def test_the_number_of_media_of_each_kind_is_limited(name: str) -> None:
    for kinds in LIMITS[name].taken:
        assert broken(name, "Hi", kinds) == [], kinds
    for kinds in LIMITS[name].refused:
        assert {where for where, _ in broken(name, "Hi", kinds)} == {"mediaItems"}, kinds


@pytest.mark.parametrize("name", LIMITS)
def test_the_length_of_a_text_is_limited_and_the_error_names_the_limit(name: str) -> None:
    limit, kinds, titled = LIMITS[name].text, LIMITS[name].taken[0], TITLED.get(name, {})
    assert broken(name, "x" * limit, kinds, **titled) == []
    [(where, error)] = broken(name, "x" * (limit + 1), kinds, **titled)
    assert where == "content"
    assert error.startswith(f"{platforms()[name].label} allows {limit:,} ")
    assert error.endswith(f"this has {limit + 1:,}")


@pytest.mark.parametrize("name", [name for name, limits in LIMITS.items() if limits.alt_text])
def test_the_length_of_an_alt_text_is_limited(name: str) -> None:
    limit = LIMITS[name].alt_text or 0
    assert broken(name, "Hi", "i", alt_text="x" * limit) == []
    [(where, error)] = broken(name, "Hi", "i", alt_text="x" * (limit + 1))
    assert (where, f"allows {limit:,} characters of alt text" in error) == ("mediaItems", True)


@pytest.mark.parametrize("name", [name for name, limits in LIMITS.items() if "" in limits.taken])
def test_a_post_needs_text_or_media(name: str) -> None:
    for text in ("", " \n"):
        assert [where for where, _ in broken(name, text)] == ["content"]


@pytest.mark.parametrize(
    ("name", "kind", "least", "most"),
    [
        ("facebook", MediaType.IMAGE, None, 4 * 2**20),
        ("facebook", MediaType.GIF, None, 10 * 2**20),
        ("googlebusiness", MediaType.IMAGE, 10_000, None),
    ],
)
def test_a_picture_has_a_size_that_the_platform_takes(
    name: str, kind: MediaType, least: int | None, most: int | None
) -> None:
    [rule] = [rule for rule in platforms()[name].rules.files if rule.kind is kind]
    assert least in {None, rule.min_bytes}
    assert most in {None, rule.max_bytes}
