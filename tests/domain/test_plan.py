"""A plan that is replaced by a newer one keeps what its row does not say."""

from datetime import UTC, datetime

import pytest

from domain.plan import Plan, TargetPlan
from domain.post import TargetStatus


def plan(status: TargetStatus, *, version: int = 1, released: bool = False) -> Plan:
    target = TargetPlan(target_id="t", platform="twitter", account_id="a", status=status, released=released)
    now = datetime.now(UTC)
    return Plan(post_id="p", workspace_id="w", workflow_id="p", version=version, due_at=now, targets=[target])


@pytest.mark.parametrize(
    ("row", "released"),
    [(TargetStatus.HELD, True), (TargetStatus.PENDING, False), (TargetStatus.PUBLISHED, False)],
)
def test_a_request_to_continue_is_kept_for_a_target_that_still_waits(row: TargetStatus, *, released: bool) -> None:
    merged = plan(TargetStatus.HELD, released=True).merged(plan(row, version=2), kept=())
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
