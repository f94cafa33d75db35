"""Series: posts that recur by a rule, each occurrence with a post of its own."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.content import PostContent
from domain.queues import NEVER, TimeRanges
from domain.recurrence.expansion import FARTHEST, Occurrence, Pattern, S, Segment, expand

MOST_SERIES = 1_000
"""Series of a workspace."""
MOST_VARIATIONS = 50
"""Contents that occurrences of one series take in turn."""
MOST_SEGMENTS = 20
"""Changes of a series that begin at a time to come."""
MOST_SINGLE_WALLS = 500
"""Wall times that a series includes, and that it excludes, beside its rule: as many as it has posts ahead."""

AHEAD = timedelta(days=60)
"""How far ahead the posts of occurrences exist."""
LEAST_AHEAD, MOST_AHEAD = 3, 500
"""The fewest and the most posts that exist ahead of their time, however far that is."""
_WIDEST_OFFSET = timedelta(hours=26)
"""More than any wall time differs from UTC."""


class OccurrenceState(StrEnum):
    """The state of an occurrence in its series' ledger. Without an entry there was never a post for it."""

    MADE = "made"
    """Its post was made. The post may have been changed or deleted since; no other is made."""
    WITHDRAWN = "withdrawn"
    """A change of the series has deleted its post. Another change may bring it back."""


class OccurrenceShown(StrEnum):
    """The state of an occurrence as clients see it."""

    MADE = "made"
    """It has a post."""
    PLANNED = "planned"
    """It gets one when its time is near."""
    SKIPPED = "skipped"
    """It has none, or one that became a draft by itself; the reason says why."""


class OccurrenceReason(StrEnum):
    """The reason why an occurrence has no post, beside those of its rule and those of drafts."""

    DELETED = "deleted"
    """A person has deleted its post."""
    BLACKOUT = "blackout"
    OUTSIDE_WINDOW = "outside_window"
    DAY_TAKEN = "day_taken"
    """Its day has a post that a change of the series left as it was."""
    MISSED = "missed"
    """Its time had come before a post was made: no worker ran, or the workspace had no room."""


class SeriesStatus(StrEnum):
    """The status of a series."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Its gate is closed: posts that fall due are held."""
    ENDED = "ended"
    """No occurrence is to come."""


class SeriesContent(BaseModel):
    """The posts of a segment, as the client wrote them, and the content of each variation."""

    model_config = ConfigDict(frozen=True)

    post: dict[str, Any]
    variations: list[dict[str, Any]]
    contents: list[PostContent]


class SeriesSegment(Segment):
    """A segment with the content of its occurrences."""

    content: SeriesContent

    def content_at(self, occurrence: Occurrence, variation: int) -> PostContent:
        """Return the content of the post of an occurrence; `variation` counts on without an end."""
        contents = self.content.contents
        time = {"scheduled_for": occurrence.instant, "scheduled_wall": occurrence.key, "timezone": self.timezone}
        return contents[variation % len(contents)].model_copy(update=time)


SeriesPattern = Pattern[SeriesSegment]
"""The pattern of a series, whose segments say what its occurrences contain."""


def occurrences_ahead(pattern: Pattern[S], now: datetime, closed: TimeRanges = NEVER) -> Iterator[Occurrence]:
    """Yield the occurrences after `now` that should have posts now, in order.

    `closed`: when a campaign lets no post be published.
    """
    for number, occurrence in enumerate(islice(coming_occurrences(pattern, now, closed), MOST_AHEAD)):
        if number >= LEAST_AHEAD and occurrence.instant > now + AHEAD:
            return
        yield occurrence


def coming_occurrences(pattern: Pattern[S], now: datetime, closed: TimeRanges = NEVER) -> Iterator[Occurrence]:
    """Yield the occurrences after `now` that may have posts, in order, for as long as posts may be scheduled.

    Days that are closed cost no more than finding them: a campaign may be closed for years of 24 occurrences a day.
    """
    first = coming_from(now)
    return (
        occurrence
        for occurrence in expand(pattern, first, first + FARTHEST, closed.cover_day)
        if occurrence.skip is None and occurrence.instant > now and not closed.cover(occurrence.instant)
    )


def coming_from(now: datetime) -> datetime:
    """Return a wall time that is past in every zone, and before every wall time that comes."""
    return now.replace(tzinfo=None) - _WIDEST_OFFSET


def content_digest(content: PostContent) -> bytes:
    """Return the digest by which a post that was changed alone is told from one that is as its series wrote it.

    It leaves out the instant, which new time zone data may move, and the campaign, which the post may leave. Values
    that are defaults are left out, so that a new field of a later release changes no digest.
    """
    document = content.model_dump(mode="json", exclude={"scheduled_for", "campaign_id"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
