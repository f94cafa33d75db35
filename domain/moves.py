"""Posts that move to another time together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.campaigns import CampaignRules
from domain.schedule import ScheduledTime, Shift, horizon, shifted
from domain.zones import UnknownZone, zone_named

MOST_MOVED = 10_000
"""Posts that one operation moves: it takes three seconds for as many, and holds their rows as long."""
_PIECE = 1_000
"""Posts whose times are computed before other work of the process continues: 6 ms of them."""
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A post of which nothing was sent, and its time."""

    id: str
    schedule: ScheduledTime
    is_draft: bool = False
    has_begun: bool = False
    """Whether a worker has begun to publish it, and a pause holds it."""


@dataclass(frozen=True, slots=True)
class Move:
    """A post and its new time."""

    post: PlannedPost
    to: ScheduledTime


class Obstacle(StrEnum):
    """The reason why posts do not move."""

    IN_PAST = "would be due in the past"
    TOO_FAR = "would be due more than 5 years ahead"
    OUTSIDE_WINDOW = "would be due before their campaign starts, or after its end"
    IN_BLACKOUT = "would be due in a blackout of their campaign"
    NO_ZONE = "would need a time zone that no longer exists, their own or that of their campaign"
    TOO_MANY = "would move together, which is too many: move those of a shorter time first"


class MoveRefused(Exception):
    """An error: posts cannot move to their new times. Nothing moves. The text is for people."""

    def __init__(self, obstacle: Obstacle, post_ids: Sequence[str]) -> None:
        number = "1 post" if len(post_ids) == 1 else f"{len(post_ids):,} posts"
        super().__init__(f"Nothing was moved: {number} {obstacle}")
        self.obstacle = obstacle
        self.post_ids = post_ids


async def move_all(
    posts: Sequence[PlannedPost], shift: Shift, now: datetime, campaign: CampaignRules | None = None
) -> list[Move]:
    """Return the new times of posts, all of which must be in the future and allowed by their campaign.

    Drafts may have any time. Raises MoveRefused, ValueError if a date is out of range.
    """
    require_zones(posts, campaign)
    moves = []
    for number, post in enumerate(posts, 1):
        moves.append(Move(post, shifted(post.schedule, shift)))
        if number % _PIECE == 0:
            await asyncio.sleep(0)
    last = horizon(now)
    due = [move for move in moves if not move.post.is_draft]
    _refuse(Obstacle.IN_PAST, [move for move in due if move.to.instant <= now])
    _refuse(Obstacle.TOO_FAR, [move for move in due if move.to.instant > last])
    if campaign is not None:
        starts_at, ends_at = campaign.starts_at or now, campaign.ends_at or last
        _refuse(Obstacle.OUTSIDE_WINDOW, [move for move in due if not starts_at <= move.to.instant < ends_at])
        ranges = [blackout.range_in(campaign.timezone) for blackout in campaign.blackouts]
        _refuse(
            Obstacle.IN_BLACKOUT, [move for move in due if any(first <= move.to.instant < end for first, end in ranges)]
        )
    return moves


def require_zones(posts: Sequence[PlannedPost], campaign: CampaignRules | None = None) -> None:
    """Raise MoveRefused if the time zone of a post, or of the campaign of all, no longer exists."""
    gone = {zone for zone in {post.schedule.zone for post in posts} if not _exists(zone)}
    _refuse_posts(Obstacle.NO_ZONE, [post for post in posts if post.schedule.zone in gone])
    if campaign is not None and not _exists(campaign.timezone):
        _refuse_posts(Obstacle.NO_ZONE, posts)


def _exists(zone: str) -> bool:
    try:
        zone_named(zone)
    except UnknownZone:
        return False
    return True


def _refuse(obstacle: Obstacle, moves: Sequence[Move]) -> None:
    _refuse_posts(obstacle, [move.post for move in moves])


def _refuse_posts(obstacle: Obstacle, posts: Sequence[PlannedPost]) -> None:
    if posts:
        raise MoveRefused(obstacle, [post.id for post in posts])


def fewest_days(posts: Sequence[PlannedPost], now: datetime) -> int:
    """Return the fewest days of wall time by which all of these posts move into the future. Raises MoveRefused."""
    require_zones(posts)
    days = 0
    for post in posts:
        days = max(days, (now - post.schedule.instant).days, 1)
        while shifted(post.schedule, Shift(days, _NO_TIME)).instant <= now:
            days += 1
    return days
