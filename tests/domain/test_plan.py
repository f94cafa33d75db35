"""A plan that is replaced by a newer one keeps what its row does not say, and shows what targets wait for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.plan import MEDIA_BUSY, NO_DISK_SPACE, Plan, TargetPlan, WaitsFor, waits_for
from domain.post import HoldReason, PostStatus, TargetStatus

AGAIN_AT = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "row", "expected"),
    [
        ("pending", {}, None),
        ("published", {}, None),
        ("failed", {"error_code": "duplicate"}, None),
        ("publishing", {}, None),
        ("publishing", {"next_attempt_at": AGAIN_AT}, WaitsFor.RATE_LIMIT),
        ("publishing", {"next_attempt_at": AGAIN_AT, "error_code": "http_503"}, WaitsFor.PLATFORM),
        ("publishing", {"next_attempt_at": AGAIN_AT, "error_code": MEDIA_BUSY}, WaitsFor.MEDIA),
        ("publishing", {"next_attempt_at": AGAIN_AT, "error_code": NO_DISK_SPACE}, WaitsFor.OPERATOR),
        ("unconfirmed", {"confirming": True}, WaitsFor.ANSWER),
        ("unconfirmed", {"confirming": True, "next_attempt_at": AGAIN_AT}, WaitsFor.ANSWER),
        ("unconfirmed", {}, WaitsFor.PERSON),
        ("held", {"hold_reason": HoldReason.RECONNECT}, WaitsFor.ACCOUNT),
        ("held", {"hold_reason": HoldReason.CAP, "next_attempt_at": AGAIN_AT}, WaitsFor.RATE_LIMIT),
        ("held", {"hold_reason": HoldReason.OPERATOR}, WaitsFor.OPERATOR),
    ],
)
def test_a_row_shows_the_reason_of_a_wait(status: str, row: dict[str, Any], expected: WaitsFor | None) -> None:
    columns = {"confirming": False, "hold_reason": None, "error_code": None, "next_attempt_at": None} | row
    assert waits_for(TargetStatus(status), **columns) is expected


def test_every_reason_to_hold_is_something_to_wait_for() -> None:
    for reason in HoldReason:
        assert waits_for(
            TargetStatus.HELD, confirming=False, hold_reason=reason, error_code=None, next_attempt_at=None
        ) in set(WaitsFor)


def plan(status: TargetStatus, *, version: int = 1, released: bool = False) -> Plan:
    target = TargetPlan(target_id="t", platform="twitter", account_id="a", status=status, released=released)
    now = datetime.now(UTC)
    return Plan(post_id="p", workspace_id="w", workflow_id="p", version=version, due_at=now, targets=[target])


@pytest.mark.parametrize(
    ("row", "released"),
    [(TargetStatus.HELD, True), (TargetStatus.PENDING, False), (TargetStatus.PUBLISHED, False)],
)
def test_a_request_to_continue_is_kept_for_a_target_that_still_waits(row: TargetStatus, *, released: bool) -> None:
    merged = plan(TargetStatus.HELD, released=True).merged(plan(row, version=2), own_targets=())
    assert merged.targets[0].status is row
    assert merged.targets[0].released is released


@pytest.mark.parametrize(
    ("status", "in_progress"),
    [
        (TargetStatus.PENDING, False),
        (TargetStatus.PUBLISHED, False),
        (TargetStatus.FAILED, False),
        (TargetStatus.HELD, True),
        (TargetStatus.PUBLISHING, True),
    ],
)
def test_a_plan_is_in_progress_if_a_target_was_begun_and_is_not_settled(
    status: TargetStatus, *, in_progress: bool
) -> None:
    assert plan(status).in_progress is in_progress


LATER = datetime(2026, 2, 1, 14, tzinfo=UTC)
PREDICATES = ("settled", "waits_for_a_time", "is_active", "is_between_steps")


@pytest.mark.parametrize(
    ("status", "more", "true"),
    [
        (TargetStatus.PENDING, {}, {"is_active"}),
        (TargetStatus.PUBLISHING, {}, {"is_active"}),
        (TargetStatus.PUBLISHING, {"resumes_at": LATER}, {"waits_for_a_time", "is_between_steps"}),
        (TargetStatus.HELD, {"resumes_at": LATER}, {"is_between_steps"}),
        (TargetStatus.UNCONFIRMED, {"confirming": True}, {"is_active"}),
        (TargetStatus.UNCONFIRMED, {"confirming": True, "next_confirm_at": LATER}, {"is_active", "is_between_steps"}),
        (TargetStatus.UNCONFIRMED, {}, {"settled"}),
        (TargetStatus.PUBLISHED, {"incomplete": True}, {"settled", "is_active"}),
        (TargetStatus.PUBLISHED, {}, {"settled"}),
        (TargetStatus.FAILED, {}, {"settled"}),
    ],
)
def test_target_is_settled_active_or_waits(status: TargetStatus, more: dict[str, Any], true: set[str]) -> None:
    target = TargetPlan(target_id="t", platform="twitter", account_id="a", status=status, **more)
    assert {name for name in PREDICATES if getattr(target, name)} == true


@pytest.mark.parametrize(
    ("status", "immediate", "first"),
    [
        (TargetStatus.PENDING, False, PostStatus.SCHEDULED),
        (TargetStatus.PENDING, True, PostStatus.PUBLISHING),
        (TargetStatus.FAILED, True, PostStatus.FAILED),
    ],
)
def test_run_begins_with_the_status_of_its_plan(status: TargetStatus, first: PostStatus, *, immediate: bool) -> None:
    assert plan(status).model_copy(update={"immediate": immediate}).first_status is first
