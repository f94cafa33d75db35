"""The reason for which a target waits, as its row states it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.plan import MEDIA_BUSY, NO_DISK_SPACE, WaitsFor, waits_for
from domain.post import HoldReason, TargetStatus

LATER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "row", "expected"),
    [
        ("pending", {}, None),
        ("published", {}, None),
        ("failed", {"error_code": "duplicate"}, None),
        ("publishing", {}, None),
        ("publishing", {"next_attempt_at": LATER}, WaitsFor.RATE_LIMIT),
        ("publishing", {"next_attempt_at": LATER, "error_code": "http_503"}, WaitsFor.PLATFORM),
        ("publishing", {"next_attempt_at": LATER, "error_code": MEDIA_BUSY}, WaitsFor.MEDIA),
        ("publishing", {"next_attempt_at": LATER, "error_code": NO_DISK_SPACE}, WaitsFor.OPERATOR),
        ("unconfirmed", {"confirming": True}, WaitsFor.ANSWER),
        ("unconfirmed", {"confirming": True, "next_attempt_at": LATER}, WaitsFor.ANSWER),
        ("unconfirmed", {}, WaitsFor.PERSON),
        ("held", {"hold_reason": HoldReason.RECONNECT}, WaitsFor.ACCOUNT),
        ("held", {"hold_reason": HoldReason.CAP, "next_attempt_at": LATER}, WaitsFor.RATE_LIMIT),
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
