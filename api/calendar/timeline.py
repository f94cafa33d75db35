"""The timeline of a campaign: how many of its posts are on each day, by status and by platform."""

from datetime import timedelta
from typing import Annotated

from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.posts.counts import MOST_COUNTED
from api.posts.filters import parse_zone
from api.views import described, view
from domain.errors import InvalidRequest, NotFound, Problem
from domain.schedule import day_beginning
from domain.workspaces import ViewDetail
from store.campaigns.progress import count_days, read_period
from store.models import Campaign
from store.rows import find_row
from store.workspaces.calendar_views import Viewer

MOST_TIMELINE_DAYS = 4_000
"""Days of a timeline: posts are kept for years, and may be scheduled five years ahead."""
_UNKNOWN = Problem("This workspace has no such campaign", "not_found")
_TOO_MANY = Problem(f"The campaign has more than {MOST_COUNTED:,} posts, or too many days", "invalid_field_value")


@view("TimelineDay")
class TimelineDayView(TypedDict):
    """The posts of a campaign on one day."""

    date: Annotated[str, described("The day, in the timeline's `timezone`.", "2030-12-03")]
    total: Annotated[int, described("How many posts it has.", 12)]
    statuses: Annotated[dict[str, int], described("How many of each status.", {"scheduled": 11, "draft": 1})]
    platforms: Annotated[
        dict[str, int], described("How many for each platform; a post to several counts for each.", {"twitter": 12})
    ]


@view("Timeline")
class TimelineView(TypedDict):
    """The days of a campaign."""

    timezone: Annotated[str, described("The time zone in which the days begin and end.", "Europe/Berlin")]
    days: Annotated[list[TimelineDayView], described("Those with posts, the first one first.")]
    withoutTime: Annotated[int, described("How many drafts have no time, and so no day.", 3)]


async def read_timeline(
    deps: Dependencies, workspace_id: str, viewer: Viewer | None, campaign_id: str, zone: str | None
) -> TimelineView:
    """Return the timeline of a campaign, by default in its own zone. Raises NotFound, InvalidRequest."""
    if not campaign_id.isprintable() or (viewer and not _shows(viewer, campaign_id)):
        raise NotFound(_UNKNOWN)
    async with deps.database.reading() as session:
        campaign = await find_row(session, Campaign, workspace_id, campaign_id)
    if campaign is None:
        raise NotFound(_UNKNOWN)
    zone = zone or campaign.timezone
    with deps.counts.take(f"views.{workspace_id}" if viewer else workspace_id):
        period = await read_period(deps.database, workspace_id, campaign_id, MOST_COUNTED)
        answer = TimelineView(timezone=zone, days=[], withoutTime=period.timeless)
        if period.first is None or period.last is None:
            return answer
        clock = parse_zone(zone)
        first, last = (moment.astimezone(clock).date() for moment in (period.first, period.last))
        if period.total > MOST_COUNTED or (last - first).days >= MOST_TIMELINE_DAYS:
            raise InvalidRequest(_TOO_MANY)
        dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        beginnings = [day_beginning(date, clock) for date in dates]
        counts = await count_days(deps.database, workspace_id, campaign_id, beginnings, MOST_COUNTED)
    days: dict[int, TimelineDayView] = {}
    for count in counts:
        day = days.setdefault(
            count.day, {"date": dates[count.day].isoformat(), "total": 0, "statuses": {}, "platforms": {}}
        )
        if count.status is not None:
            day["statuses"][count.status] = count.posts
            day["total"] += count.posts
        elif count.platform is not None and not (viewer and viewer.detail is ViewDetail.BUSY):
            day["platforms"][count.platform] = count.posts
    answer["days"] = list(days.values())
    return answer


def _shows(viewer: Viewer, campaign_id: str) -> bool:
    """Return whether a view shows all posts of a campaign, and that they belong to it."""
    any_campaign = viewer.campaign_id is None and viewer.detail is not ViewDetail.BUSY
    return viewer.account_id is None and (any_campaign or viewer.campaign_id == campaign_id)
