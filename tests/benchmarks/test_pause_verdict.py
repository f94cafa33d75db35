"""Each way in which a pause can break its promise is seen, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.proof.pause_verdict import Answered, PausedPost, fault_of_counts
from benchmarks.proof.pauses import ALL, PauseOutcome, Scope, Strike
from benchmarks.proof.report import pauses_section
from domain.pauses import MissedPolicy

NOW = 1_700_000_000.0
COUNTS = {"published": 0, "skipped": 0, "shifted": 0, "stillPaused": 0}
PUBLISH = Answered(NOW, frozenset({"out"}), NOW + 2, NOW + 30, MissedPolicy.PUBLISH, COUNTS | {"published": 1})
SKIP = replace(PUBLISH, missed=MissedPolicy.SKIP, result=COUNTS | {"skipped": 1})
SHIFT = replace(PUBLISH, missed=MissedPolicy.SHIFT, result=COUNTS | {"shifted": 1})
DUE = datetime.fromtimestamp(NOW, UTC)
MISSED = PausedPost("missed", "published", None, DUE, (NOW + 31,), 1)
DRAFT = PausedPost("missed", "draft", "paused", None, (), 0)
MOVED = PausedPost("missed", "scheduled", None, DUE + timedelta(days=1), (), 0)
OUT = PausedPost("out", "published", None, DUE, (NOW + 1,), 1)


@pytest.mark.parametrize(
    ("post", "answered"),
    [
        (MISSED, PUBLISH),
        (DRAFT, SKIP),
        (MOVED, SHIFT),
        (OUT, PUBLISH),
        (OUT, SKIP),
        (replace(OUT, arrivals=(NOW - 1,), post_id="before"), SHIFT),
        # Its worker was lost, so it was sent again after the end.
        (replace(OUT, arrivals=(NOW - 1, NOW + 31)), SKIP),
    ],
)
def test_posts_that_keep_the_promises_are_right(post: PausedPost, answered: Answered) -> None:
    assert post.fault(answered) == ""


@pytest.mark.parametrize(
    ("post", "answered", "why"),
    [
        (replace(MISSED, arrivals=(NOW + 3,)), PUBLISH, "after `paused`"),
        (replace(OUT, arrivals=(NOW + 29,)), PUBLISH, "after `paused`"),
        (replace(MISSED, arrivals=(NOW + 1,)), PUBLISH, "did not name"),
        (replace(MISSED, public=2), PUBLISH, "public 2 times"),
        (replace(MISSED, status="failed", public=0), PUBLISH, "failed"),
        (replace(MISSED, public=0), PUBLISH, "published"),
        (MISSED, SKIP, "after `skip`"),
        (DRAFT, PUBLISH, "draft"),
        (replace(DRAFT, skip_reason=None), SKIP, "draft"),
        (replace(DRAFT, public=1), SKIP, "public 1 times"),
        (replace(MOVED, due=DUE), SHIFT, "scheduled"),
        (MOVED, SKIP, "scheduled"),
    ],
)
def test_posts_that_break_a_promise_are_wrong(post: PausedPost, answered: Answered, why: str) -> None:
    assert why in post.fault(answered)


def test_the_end_counts_what_it_did() -> None:
    assert fault_of_counts([MISSED], PUBLISH) == ""
    assert fault_of_counts([MISSED, OUT], PUBLISH) == ""
    assert "counted" in fault_of_counts([MISSED, replace(MISSED, post_id="other")], PUBLISH)
    assert "counted" in fault_of_counts([OUT], replace(PUBLISH, result=COUNTS | {"published": 2}))
    assert "counted" in fault_of_counts([MISSED], replace(PUBLISH, result=COUNTS | {"skipped": 1}))


def test_every_part_is_struck_with_every_scope() -> None:
    assert {(scope, strike) for scope, strike, _ in ALL} == {(scope, strike) for scope in Scope for strike in Strike}
    assert {missed for _, _, missed in ALL} == set(MissedPolicy)


def test_a_broken_promise_is_listed_and_counted() -> None:
    right = PauseOutcome(Scope.WORKSPACE, Strike.NONE, MissedPolicy.PUBLISH, 12)
    wrong = PauseOutcome(Scope.ACCOUNT, Strike.ALL, MissedPolicy.SKIP, 11, ["post_1: it is failed"])
    section = pauses_section([right, wrong])
    assert "| workspace | 12 publish | -           |" in section.table
    assert "| accounts  | -          | 11 skip 1P  |" in section.table
    assert section.failures == ["pause of accounts, all at once, skip: post_1: it is failed"]
    assert section.total.endswith("broken promises 1 (P)")
