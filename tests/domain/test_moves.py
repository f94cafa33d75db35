"""Posts that move together keep their wall times, and posts of a chain follow those that they wait for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.moves import (
    FirstPost,
    FollowDecision,
    MoveRefused,
    Obstacle,
    OnFailure,
    PlannedPost,
    decide_follow,
    fewest_days,
    follow_time,
    move_all,
    parse_delay,
)
from domain.post import PostStatus
from domain.schedule import ScheduledTime, Shift, resolve, shifted

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


NOW = datetime(2026, 10, 24, 12, tzinfo=UTC)
NO_TIME = timedelta(0)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])


@given(minutes=st.lists(st.integers(0, 60 * 24 * 40), min_size=1, max_size=5), zone=ZONES)
def test_the_fewest_days_bring_all_into_the_future_and_one_day_less_does_not(minutes: list[int], zone: str) -> None:
    posts = []
    for number, age in enumerate(minutes):
        local = (NOW - timedelta(minutes=age)).replace(tzinfo=None).isoformat()
        if (time := resolve(local, zone)).instant <= NOW:
            posts.append(PlannedPost(str(number), time))
    days = fewest_days(posts, NOW)
    assert (days > 0) == bool(posts)
    assert all(shifted(post.schedule, Shift(days, NO_TIME)).instant > NOW for post in posts)
    if days > 1:
        assert any(shifted(post.schedule, Shift(days - 1, NO_TIME)).instant <= NOW for post in posts)


async def test_a_time_zone_that_is_gone_moves_nothing() -> None:
    good = PlannedPost("good", resolve("2026-11-01T09:00:00", "Europe/Berlin"))
    bad = PlannedPost("bad", ScheduledTime(NOW, None, "Mars/Olympus"))
    for attempt in (move_all([good, bad], Shift(1, NO_TIME), NOW), move_all([bad], Shift(1, NO_TIME), NOW)):
        with pytest.raises(MoveRefused, match="time zone") as refused:
            await attempt
        assert (refused.value.obstacle, refused.value.post_ids) == (Obstacle.NO_ZONE, ["bad"])
    with pytest.raises(MoveRefused):
        fewest_days([bad], NOW)


async def test_drafts_move_to_any_time() -> None:
    draft = PlannedPost("draft", resolve("2026-10-25T09:00:00", "Europe/Berlin"), is_draft=True)
    (move,) = await move_all([draft], Shift(-30, NO_TIME), NOW)
    assert move.to.wall == "2026-09-25T09:00:00"
