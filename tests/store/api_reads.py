"""The reads of the API that list what grows, for one workspace of many."""

from collections.abc import Sized
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import PostStatus, TargetStatus
from store.audit import account_events, deletions
from store.campaigns.progress import count_days, read_period
from store.database import Database
from store.events import FeedPosition, read_events
from store.posts.calendar import read_calendar, read_feed
from store.posts.counts import Grouping, count_planned, count_posts
from store.posts.history import read_history
from store.posts.list_filters import Filter, Order
from store.posts.lists import list_posts, read_shown_post
from store.posts.queries import count_kept, count_open
from store.publishing.targets import list_attempts
from store.webhooks.logs import LogFilter, read_log
from tests.store.background_reads import Rows

_LIMIT = 20


def list_filters(now: datetime, campaign_id: str, public_id: str) -> dict[str, Filter]:
    """Return the conditions by which posts are listed."""
    failed = (PostStatus.FAILED,)
    return {
        "newest": Filter(),
        "failed": Filter(statuses=failed),
        "unconfirmed": Filter(target_statuses=(TargetStatus.UNCONFIRMED,)),
        "scheduled, by time": Filter(statuses=(PostStatus.SCHEDULED,), order=Order.SCHEDULED),
        "changed, by time": Filter(updated_since=now - timedelta(days=90), order=Order.UPDATED),
        "of an account": Filter(account_id="acc_1"),
        "of a platform": Filter(platform="twitter"),
        "of a campaign": Filter(campaign_id=campaign_id),
        "of a campaign, failed": Filter(campaign_id=campaign_id, statuses=failed),
        "of a tag": Filter(tags=("spring",)),
        "by an external id": Filter(external_id="none"),
        "by a public id": Filter(platform_post_ids=(public_id,)),
    }


def list_reads(database: Database, workspace_id: str, filters: dict[str, Filter]) -> dict[str, Rows]:
    """Return the reads of lists of posts."""

    async def posts(conditions: Filter) -> Sized:
        return (await list_posts(database, workspace_id, conditions, _LIMIT)).posts

    return {f"list: {name}": lambda _, conditions=conditions: posts(conditions) for name, conditions in filters.items()}  # type: ignore[misc]


def post_reads(database: Database, workspace_id: str, post_id: str) -> dict[str, Rows]:
    """Return the reads of one post."""

    async def post() -> int:
        return int(await read_shown_post(database, workspace_id, post_id) is not None)

    return {
        "get": lambda _: post(),
        "history": lambda session: read_history(session, workspace_id, post_id, 100),
        "attempts": lambda session: list_attempts(session, post_id),
    }


def count_reads(database: Database, workspace_id: str) -> dict[str, Rows]:
    """Return the reads that count all posts of the workspace, by indexes alone."""

    async def by_status(session: AsyncSession) -> int:
        counts = await count_posts(session, workspace_id, Filter(), [Grouping.STATUS], most=100_000)
        return counts.total if counts else 0

    async def all_posts() -> int:
        return (await count_kept(database, workspace_id))[0]

    return {
        "count by status": by_status,
        "limits: open posts": lambda _: count_open(database, workspace_id, 10_000),
        "limits: all posts": lambda _: all_posts(),
    }


def plan_reads(database: Database, workspace_id: str, campaign_id: str, now: datetime) -> dict[str, Rows]:
    """Return the reads of calendars, campaigns and feeds of calendar programs."""
    days = [now + timedelta(days=day) for day in range(8)]

    async def calendar() -> int:
        period = await read_calendar(database, workspace_id, Filter(), days, most_of_day=20, most=10_000)
        return sum(day.total for day in period or ())

    async def campaign() -> int:
        return (await read_period(database, workspace_id, campaign_id, 10_000)).total

    async def timeline() -> int:
        return sum(count.posts for count in await count_days(database, workspace_id, campaign_id, days, 10_000))

    return {
        "calendar": lambda _: calendar(),
        "calendar feed": lambda _: read_feed(database, workspace_id, Filter(), now, None),
        "campaign": lambda _: campaign(),
        "timeline": lambda _: timeline(),
        "daily caps": lambda session: count_planned(session, workspace_id, ["acc_1"], days[0], days[-1], []),
    }


def record_reads(database: Database, workspace_id: str, event_id: str) -> dict[str, Rows]:
    """Return the reads of events, deliveries and audit lines."""

    async def events() -> Sized:
        return (await read_events(database, workspace_id, FeedPosition(), None, _LIMIT)).events

    logs = {
        "deliveries": LogFilter(),
        "deliveries that wait": LogFilter(state="waiting"),
        "deliveries of an event": LogFilter(event_id=event_id),
    }
    return {
        "events": lambda _: events(),
        **{
            name: lambda session, selection=selection: read_log(session, workspace_id, selection, None, _LIMIT)  # type: ignore[misc]
            for name, selection in logs.items()
        },
        "audit: deleted posts": lambda session: deletions(session, workspace_id, _LIMIT),
        "audit: an account": lambda session: account_events(session, workspace_id, "twitter", "acc_1", _LIMIT),
    }


def api_reads(
    database: Database,
    workspace_id: str,
    post_id: str,
    event_id: str,
    filters: dict[str, Filter],
    now: datetime,
) -> dict[str, Rows]:
    """Return all of these reads."""
    campaign_id = filters["of a campaign"].campaign_id or ""
    return {
        **list_reads(database, workspace_id, filters),
        **post_reads(database, workspace_id, post_id),
        **count_reads(database, workspace_id),
        **plan_reads(database, workspace_id, campaign_id, now),
        **record_reads(database, workspace_id, event_id),
    }
