"""The slots of queues: wall times, right on both clock changes, and the free ones among them."""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns import Blackout
from domain.queues import FARTHEST, SlotRule, SlotStatus, TakenSlots, TimeRanges, Weekday, free_slots, slot_status
from domain.schedule import ScheduledTime, zone_named, zone_names
from tests.cpu import cpu_seconds

NONE_TAKEN = TakenSlots((), ())
EVERY_DAY = frozenset(Weekday)


def rule_at(
    zone: str, *times: str, days: frozenset[Weekday] = EVERY_DAY, blackouts: tuple[Blackout, ...] = ()
) -> SlotRule:
    return SlotRule(zone, frozenset((day, time.fromisoformat(at)) for day in days for at in times), blackouts)


def instants(rule: SlotRule, first: str, last: str) -> list[str]:
    return [f"{slot.instant:%d %H:%M}" for slot in rule.slots(date.fromisoformat(first), date.fromisoformat(last))]


def test_a_slot_stays_at_its_wall_time_when_clocks_change() -> None:
    rule = rule_at("Europe/Berlin", "09:00")
    assert instants(rule, "2026-03-28", "2026-03-29") == ["28 08:00", "29 07:00"]
    assert instants(rule, "2026-10-24", "2026-10-25") == ["24 07:00", "25 08:00"]


def test_a_skipped_slot_moves_by_the_gap_and_one_that_it_meets_is_the_same_slot() -> None:
    rule = rule_at("America/New_York", "02:30", "03:00", "03:30")
    slots = list(rule.slots(date(2026, 3, 8), date(2026, 3, 8)))
    assert [slot.wall for slot in slots] == ["2026-03-08T03:00:00", "2026-03-08T02:30:00"], "the soonest first"
    assert len(list(rule.slots(date(2026, 3, 9), date(2026, 3, 9)))) == 3


def test_a_repeated_slot_is_the_first_of_both() -> None:
    assert instants(rule_at("Europe/Berlin", "02:30"), "2026-10-25", "2026-10-25") == ["25 00:30"]


def test_the_slots_of_a_skipped_day_are_not_given_twice() -> None:
    # Samoa skipped 30 December 2011: its wall times are those of the next day.
    slots = list(rule_at("Pacific/Apia", "09:00").slots(date(2011, 12, 29), date(2011, 12, 31)))
    assert len({slot.instant for slot in slots}) == len(slots) == 2


def test_a_slot_that_a_skipped_evening_moves_to_the_next_day_comes_in_its_order() -> None:
    # On 28 March 2026, the clocks of Ittoqqortoormiit go from 23:00 to midnight.
    rule = rule_at("America/Scoresbysund", "00:00", "23:30")
    assert instants(rule, "2026-03-28", "2026-03-29") == ["28 02:00", "29 01:00", "29 01:30", "30 00:30"]


def test_every_zone_has_each_instant_once_and_in_order(thorough: bool) -> None:
    for zone in zones_that_differ() if thorough else ODD_ZONES:
        rule = rule_at(zone, "00:00", "00:30", "01:30", "02:00", "02:30", "03:30", "23:30")
        slots = list(rule.slots(date(2026, 1, 1), date(2026, 12, 31)))
        moments = [slot.instant for slot in slots]
        assert moments == sorted(set(moments)), zone
        for slot in slots:
            local = slot.instant.astimezone(zone_named(zone)).replace(tzinfo=None)
            assert slot.wall is not None
            assert timedelta(0) <= local - datetime.fromisoformat(slot.wall) <= timedelta(hours=2), (zone, slot)


ODD_ZONES = (
    *("Africa/Casablanca", "America/Santiago", "Antarctica/Troll", "Asia/Beirut", "Asia/Hebron", "Australia/Lord_Howe"),
    *("America/Scoresbysund", "America/St_Johns", "Europe/Berlin", "Pacific/Auckland", "Pacific/Chatham", "UTC"),
)
"""Changes at midnight, by half an hour or two hours, in both hemispheres, during a month of fasting, and none."""


