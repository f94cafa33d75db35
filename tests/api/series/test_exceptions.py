"""Exceptions of a series belong to days: whatever changes of its rules follow, no such day gains a post."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Client
from tests.api.series.test_routes import body, change, create, day, no_series_remains, occurrences
from tests.stack import Stack

__all__ = ["no_series_remains"]
_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_DAYS = 12
"""Days of the tested series."""


@dataclass
class _Rule:
    """A rule that a test sends, and how many posts it gives a day."""

    times: list[str]
    weekdays: list[str] = field(default_factory=lambda: list(_WEEKDAYS))

    def as_json(self) -> dict[str, Any]:
        return {"frequency": "weekly", "byDay": self.weekdays, "times": self.times, "until": f"{day(_DAYS)}"}

    def count(self, on: date) -> int:
        return len(self.times) if _WEEKDAYS[on.weekday()] in self.weekdays else 0


_times = st.lists(st.sampled_from(["06:00", "09:00", "13:00", "17:30"]), min_size=1, max_size=2, unique=True)
_weekdays = st.just(list(_WEEKDAYS)) | st.lists(st.sampled_from(_WEEKDAYS), min_size=3, max_size=6, unique=True)
_rules = st.builds(_Rule, _times, _weekdays)
_exceptions = st.lists(
    st.tuples(st.sampled_from(["exclude", "delete", "edit"]), st.integers(0, 30)), min_size=1, max_size=4
)
_zones = st.sampled_from(["Europe/Berlin", "Asia/Tokyo", "America/New_York", "Pacific/Apia"])
_begins = st.none() | st.tuples(st.integers(1, _DAYS), st.sampled_from(["00:00", "12:00"]))


async def _posts(api: Client, series: Any) -> list[Any]:
    posts: list[Any] = (await api.get(f"/v1/posts?seriesId={series['id']}&limit=100")).json()["posts"]
    return sorted(posts, key=lambda post: str(post["occurrence"]))


def _by_day(posts: list[Any]) -> Counter[date]:
    return Counter(date.fromisoformat(post["occurrence"][:10]) for post in posts)


async def _make_exceptions(api: Client, series: Any, choices: list[tuple[str, int]]) -> tuple[set[date], set[str]]:
    """Return the days of the exceptions, and the ids of posts that were edited by hand."""
    days, edited = set[date](), set[str]()
    for kind, number in choices:
        posts = await _posts(api, series)
        post = posts[number % len(posts)]
        # A series without occurrences is refused.
        if post["id"] in edited or len(posts) < 3:
            continue
        days.add(date.fromisoformat(post["occurrence"][:10]))
        if kind == "exclude":
            shown = (await api.get(f"/v1/series/{series['id']}")).json()
            await change(api, series, exclude=[*shown["exclude"], post["occurrence"]])
        elif kind == "delete":
            assert (await api.delete(f"/v1/posts/{post['id']}")).status_code == 200
        else:
            assert (await api.patch(f"/v1/posts/{post['id']}", json={"content": "by hand"})).status_code == 200
            edited.add(post["id"])
    return days, edited


_WE_TO_SU = ["we", "th", "sa", "mo", "su", "tu"]
_TH_TO_TU = ["th", "fr", "mo", "sa", "su", "tu"]


# An edited post takes the place of another one once its day has fewer times.
@example(
    _Rule(["13:00", "09:00"], _WE_TO_SU),
    [("edit", 27)],
    [(_Rule(["09:00"]), "America/New_York", None), (_Rule(["17:30"]), "Europe/Berlin", None)],
)
# An excluded time and an edited post have the same day.
@example(
    _Rule(["17:30", "09:00"], _TH_TO_TU),
    [("exclude", 9), ("edit", 23), ("exclude", 24), ("edit", 24)],
    [(_Rule(["13:00", "17:30"]), "Pacific/Apia", None), (_Rule(["09:00"]), "Europe/Berlin", None)],
)
# A change begins in the middle of a day with an exception, and another change follows.
@example(
    _Rule(["06:00"]),
    [("exclude", 15), ("exclude", 3)],
    [
        (_Rule(["09:00"], ["su", "tu", "fr", "th", "sa", "we"]), "Asia/Tokyo", (5, "12:00")),
        (_Rule(["17:30", "09:00"], ["tu", "su", "sa", "fr"]), "Asia/Tokyo", None),
    ],
)
@example(
    _Rule(["13:00", "09:00"], ["mo", "tu", "fr"]),
    [("delete", 10), ("delete", 7), ("exclude", 27), ("delete", 10)],
    [
        (_Rule(["17:30", "06:00"], ["mo", "tu", "fr"]), "America/New_York", (10, "12:00")),
        (_Rule(["13:00", "09:00"], ["mo", "tu", "fr"]), "Europe/Berlin", (12, "12:00")),
    ],
)
@given(_rules, _exceptions, st.lists(st.tuples(_rules, _zones, _begins), min_size=1, max_size=3))
# Each example takes a second, so a failing one is not made smaller.
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_day_with_an_exception_gains_a_post_and_no_day_has_more_than_the_rule(
    api: Client, stack: Stack, first: _Rule, choices: list[tuple[str, int]], edits: list[Any]
) -> None:
    series = await create(api, body(stack, start=f"{day()}T00:00:00", recurrence=first.as_json()))
    exceptions, edited = await _make_exceptions(api, series, choices)
    rules = [first]
    for rule, zone, begin in edits:
        before = _by_day(await _posts(api, series))
        fields: dict[str, Any] = {"recurrence": rule.as_json(), "timezone": zone}
        if begin is not None:
            fields["from"] = f"{day(begin[0])}T{begin[1]}:00"
        planned = await change(api, series, **fields, dryRun=True)
        done = await change(api, series, **fields)
        assert {**done, "dryRun": True, "series": None} == {**planned, "series": None}
        rules.append(rule)
        posts = await _posts(api, series)
        assert edited <= {post["id"] for post in posts}
        edits_by_day = _by_day([post for post in posts if post["id"] in edited])
        for on, count in _by_day(posts).items():
            assert on not in exceptions or count <= before[on], (on, done)
            # On the day on which a change begins, the earlier rule has the times before.
            counts = [one.count(on) for one in (rules if begin is not None else rules[-1:])]
            assert count <= max(*counts, edits_by_day[on], 0), (on, done)
        shown = await occurrences(api, series, f"?from={day(-1)}&to={day(_DAYS + 2)}")
        assert set(done["skipped"]) <= {entry["occurrence"] for entry in shown if entry["state"] == "skipped"}


async def test_exceptions_follow_the_day_when_the_time_changes(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, exclude=[f"{day(4)}", f"{day(90)}T09:00:00"]))
    deleted, edited, *_ = await _posts(api, series)
    assert (await api.delete(f"/v1/posts/{deleted['id']}")).status_code == 200
    assert (await api.patch(f"/v1/posts/{edited['id']}", json={"content": "by hand"})).status_code == 200
    for clock in ("10:00", "11:00"):
        changed = await change(api, series, recurrence={"frequency": "daily", "times": [clock]})
        assert changed["skipped"] == [f"{day(ahead)}T{clock}:00" for ahead in (1, 2, 4, 90)]
        assert (changed["keptEdited"], changed["warnings"]) == ([edited["occurrence"]], [])
        assert changed["series"]["exclude"] == [f"{day(ahead)}T{clock}:00" for ahead in (4, 90)]
        shown = {entry["occurrence"]: entry.get("reason") for entry in await occurrences(api, series)}
        assert [shown[f"{day(ahead)}T{clock}:00"] for ahead in range(1, 5)] == [
            "deleted",
            "day_taken",
            None,
            "excluded",
        ]
    # With `override` the edited post gives way to one of the rule.
    assert (await change(api, series, override=True))["added"] == [f"{day(2)}T11:00:00"]


async def test_exceptions_that_a_change_leaves_behind_are_named(api: Client, stack: Stack) -> None:
    monday = next(day(ahead) for ahead in range(1, 8) if day(ahead).weekday() == 0)
    weekly = {"frequency": "weekly", "byDay": ["mo"]}
    series = await create(api, body(stack, recurrence=weekly, exclude=[f"{monday}T09:00:00", "2026-01-01"]))
    _, deleted = (await _posts(api, series))[:2]
    assert (await api.delete(f"/v1/posts/{deleted['id']}")).status_code == 200
    moved = await change(api, series, recurrence={**weekly, "byDay": ["tu"]}, dryRun=True)
    assert [(one["code"], one["param"]) for one in moved["warnings"]] == [
        ("no_occurrence", "exclude"),
        ("exception_not_carried", "recurrence"),
    ]
    assert f"{monday}T09:00:00" in moved["warnings"][0]["error"]
    assert deleted["occurrence"] in moved["warnings"][1]["error"]
    twice = await change(api, series, recurrence={**weekly, "times": ["09:00", "17:00"]}, dryRun=True)
    assert [one["code"] for one in twice["warnings"]] == ["exception_not_carried"]
    assert {f"{monday}T17:00:00", f"{deleted['occurrence'][:10]}T17:00:00"} <= set(twice["skipped"])


async def test_exclusion_that_meets_no_occurrence_is_a_warning(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, exclude=[f"{day(3)}T08:00:00"]))
    assert ("no_occurrence", "exclude") in [(one["code"], one["param"]) for one in series["warnings"]]


async def test_change_from_the_end_of_the_calendar_is_answered(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    changed = await change(
        api, series, recurrence={"frequency": "daily", "times": ["10:00"]}, **{"from": "9999-12-31T12:00:00"}
    )
    assert (changed["added"], changed["removed"], changed["skipped"]) == ([], [], [])
