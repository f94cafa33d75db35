"""The status of a post follows from the statuses of its targets."""

from hypothesis import given
from hypothesis import strategies as st

from domain.post import PostStatus, TargetState, TargetStatus, media_in_effect, post_status, text_in_effect

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
