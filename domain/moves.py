"""Posts that move to another time together, and chains of posts that are published some time after one another."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.campaigns import CampaignRules
from domain.post import PostStatus
from domain.schedule import ScheduledTime, Shift, UnknownZone, horizon, parse_shift, shifted, zone_named

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


MOST_POSTS = 10
"""Posts of a chain, the first and the last included."""
LONGEST_DELAY = timedelta(days=365)
"""The longest time between a post and the one that follows it."""


class OnFailure(StrEnum):
    """The effect on a post if the one that it waits for has failed."""

    SKIP = "skip"
    """It waits no more, and stays a draft."""
    WAIT = "wait"
    """It waits until a retry has published that one."""


@dataclass(frozen=True, slots=True)
class FirstPost:
    """The post for which another one waits."""

    status: PostStatus
    published_at: datetime | None


class FollowDecision(StrEnum):
    """The decision on a waiting post."""

    WAIT = "wait"
    SCHEDULE = "schedule"
    """The first post is public somewhere and its publishing is over."""
    FAILED = "failed"
    """The first post has failed, and the other one does not wait for its retry."""
    DELETED = "deleted"
    """The first post is deleted: it will never be published."""


def decide_follow(first: FirstPost | None, on_failure: OnFailure) -> FollowDecision:
    """Decide what becomes of a post that waits for another one, which is None if it is deleted."""
    if first is None:
        return FollowDecision.DELETED
    if first.status.is_open or first.status is PostStatus.DRAFT:
        return FollowDecision.WAIT
    if first.published_at is not None:
        return FollowDecision.SCHEDULE
    fails = first.status is PostStatus.FAILED and on_failure is OnFailure.SKIP
    # Without a time it may be public or not, until a person says so; or a retry may publish it.
    return FollowDecision.FAILED if fails else FollowDecision.WAIT


def parse_delay(text: str) -> Shift:
    """Parse the delay of a post after another one. Raises ValueError if it is no duration, negative or too long."""
    delay = parse_shift(text)
    if delay.days < 0 or delay.exact < timedelta(0):
        raise ValueError("the delay is negative")
    if timedelta(days=delay.days) + delay.exact > LONGEST_DELAY:
        raise ValueError("the delay is too long")
    return delay


def follow_time(published_at: datetime, delay: str | None, zone: str) -> datetime:
    """Return when a post is due whose first post was published at a time; days are days of its zone.

    Raises UnknownZone.
    """
    published = ScheduledTime(published_at, None, zone)
    return shifted(published, parse_delay(delay)).instant if delay else published_at
