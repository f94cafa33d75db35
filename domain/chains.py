"""Chains: posts that wait for another post, and are published some time after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.post import PostStatus
from domain.schedule import ScheduledTime, Shift, parse_shift, shifted

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
