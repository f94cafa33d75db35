"""Posts that wait for other posts: what becomes of them, and when they are due."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.moves import FirstPost, FollowDecision, OnFailure, decide_follow, follow_time, parse_delay
from domain.post import PostStatus

AT = datetime(2026, 3, 28, 17, tzinfo=UTC)
SKIP, WAIT = OnFailure.SKIP, OnFailure.WAIT


@pytest.mark.parametrize(
    ("status", "published_at", "on_failure", "decision"),
    [
        (PostStatus.PUBLISHED, AT, SKIP, FollowDecision.SCHEDULE),
        (PostStatus.PARTIAL, AT, SKIP, FollowDecision.SCHEDULE),
        (PostStatus.PARTIAL, None, SKIP, FollowDecision.WAIT),
        (PostStatus.FAILED, None, SKIP, FollowDecision.FAILED),
        (PostStatus.FAILED, None, WAIT, FollowDecision.WAIT),
        (PostStatus.PUBLISHING, AT, SKIP, FollowDecision.WAIT),
        (PostStatus.SCHEDULED, None, SKIP, FollowDecision.WAIT),
        (PostStatus.DRAFT, None, SKIP, FollowDecision.WAIT),
    ],
)
def test_a_post_follows_what_is_public_and_settled(
    status: PostStatus, published_at: datetime | None, on_failure: OnFailure, decision: FollowDecision
) -> None:
    assert decide_follow(FirstPost(status, published_at), on_failure) is decision


@pytest.mark.parametrize("on_failure", OnFailure)
def test_nothing_waits_for_a_deleted_post(on_failure: OnFailure) -> None:
    assert decide_follow(None, on_failure) is FollowDecision.DELETED


def test_hours_are_exact_and_days_are_days_of_the_zone() -> None:
    assert follow_time(AT, None, "Europe/Berlin") == AT
    assert follow_time(AT, "PT24H", "Europe/Berlin") == AT + timedelta(hours=24)
    assert follow_time(AT, "P1D", "Europe/Berlin") == AT + timedelta(hours=23), "clocks change in between"


@pytest.mark.parametrize("text", ["-PT1H", "P366D", "PT0M", "P53W", "2 hours", "P1Y", "PT8761H"])
def test_a_delay_is_a_positive_duration_of_a_year_at_most(text: str) -> None:
    with pytest.raises(ValueError, match=r"delay|duration"):
        parse_delay(text)


def test_a_delay_may_be_a_year() -> None:
    assert parse_delay("P365D").days == 365
