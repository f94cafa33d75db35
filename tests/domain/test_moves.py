"""Posts that move together keep their wall times, and move only to times at which they can be sent."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.moves import MoveRefused, Obstacle, PlannedPost, fewest_days, move_all
from domain.schedule import ScheduledTime, Shift, resolve, shifted

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
