"""The status of a post follows from its targets, and a target's own content wins."""

from hypothesis import given
from hypothesis import strategies as st

from domain.content import PostContent, TargetContent, merge_settings
from domain.post import (
    Media,
    MediaType,
    PostStatus,
    TargetState,
    TargetStatus,
    media_in_effect,
    post_status,
    text_in_effect,
)

IMAGE = Media(type=MediaType.IMAGE, url="https://example.com/a.jpg")
settings = st.dictionaries(st.from_regex(r"[a-z]{1,4}([A-Z][a-z]{1,3})?", fullmatch=True), st.integers(), max_size=5)


@given(settings, settings, settings)
def test_a_targets_own_settings_win_over_the_root_ones_of_its_platform(
    own: dict[str, int], tiktok: dict[str, int], facebook: dict[str, int]
) -> None:
    assert merge_settings("tiktok", own, tiktok, facebook) == {**tiktok, **own}
    assert merge_settings("facebook", own, tiktok, facebook) == {**facebook, **own}
    assert merge_settings("twitter", own, tiktok, facebook) == own


def test_both_spellings_of_a_setting_are_one() -> None:
    assert merge_settings("tiktok", {"privacyLevel": "A"}, {"privacy_level": "B"}, {}) == {"privacyLevel": "A"}
    assert merge_settings("tiktok", {"privacy_level": "A"}, {"privacyLevel": "B"}, {}) == {"privacy_level": "A"}


def test_empty_custom_text_and_media_replace_the_posts() -> None:
    post = PostContent(content="post", media_items=[IMAGE])
    plain = TargetContent(platform="twitter", account_id="a")
    own = TargetContent(platform="twitter", account_id="a", custom_content="own", custom_media=[])
    assert (post.text_for(plain), post.media_for(plain)) == ("post", [IMAGE])
    assert (post.text_for(own), post.media_for(own)) == ("own", [])
    assert PostContent().text_for(plain) == ""


states = st.builds(TargetState, st.sampled_from(TargetStatus), st.booleans())
posts = st.lists(states, min_size=1, max_size=8)


@given(posts)
def test_a_post_moves_exactly_as_long_as_a_target_does(targets: list[TargetState]) -> None:
    moving = any(not target.settled for target in targets)
    assert (post_status(targets) is PostStatus.PUBLISHING) is moving


@given(posts)
def test_published_means_all_and_failed_means_all(targets: list[TargetState]) -> None:
    status = post_status(targets)
    statuses = {target.status for target in targets}
    assert (status is PostStatus.PUBLISHED) == (statuses == {TargetStatus.PUBLISHED})
    assert (status is PostStatus.FAILED) == (statuses == {TargetStatus.FAILED})


@given(posts)
def test_possibly_public_post_is_never_failed(targets: list[TargetState]) -> None:
    if any(target.status is TargetStatus.UNCONFIRMED for target in targets):
        assert post_status(targets) is not PostStatus.FAILED


@given(posts)
def test_the_order_of_targets_does_not_matter(targets: list[TargetState]) -> None:
    shuffled = targets[::-1]
    assert post_status(shuffled) is post_status(targets)


def test_a_resting_unconfirmed_target_makes_the_post_partial() -> None:
    resting = TargetState(TargetStatus.UNCONFIRMED, confirming=False)
    assert post_status([resting]) is PostStatus.PARTIAL
    assert post_status([TargetState(TargetStatus.UNCONFIRMED, confirming=True)]) is PostStatus.PUBLISHING


def test_a_target_s_own_text_and_media_win_even_when_empty() -> None:
    assert text_in_effect("ours", None) == "ours"
    assert text_in_effect("ours", "") == ""
    assert text_in_effect(None, None) == ""
    assert media_in_effect([], []) == []
