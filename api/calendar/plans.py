"""The query of a calendar, and what it has beside posts: free slots, occurrences that get posts later, and blackouts.

Each day has at most MOST_OF_DAY of each kind. They are those of at most MOST_QUEUES queues, MOST_SERIES series and
MOST_CAMPAIGNS campaigns.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.calendar.views import CalendarBlackoutView, CalendarOccurrenceView, CalendarSlotView
from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.http.query import convert_parameter, parse_flag, parse_lists
from api.posts.listing import ZONE, parse_zone, read_filter, split_statuses
from domain.campaigns import Blackout, CampaignStatus
from domain.errors import InvalidRequest, Problem
from domain.loop_share import HEAVY, loop_share
from domain.queues import SlotStatus, slot_status
from domain.schedule import NoSuchTime, UnknownZone, day_beginning, local_time, parse_date, rfc3339
from store.campaigns.campaigns import campaign_status, list_campaigns
from store.models import Campaign, Queue
from store.posts.list_filters import Filter
from store.queues.queues import accounts_of_queues, list_queues, slot_rule
from store.queues.slots import posts_in_slots
from store.rows import find_row
from store.series.listing import planned_occurrences
from store.series.rows import list_series

MOST_DAYS = 62
"""Days of one answer: two months."""
PLANS = "plans"
"""The parameter that asks for what a calendar shows beside posts."""
FULL = "full"


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """A request for a calendar."""

    conditions: Filter
    zone: str
    days: Sequence[date]
    beginnings: Sequence[datetime]
    """When each day begins in the zone, and when the last one ends."""
    has_plans: bool
    """Whether free slots, occurrences without posts and blackouts are asked for."""
    is_full: bool
    """Whether one day is asked for with more posts than are shown of a day among others."""


def read_calendar_query(request: HttpRequest) -> CalendarQuery:
    """Return which days of which posts are asked for. Raises InvalidRequest with every problem."""
    lists, query_problems = parse_lists(request)
    problems: list[Problem] = []
    conditions = read_filter(split_statuses(lists), problems)
    query = {name: values[0] for name, values in lists.items()}
    first, last = (convert_parameter(query, problems, name, _read_date) for name in ("from", "to"))
    has_plans, is_full = (convert_parameter(query, problems, name, parse_flag) for name in (PLANS, FULL))
    if is_full and first != last:
        problems.append(Problem("full is for one day: the same from and to", "invalid_field_value", FULL))
    problems += [
        Problem(f"{name} is required", "missing_required_field", name) for name in ("from", "to") if name not in query
    ]
    if problems or query_problems or first is None or last is None:
        raise InvalidRequest([*problems, *query_problems])
    zone = query.get(ZONE, "UTC")
    days, beginnings = _cut_days(first, last, zone)
    return CalendarQuery(conditions, zone, days, beginnings, bool(has_plans), bool(is_full))


def read_zone(text: str) -> str:
    """Return the name of a time zone. Raises ValueError."""
    parse_zone(text)
    return text


def _cut_days(first: date, last: date, zone: str) -> tuple[list[date], list[datetime]]:
    """Return the days from the first to the last, and their beginnings with the end. Raises InvalidRequest."""
    if first > last:
        raise InvalidRequest(Problem("from is after to", "invalid_field_value", "from"))
    if (last - first).days >= MOST_DAYS:
        raise InvalidRequest(Problem(f"from and to may be at most {MOST_DAYS} days", "invalid_field_value", "to"))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    begin = partial(day_beginning, zone=parse_zone(zone))
    try:
        return days, [*map(begin, days), begin(last + timedelta(days=1))]
    except OverflowError:
        raise InvalidRequest(Problem("to is out of range", "invalid_field_value", "to")) from None


def _read_date(text: str) -> date:
    try:
        return parse_date(text)
    except NoSuchTime as error:
        raise ValueError(f"names a day that does not exist: {error}") from None
    except ValueError:
        raise ValueError("must be an ISO 8601 date such as 2026-01-31") from None


MOST_OF_DAY = 20
"""Entries of each kind on a day."""
MOST_QUEUES = 20
"""Queues whose slots are computed for one answer: up to 2,000 slots each."""
MOST_SERIES = 50
"""Series whose occurrences are computed for one answer, the newest."""
MOST_CAMPAIGNS = 100
"""Campaigns whose blackouts are read for one answer, the newest."""


class DayPlans:
    """The plans of one day."""

    def __init__(self) -> None:
        self.slots: list[CalendarSlotView] = []
        self.planned: list[CalendarOccurrenceView] = []
        self.blackouts: list[CalendarBlackoutView] = []


async def read_plans(deps: Dependencies, workspace_id: str, query: CalendarQuery) -> Sequence[DayPlans]:
    """Return the plans of each day, by which accounts and campaigns the posts are chosen.

    A status, a tag and a platform choose posts alone: a slot or an occurrence has no status yet.
    """
    conditions, now = query.conditions, datetime.now(UTC)
    days = [DayPlans() for _ in query.days]
    chooses_posts = bool(
        conditions.statuses or conditions.target_statuses or conditions.tags or conditions.platform is not None
    )
    async with deps.database.reading() as session, loop_share(HEAVY) as share:
        queues = await _queues(session, workspace_id, conditions)
        campaigns = await _campaigns(session, workspace_id, conditions)
        await share.pause()
        owners: list[Campaign | Queue] = [*campaigns, *queues]
        for owner in owners:
            _add_blackouts(owner, query, days)
        for queue in queues if not chooses_posts else ():
            await _add_slots(session, queue, query, days, now)
            await share.pause()
        if not chooses_posts and conditions.account_id is None:
            series_of_calendar = await list_series(
                session, workspace_id, MOST_SERIES, campaign_id=conditions.campaign_id
            )
            for series in series_of_calendar:
                try:
                    coming = await planned_occurrences(session, series, query.beginnings[0], query.beginnings[-1], now)
                except UnknownZone:
                    continue
                for occurrence in coming:
                    entry: CalendarOccurrenceView = {
                        "seriesId": series.id,
                        "name": series.name,
                        "occurrence": occurrence.key,
                        "at": rfc3339(occurrence.instant),
                        "local": _local(occurrence.instant, query.zone),
                    }
                    _day(query, days, occurrence.instant).planned.append(entry)
                await share.pause()
    for day in days:
        day.slots = sorted(day.slots, key=lambda slot: slot["at"])[:MOST_OF_DAY]
        day.planned = sorted(day.planned, key=lambda entry: entry["at"])[:MOST_OF_DAY]
        day.blackouts = day.blackouts[:MOST_OF_DAY]
    return days


async def _queues(session: AsyncSession, workspace_id: str, conditions: Filter) -> Sequence[Queue]:
    """Return the queues of the account that is asked for, or all."""
    if conditions.campaign_id is not None:
        return ()
    queues = await list_queues(session, workspace_id)
    if conditions.account_id is not None:
        accounts = await accounts_of_queues(session, [queue.id for queue in queues])
        asked = conditions.account_id
        queues = [queue for queue in queues if asked in {account_id for _, account_id in accounts[queue.id]}]
    return queues[:MOST_QUEUES]


async def _campaigns(session: AsyncSession, workspace_id: str, conditions: Filter) -> Sequence[Campaign]:
    if conditions.campaign_id is None:
        campaigns = await list_campaigns(session, workspace_id, MOST_CAMPAIGNS)
    else:
        campaign = await find_row(session, Campaign, workspace_id, conditions.campaign_id)
        campaigns = [campaign] if campaign else []
    return [campaign for campaign in campaigns if campaign_status(campaign) is not CampaignStatus.ENDED]


async def _add_slots(
    session: AsyncSession, queue: Queue, query: CalendarQuery, days: Sequence[DayPlans], now: datetime
) -> None:
    # A day more on both sides, because the queue may have another zone than the calendar.
    first, last = query.days[0] - timedelta(days=1), query.days[-1] + timedelta(days=1)
    taken = await posts_in_slots(session, queue.id, first, last)
    rule = slot_rule(queue)
    try:
        free = [slot.instant for slot in rule.slots(first, last) if slot_status(rule, slot, now) is SlotStatus.FREE]
    except UnknownZone:
        return
    for instant in free:
        if instant not in taken and query.beginnings[0] <= instant < query.beginnings[-1]:
            entry: CalendarSlotView = {
                "queueId": queue.id,
                "name": queue.name,
                "at": rfc3339(instant),
                "local": _local(instant, query.zone),
            }
            _day(query, days, instant).slots.append(entry)


def _add_blackouts(owner: Campaign | Queue, query: CalendarQuery, days: Sequence[DayPlans]) -> None:
    """Add the blackouts of a campaign or queue to each day of which they cover a part."""
    near = timedelta(days=1)
    blackouts: Iterable[Blackout] = map(Blackout.from_json, owner.blackouts)
    for blackout in blackouts:
        if blackout.first > query.days[-1] + near or blackout.last < query.days[0] - near:
            continue
        try:
            begin, end = blackout.range_in(owner.timezone)
        except UnknownZone:
            continue
        entry: CalendarBlackoutView = {"name": owner.name, "reason": blackout.reason}
        entry["campaignId" if isinstance(owner, Campaign) else "queueId"] = owner.id
        for day, day_begin, day_end in zip(days, query.beginnings, query.beginnings[1:], strict=False):
            if begin < day_end and end > day_begin:
                day.blackouts.append(entry)


def _day(query: CalendarQuery, days: Sequence[DayPlans], instant: datetime) -> DayPlans:
    return days[bisect_right(query.beginnings, instant) - 1]


def _local(instant: datetime, zone: str) -> str:
    return local_time(instant, zone) or rfc3339(instant)[:-1]
