"""Every transition: the statuses from which it is allowed, its new status, and its changes to the row."""

from datetime import UTC, datetime, timedelta

import pytest

from domain import transitions
from domain.attempts import AttemptState
from domain.post import (
    OPEN,
    RESULTS,
    UNBEGUN,
    UNSENT,
    ErrorCategory,
    HoldReason,
    PostStatus,
    TargetState,
    TargetStatus,
    is_moving,
)
from domain.transitions import AnswerTo, BeforeSend, ConfirmationOf, TargetTransition

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
PENDING, PUBLISHING, HELD = TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.HELD
PUBLISHED, FAILED, UNCONFIRMED = TargetStatus.PUBLISHED, TargetStatus.FAILED, TargetStatus.UNCONFIRMED
ERROR = ("Not now.", "x1", ErrorCategory.PLATFORM)
CASES = {
    "published": (transitions.published(NOW, "7", "https://x", None, None), PUBLISHED),
    "unlisted": (transitions.unlisted(NOW, "X"), PUBLISHED),
    "failed": (transitions.failed(*ERROR), FAILED),
    "waiting": (transitions.waiting(SOON), PUBLISHING),
    "tried_again": (transitions.tried_again(SOON, *ERROR), PUBLISHING),
    "looked_for_later": (transitions.looked_for_later(SOON, "Not now.", "x1"), PUBLISHING),
    "held": (transitions.held(HoldReason.CAP, SOON, *ERROR), HELD),
    "unconfirmed": (transitions.unconfirmed("worker_lost", "Lost."), UNCONFIRMED),
    "still_unconfirmed": (transitions.still_unconfirmed(SOON), None),
    "pending": (transitions.pending(NOW), PENDING),
    "resting": (transitions.resting(), None),
    "warned": (transitions.warned("Too large."), None),
    "incomplete": (transitions.incomplete("No comment."), None),
}
FROM = {
    "published": {PENDING, PUBLISHING, HELD, FAILED, UNCONFIRMED},
    "unlisted": {PENDING, PUBLISHING, HELD, FAILED, UNCONFIRMED},
    "failed": {PENDING, PUBLISHING, HELD},
    "waiting": {PENDING, PUBLISHING, HELD},
    "tried_again": {PENDING, PUBLISHING, HELD},
    "looked_for_later": {PENDING, PUBLISHING, HELD},
    "held": {PENDING, PUBLISHING, HELD},
    "unconfirmed": {PENDING, PUBLISHING, HELD},
    "still_unconfirmed": {UNCONFIRMED},
    "pending": {UNCONFIRMED},
    "resting": {UNCONFIRMED},
    "warned": {PENDING},
    "incomplete": {PUBLISHED, FAILED},
}


@pytest.mark.parametrize("name", CASES)
def test_a_transition_leads_from_certain_statuses_to_one(name: str) -> None:
    transition, to = CASES[name]
    assert set(transition.expects) == FROM[name]
    assert transition.columns.get("status") == to
    assert transition.starts(BeforeSend(1)) == transition.starts(AnswerTo(1)) == transition.expects
    assert transition.starts(ConfirmationOf(1, NOW)) == {UNCONFIRMED}


@pytest.mark.parametrize("name", CASES)
def test_status_change_clears_the_last_failure(name: str) -> None:
    transition, to = CASES[name]
    if to is None:
        assert len(transition.columns) <= 3
        return
    cleared = {"warning", "error", "error_code", "error_category", "retryable", "next_attempt_at", "hold_reason"}
    assert cleared | {"confirming"} <= transition.columns.keys()
    assert ("released_at" in transition.columns) is (name != "looked_for_later")
    assert (transition.columns["hold_reason"] is not None) is (to is HELD)
    assert (transition.columns["confirming"] is True) is (to is UNCONFIRMED)


@pytest.mark.parametrize("name", CASES)
def test_possibly_public_target_is_resent_only_after_confirmed_absence(name: str) -> None:
    transition, to = CASES[name]
    if to is not None and to.is_unsent and any(expect.may_be_public for expect in transition.expects):
        assert name == "pending"
    assert PUBLISHED not in transition.expects or to is None


def _columns(transition: TargetTransition, *names: str) -> tuple[object, ...]:
    return tuple(transition.columns[name] for name in names)


def test_only_rejections_are_not_retryable() -> None:
    for category in ErrorCategory:
        retryable = transitions.failed("No.", "x", category).columns["retryable"]
        assert retryable is (category is not ErrorCategory.REJECTED)
    assert _columns(transitions.tried_again(SOON, *ERROR), "retryable", "error", "error_code", "next_attempt_at") == (
        False,
        "Not now.",
        "x1",
        SOON,
    )
    assert _columns(transitions.held(HoldReason.RECONNECT, None, *ERROR), "hold_reason", "next_attempt_at") == (
        HoldReason.RECONNECT,
        None,
    )


def test_resent_target_waits_for_a_worker() -> None:
    assert _columns(transitions.pending(NOW), "due_at", "begun_at") == (NOW, None)


PREDICATES = {
    # status: unsent, may be public, explained, may have a time, moving, settled
    PENDING: (True, False, False, False, True, False),
    PUBLISHING: (True, False, False, True, True, False),
    HELD: (True, False, True, True, False, False),
    PUBLISHED: (False, True, False, False, False, True),
    FAILED: (False, False, True, False, False, True),
    UNCONFIRMED: (False, True, True, False, False, True),
}


@pytest.mark.parametrize("status", TargetStatus)
def test_status_properties(status: TargetStatus) -> None:
    state = TargetState(status)
    assert PREDICATES[status] == (
        status.is_unsent,
        status.may_be_public,
        status.is_explained,
        status.may_have_a_time,
        state.moving,
        state.settled,
    )


def test_unconfirmed_target_is_moving_until_confirmed() -> None:
    assert TargetState(UNCONFIRMED, confirming=True).moving
    assert not TargetState(UNCONFIRMED, confirming=True).settled


def test_statuses_are_grouped_by_meaning() -> None:
    assert set(UNSENT) == {PENDING, PUBLISHING, HELD}
    assert set(RESULTS) == {PUBLISHED, FAILED, UNCONFIRMED}
    assert set(OPEN) == {PostStatus.SCHEDULED, PostStatus.PUBLISHING}
    assert set(UNBEGUN) == {PostStatus.DRAFT, PostStatus.SCHEDULED}
    assert {state for state in AttemptState if state.may_have_succeeded} == {
        AttemptState.SENDING,
        AttemptState.UNCONFIRMED,
    }


@pytest.mark.parametrize("status", PostStatus)
def test_a_post_moves_while_it_is_open_and_a_target_does(status: PostStatus) -> None:
    settled, moves = TargetState(PUBLISHED), TargetState(PENDING)
    assert is_moving(status, [settled, moves]) is (status in OPEN)
    assert not is_moving(status, [settled, TargetState(HELD)])