def zones_that_differ() -> Collection[str]:
    """Return one zone for each set of clock changes in 2026; hours are enough, because no clock changes twice a day."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(0, 365 * 24, 6)]
    by_clock: dict[tuple[object, ...], str] = {}
    for name in sorted(zone_names()):
        zone = zone_named(name)
        offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
        changes = [at for at, (before, after) in enumerate(pairwise(offsets)) if before != after]
        near = [hours[at] + timedelta(minutes=30 * half) for at in changes for half in range(12)]
        by_clock[offsets[0], *changes, *(half.astimezone(zone).utcoffset() for half in near)] = name
    return by_clock.values()


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 40), st.integers(0, 40))
def test_two_ranges_have_the_slots_of_both_together(first: date, one: int, other: int) -> None:
    rule = rule_at("America/New_York", "02:30", "03:30", "23:30")
    middle, last = first + timedelta(days=one), first + timedelta(days=one + other + 1)
    parts = [*rule.slots(first, middle), *rule.slots(middle + timedelta(days=1), last)]
    assert parts == list(rule.slots(first, last))


def test_days_without_slots_have_none() -> None:
    rule = rule_at("UTC", "09:00", days=frozenset({Weekday.MONDAY, Weekday.FRIDAY}))
    assert instants(rule, "2026-11-02", "2026-11-15") == ["02 09:00", "06 09:00", "09 09:00", "13 09:00"]


def test_free_slots_begin_a_minute_ahead_and_end_after_a_year() -> None:
    rule, now = rule_at("UTC", "09:00"), datetime(2026, 11, 2, 8, 59, 1, tzinfo=UTC)
    free = list(free_slots(rule, NONE_TAKEN, now))
    assert free[0].instant == datetime(2026, 11, 3, 9, tzinfo=UTC), "59 seconds are too short"
    assert free[-1].instant <= now + FARTHEST < free[-1].instant + timedelta(days=1)
    assert next(free_slots(rule, NONE_TAKEN, now - timedelta(seconds=1))).instant == datetime(
        2026, 11, 2, 9, tzinfo=UTC
    )


def test_taken_slots_are_not_free_by_wall_time_or_by_instant() -> None:
    rule, now = rule_at("UTC", "09:00"), datetime(2026, 11, 2, tzinfo=UTC)
    taken = TakenSlots({"2026-11-02T09:00:00"}, {datetime(2026, 11, 3, 9, tzinfo=UTC)})
    assert next(free_slots(rule, taken, now)).wall == "2026-11-04T09:00:00"


def test_blackouts_cover_their_last_day_in_the_zone_of_the_queue() -> None:
    blackout = Blackout(date(2026, 12, 24), date(2026, 12, 26))
    rule = rule_at("Pacific/Auckland", "00:00", "23:30", blackouts=(blackout,))
    free = free_slots(rule, NONE_TAKEN, datetime(2026, 12, 22, 12, tzinfo=UTC))
    assert [next(free).wall for _ in range(3)] == ["2026-12-23T23:30:00", "2026-12-27T00:00:00", "2026-12-27T23:30:00"]


def test_ranges_that_a_campaign_closes_have_no_free_slots() -> None:
    rule, now = rule_at("UTC", "09:00"), datetime(2026, 11, 2, tzinfo=UTC)
    closed = [(now, now + timedelta(days=5)), (now + timedelta(days=3), now + timedelta(days=7))]
    assert next(free_slots(rule, NONE_TAKEN, now, TimeRanges(closed))).wall == "2026-11-09T09:00:00"
    assert list(free_slots(rule, NONE_TAKEN, now, TimeRanges([(now, now + timedelta(days=400))]))) == []


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 90)), max_size=6), st.sampled_from(["Pacific/Apia", "UTC"])
)
def test_slots_of_closed_days_are_left_out_as_if_each_were_looked_at(ranges: list[tuple[int, int]], zone: str) -> None:
    now = datetime(2026, 11, 2, 5, tzinfo=UTC)
    closed = TimeRanges(
        (now + timedelta(days=first, hours=first), now + timedelta(days=first + length)) for first, length in ranges
    )
    rule = rule_at(zone, "00:00", "09:00", "23:30")
    open_slots = [slot for slot in free_slots(rule, NONE_TAKEN, now) if not closed.cover(slot.instant)]
    assert list(free_slots(rule, NONE_TAKEN, now, closed)) == open_slots
    middle = now + timedelta(days=100)
    parts = [(None, middle), (middle + timedelta(microseconds=1), None)]
    windows = [free_slots(rule, NONE_TAKEN, now, closed, since=since, until=until) for since, until in parts]
    assert [slot for window in windows for slot in window] == open_slots


def test_a_queue_that_is_closed_for_a_year_is_soon_searched() -> None:
    times = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")]
    blackout = Blackout(date(2026, 1, 1), date(2028, 1, 1))
    rule, now = rule_at("Europe/Berlin", *times, blackouts=(blackout,)), datetime(2026, 11, 2, tzinfo=UTC)
    assert cpu_seconds(lambda: list(free_slots(rule, NONE_TAKEN, now))) < 0.03


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20))), st.integers(-1, 80))
def test_ranges_cover_what_one_of_them_covers(bounds: list[tuple[int, int]], at: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [(start + timedelta(hours=first), start + timedelta(hours=first + length)) for first, length in bounds]
    moment = start + timedelta(hours=at)
    assert TimeRanges(hours).cover(moment) == any(first <= moment < end for first, end in hours)


def test_the_status_of_a_slot_that_no_post_has() -> None:
    rule, now = (
        rule_at("UTC", "09:00", blackouts=(Blackout(date(2026, 11, 4), date(2026, 11, 4)),)),
        datetime(2026, 11, 3, tzinfo=UTC),
    )

    def status(day: int) -> SlotStatus:
        return slot_status(rule, ScheduledTime(datetime(2026, 11, day, 9, tzinfo=UTC), None, "UTC"), now)

    assert [status(day) for day in (2, 3, 4)] == [SlotStatus.PAST, SlotStatus.FREE, SlotStatus.BLACKOUT]
