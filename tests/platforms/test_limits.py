"""The posts that platforms' rules take and refuse before a request, and the versions of APIs that end."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from domain.post import MediaType
from platforms.instagram import rules as instagram
from platforms.instagram.rules import InstagramPostType
from platforms.reddit import rules as reddit
from platforms.reddit.rules import RedditPostType
from platforms.registry import WARN_AHEAD, announced_ends, ending_versions, platforms
from tests.platforms.drafts import ACCOUNT, TAKEN, broken, draft
from tests.platforms.drafts_refused import REFUSED


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


@pytest.mark.parametrize("name", LIMITS)
def test_refused_media_have_rules_of_files_as_well(name: str) -> None:
    """A post with an upload is asked for them before anything is refused."""
    for kinds in ("", *LIMITS[name].refused):
        platforms()[name].file_rules(draft(name, "Hi", kinds), ACCOUNT)


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


@pytest.mark.parametrize("name", TAKEN)
def test_a_draft_within_the_rules_is_taken(name: str) -> None:
    for post in TAKEN[name]:
        assert (post, broken(name, **post)) == (post, [])


@pytest.mark.parametrize("name", REFUSED)
def test_a_draft_that_breaks_a_rule_is_refused_at_its_place(name: str) -> None:
    for post, where, *sentence in REFUSED[name]:
        [(place, error)] = broken(name, **post)
        assert (post, place, *([error] if sentence else [])) == (post, where, *sentence)


POST_TYPES = [
    ("instagram", "i", {}, InstagramPostType.IMAGE),
    ("instagram", "v", {}, InstagramPostType.REEL),
    ("instagram", "vi", {}, InstagramPostType.CAROUSEL),
    ("instagram", "v", {"contentType": "story"}, InstagramPostType.STORY),
    ("reddit", "", {}, RedditPostType.SELF),
    ("reddit", "", {"url": "https://example.com"}, RedditPostType.LINK),
    ("reddit", "", {"url": "https://example.com", "forceSelf": True}, RedditPostType.SELF),
    ("reddit", "i", {}, RedditPostType.IMAGE),
    ("reddit", "ii", {}, RedditPostType.GALLERY),
]


@pytest.mark.parametrize(("name", "kinds", "settings", "post_type"), POST_TYPES)
def test_media_and_settings_decide_the_post_type(
    name: str, kinds: str, settings: dict[str, Any], post_type: InstagramPostType | RedditPostType
) -> None:
    choose_post_type: Any = {"instagram": instagram, "reddit": reddit}[name].choose_post_type
    assert choose_post_type(draft(name, "", kinds, **settings)) is post_type


@pytest.mark.parametrize(
    ("settings", "seconds", "ratio"),
    [
        ({}, (None, 14_400), None),
        ({"contentType": "reel"}, (3, 90), 9 / 16),
        ({"contentType": "story"}, (None, 60), None),
    ],
)
def test_videos_of_facebook_have_the_limits_of_their_form(
    settings: dict[str, Any], seconds: tuple[float | None, float], ratio: float | None
) -> None:
    video = draft("facebook", kinds="v", **settings)
    [rule] = [rule for rule in platforms()["facebook"].file_rules(video, ACCOUNT) if rule.kind is MediaType.VIDEO]
    assert (rule.min_seconds, rule.max_seconds) == seconds
    assert (rule.min_ratio is not None) is (ratio is not None)
    if ratio:
        assert (rule.min_ratio or 9) <= ratio <= (rule.max_ratio or 0)
        assert (rule.min_width, rule.min_height) == (540, 960)


def test_every_platform_names_the_version_it_speaks() -> None:
    assert {name for name, platform in platforms().items() if not platform.api.name} == set()


def test_an_announced_end_has_a_source() -> None:
    announced = [platform.api for platform in platforms().values() if platform.api.supported_until]
    assert announced
    assert all(api.source for api in announced)


def test_a_version_is_named_from_90_days_before_its_end() -> None:
    (linkedin,) = [version for version in announced_ends() if version.platform == "linkedin"]
    assert timedelta(days=90) == WARN_AHEAD
    last_quiet_day = linkedin.until - WARN_AHEAD - timedelta(days=1)
    assert linkedin not in ending_versions(last_quiet_day)
    assert linkedin in ending_versions(last_quiet_day + timedelta(days=1))
    assert linkedin in ending_versions(linkedin.until + timedelta(days=400))


def test_no_version_in_use_has_ended() -> None:
    assert [version for version in announced_ends() if version.until < date.today()] == []  # noqa: DTZ011
