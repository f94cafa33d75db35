"""The posts that platforms' rules take and refuse before a request; `test_limits.py` has the sizes that all have."""

from typing import Any

import pytest

from domain.post import MediaType
from platforms.instagram import rules as instagram
from platforms.instagram.rules import InstagramPostType
from platforms.reddit import rules as reddit
from platforms.reddit.rules import RedditPostType
from platforms.registry import platforms
from tests.platforms.drafts import ACCOUNT, broken, draft
from tests.platforms.drafts_refused import REFUSED
from tests.platforms.drafts_taken import TAKEN


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
