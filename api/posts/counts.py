"""The numbers of posts that a filter selects: in all, and of each status, platform and day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.http.query import parse_choice, parse_lists
from api.posts.listing import ZONE, parse_zone, read_filter, split_statuses
from api.views import PlatformName, described, example, view
from domain.errors import InvalidRequest, Problem
from domain.post import PostStatus
from domain.schedule import parse_bound
from store.posts.counts import Grouping, PostCount, count_posts
from store.posts.list_filters import Filter

MOST_COUNTED = 200_000
"""Posts that one request counts: some 0.2 s of PostgreSQL, five times that by platform."""
MOST_DAYS = 100
_BY = "by"
_BOUNDS = {Grouping.SCHEDULED: ("scheduledFrom", "scheduledTo"), Grouping.CREATED: ("fromDate", "toDate")}
_TOO_MANY = Problem(
    f"More than {MOST_COUNTED:,} posts match: count fewer at once, by a status, a tag or times", "invalid_field_value"
)


@view("PostCount")
class CountView(TypedDict):
    """The number of posts of one group."""

    status: NotRequired[Annotated[PostStatus, described("Their status, if they are counted by it.", "scheduled")]]
    platform: NotRequired[PlatformName]
    """A platform that they go to, if they are counted by it. A post to several counts for each."""
    day: NotRequired[Annotated[str, example("2030-12-03")]]
    """Their day in `timezone`, if they are counted by `scheduledFor` or `createdAt`."""
    posts: Annotated[int, described("How many they are.", 12)]


@view("PostCounts")
class CountsView(TypedDict):
    """The numbers of posts."""

    total: Annotated[int, described("Posts that match, each counted once.", 60)]
    counts: Annotated[list[CountView], described("One entry per group that has posts.")]


@dataclass(frozen=True, slots=True)
class CountsQuery:
    """A request to count posts: which ones, by what, and the days that it covers."""

    conditions: Filter
    groupings: Sequence[Grouping]
    zone: tzinfo
    days: Sequence[date] = ()

    @property
    def beginnings(self) -> list[datetime]:
        """Return when the days begin."""
        return [parse_bound(day.isoformat(), end=False, zone=self.zone) for day in self.days]


def read_counts_query(request: HttpRequest) -> CountsQuery:
    """Return what is to be counted. Raises InvalidRequest with every problem."""
    lists, query_problems = parse_lists(request)
    problems: list[Problem] = []
    conditions = read_filter(split_statuses(lists), problems)
    groupings = _groupings(lists.get(_BY, ["status"]), problems)
    if problems or query_problems:
        raise InvalidRequest([*problems, *query_problems])
    zone = parse_zone(lists[ZONE][0]) if ZONE in lists else UTC
    return CountsQuery(conditions, groupings, zone, _days(conditions, groupings, zone))


def _groupings(values: Sequence[str], problems: list[Problem]) -> list[Grouping]:
    try:
        groupings = list(dict.fromkeys(parse_choice(Grouping, name) for name in ",".join(values).split(",")))
    except ValueError as error:
        problems.append(Problem(f"{_BY} {error}", "invalid_field_value", _BY))
        return []
    if {Grouping.SCHEDULED, Grouping.CREATED} <= set(groupings):
        sentence = f"{_BY} takes {Grouping.SCHEDULED} or {Grouping.CREATED}, not both"
        problems.append(Problem(sentence, "invalid_field_value", _BY))
    return groupings


def _days(conditions: Filter, groupings: Sequence[Grouping], zone: tzinfo) -> list[date]:
    """Return the days by which posts are counted, if they are. Raises InvalidRequest."""
    by = next((grouping for grouping in groupings if grouping in _BOUNDS), None)
    if by is None:
        return []
    names = _BOUNDS[by]
    scheduled, created = (
        (conditions.scheduled_from, conditions.scheduled_to),
        (conditions.created_from, conditions.created_to),
    )
    first, last = scheduled if by is Grouping.SCHEDULED else created
    if first is None or last is None:
        missing = [name for name, bound in zip(names, (first, last), strict=True) if bound is None]
        raise InvalidRequest(
            [Problem(f"{name} is required to count by {by}", "missing_required_field", name) for name in missing]
        )
    try:
        begin, end = first.astimezone(zone).date(), last.astimezone(zone).date()
    except OverflowError:
        raise InvalidRequest(Problem(f"{names[1]} is out of range", "invalid_field_value", names[1])) from None
    if (end - begin).days >= MOST_DAYS:
        sentence = f"{names[0]} to {names[1]} may be at most {MOST_DAYS} days"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", names[1]))
    return [begin + timedelta(days=number) for number in range((end - begin).days + 1)]


async def count(deps: Dependencies, workspace_id: str, query: CountsQuery) -> CountsView:
    """Return the numbers of posts. Raises InvalidRequest if too many match, TooManyRequests."""
    with deps.counts.take(workspace_id):
        async with deps.database.transaction() as session:
            counts = await count_posts(
                session, workspace_id, query.conditions, query.groupings, query.beginnings, most=MOST_COUNTED
            )
    if counts is None:
        raise InvalidRequest(_TOO_MANY)
    return CountsView(total=counts.total, counts=[_view(group, query.days) for group in counts.groups])


def _view(group: PostCount, days: Sequence[date]) -> CountView:
    shown = CountView(posts=group.posts)
    if group.status is not None:
        shown["status"] = group.status
    if group.platform is not None:
        shown["platform"] = group.platform
    if group.day is not None:
        shown["day"] = days[group.day].isoformat()
    return shown
