"""The fields of a campaign as a body gives them, beside those that it has."""

from datetime import datetime
from typing import Any

from api.campaigns.bodies import CampaignFieldsBody
from api.http.moments import read_moment
from api.posts.bodies.blackouts import read_blackouts
from domain.errors import InvalidRequest, Problem
from domain.schedule import ScheduledTime, UnknownZone, horizon
from store.campaigns.campaigns import CampaignFields


def read_fields(body: CampaignFieldsBody, name: str, before: CampaignFields | None, now: datetime) -> CampaignFields:
    """Return the fields of a campaign: those of a valid body, and the others as they are. Raises InvalidRequest.

    `before`: what the campaign has; None if it is new.
    """
    before = before or CampaignFields(name)
    set_names = body.model_fields_set
    zone = body.timezone or before.timezone
    problems: list[Problem] = []
    starts = _read_time("startsAt", body.starts_at, zone, problems) if "starts_at" in set_names else before.starts
    ends = _read_time("endsAt", body.ends_at, zone, problems) if "ends_at" in set_names else before.ends
    blackouts = read_blackouts(body.blackouts or [], problems) if "blackouts" in set_names else before.blackouts
    if zone != before.timezone:
        starts, ends = _in_zone(starts, zone, problems), _in_zone(ends, zone, problems)
    if ends is not None and ends != before.ends and ends.instant <= now:
        sentence = "endsAt is in the past: to end a campaign now, use POST /v1/campaigns/{campaignId}/end"
        problems.append(Problem(sentence, "invalid_field_value", "endsAt"))
    for param, time in ("startsAt", starts), ("endsAt", ends):
        if time is not None and time.instant > horizon(now):
            problems.append(Problem(f"{param} is more than 5 years ahead", "invalid_field_value", param))
    if starts is not None and ends is not None and starts.instant >= ends.instant:
        problems.append(Problem("endsAt must be after startsAt", "invalid_field_value", "endsAt"))
    if problems:
        raise InvalidRequest(problems)
    tags = tuple(body.tags or ()) if "tags" in set_names else before.tags
    return CampaignFields(name, tags, zone, starts, ends, blackouts)


def _read_time(param: str, text: Any, zone: str, problems: list[Problem]) -> ScheduledTime | None:
    return None if text is None else read_moment(param, text, zone, problems)


def _in_zone(time: ScheduledTime | None, zone: str, problems: list[Problem]) -> ScheduledTime | None:
    try:
        return time and time.in_zone(zone)
    except UnknownZone:
        problems.append(_no_zone(zone))
        return None


def _no_zone(zone: str) -> Problem:
    return Problem(f"The time zone {zone} no longer exists; give another timezone", "invalid_field_value", "timezone")
