"""Campaigns: posts that are planned, watched, paused and ended together, and their state as workflows show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from domain.errors import Problem
from domain.pauses import MissedPolicy
from domain.post import PostStatus
from domain.schedule import resolve, rfc3339


class CampaignStatus(StrEnum):
    """The status of a campaign."""

    DRAFT = "draft"
    """Its posts are drafts until it is started."""
    ACTIVE = "active"
    PAUSED = "paused"
    """Its gate is closed by hand until it is resumed."""
    ENDED = "ended"
    """Its gate is closed for good, and what was not sent has become a draft."""

    def at(self, now: datetime, ends_at: datetime | None) -> "CampaignStatus":
        """Return the status at a moment: whatever the row says, a campaign has ended when its end has passed."""
        return CampaignStatus.ENDED if ends_at is not None and ends_at <= now else self


class OperationKind(StrEnum):
    """A kind of operation: on a campaign, or on many posts in one step."""

    CREATED = "created"
    CHANGED = "changed"
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    SHIFTED = "shifted"
    ENDED = "ended"
    DELETED = "deleted"
    IMPORTED = "imported"


@lru_cache(maxsize=1_000)
def _beginning(day: date, zone: str) -> datetime:
    """Return the first instant of a day. Cached: each of 10,000 posts is compared with each blackout."""
    return resolve(day.isoformat() + "T00:00:00", zone).instant


class UnsentPosts(StrEnum):
    """The outcome of the posts of a deleted campaign that are drafts, scheduled or being published."""

    KEEP = "keep"
    """They leave the campaign, and are published as they are scheduled."""
    DELETE = "delete"
    """They are deleted. A post whose publishing has begun leaves the campaign instead."""


@dataclass(frozen=True, slots=True)
class Blackout:
    """Days of a campaign's zone on which its posts are not sent; `last` is one of them."""

    first: date
    last: date
    reason: str | None = None

    def range_in(self, zone: str) -> tuple[datetime, datetime]:
        """Return the first instant of the blackout, and the first after it. Raises UnknownZone."""
        return _beginning(self.first, zone), _beginning(self.last + timedelta(days=1), zone)

    def as_json(self) -> dict[str, str]:
        """Return the blackout as its row keeps it and as clients write it."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return days if self.reason is None else days | {"reason": self.reason}

    @classmethod
    def from_json(cls, document: dict[str, str]) -> "Blackout":
        """Return the blackout of a row."""
        first, last = date.fromisoformat(document["from"]), date.fromisoformat(document["to"])
        return cls(first, last, document.get("reason"))


@dataclass(frozen=True, slots=True)
class CampaignRules:
    """The rules of a campaign for its posts: its status, and the times for which they may be scheduled."""

    id: str
    status: CampaignStatus
    timezone: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()

    @property
    def keeps_drafts(self) -> bool:
        """Return whether its posts are drafts until it is started, even if they have a time."""
        return self.status is CampaignStatus.DRAFT

    @property
    def closed_ranges(self) -> Iterator[tuple[datetime, datetime | None]]:
        """Yield when its gate is planned to be closed: in blackouts, and for good from its end. Raises UnknownZone."""
        for blackout in self.blackouts:
            yield blackout.range_in(self.timezone)
        if self.ends_at is not None:
            yield self.ends_at, None

    def find_problem(self, status: PostStatus, due_at: datetime | None, *, joins: bool = True) -> Problem | None:
        """Return why a post of this status and time may not be the campaign's. Raises UnknownZone.

        `joins`: it is not the campaign's yet. The drafts of a campaign that has ended stay its drafts.
        """
        if self.status is CampaignStatus.ENDED and (joins or status is not PostStatus.DRAFT):
            return CAMPAIGN_HAS_ENDED
        if status is PostStatus.DRAFT or due_at is None:
            return None
        if self.keeps_drafts:
            return _NOT_STARTED
        param = "scheduledFor" if status is PostStatus.SCHEDULED else "publishNow"
        if self.starts_at is not None and due_at < self.starts_at:
            sentence = f"The post would be due before its campaign starts at {rfc3339(self.starts_at)}"
            return Problem(sentence, "outside_window", param)
        if self.ends_at is not None and due_at >= self.ends_at:
            sentence = f"The post would be due after its campaign ends at {rfc3339(self.ends_at)}"
            return Problem(sentence, "outside_window", param)
        blackout = self.blackout_at(due_at)
        if blackout is not None:
            sentence = f"The post would be due in a blackout of its campaign, from {blackout.first} to {blackout.last}"
            return Problem(sentence, "in_blackout", param)
        return None

    def blackout_at(self, moment: datetime) -> Blackout | None:
        """Return the blackout in which a moment lies. Raises UnknownZone."""
        for blackout in self.blackouts:
            first, end = blackout.range_in(self.timezone)
            if first <= moment < end:
                return blackout
        return None


CAMPAIGN_HAS_ENDED = Problem(
    "The campaign has ended: give the post another campaignId, or none", "campaign_ended", "campaignId"
)
_NOT_STARTED = Problem(
    "The campaign is a draft, and so are its posts: start it to publish them (POST /v1/campaigns/{campaignId}/start)",
    "campaign_not_started",
    "campaignId",
)

MOST_CAMPAIGNS = 1_000
"""Campaigns of a workspace."""
MOST_BLACKOUTS = 200
"""Blackouts of a campaign."""


SOON = timedelta(hours=1)
_AFTER_DUE, _BEHIND = timedelta(minutes=1), timedelta(seconds=10)
_BUSY, _IDLE = timedelta(minutes=10), timedelta(hours=6)
"""How long the state is shown at most while a post is due within the hour, and otherwise."""


class CampaignPlan(BaseModel):
    """The campaign of a workflow. Fields are only added, with defaults, because histories are kept for years."""

    model_config = ConfigDict(frozen=True)

    campaign_id: str
    workspace_id: str


class TimedChange(StrEnum):
    """A change of a campaign that has a time."""

    RESUME = "resume"
    """Its pause ends, as was said when it began."""
    END = "end"
    """It ends, because its `endsAt` has passed. Its gate is closed from that moment on, whatever happens here."""


class PauseRequest(BaseModel):
    """An operator's request for a pause."""

    reason: str | None = None


class ResumeRequest(BaseModel):
    """An operator's request for the end of a pause."""

    missed: MissedPolicy | None = None
    spacing_s: int = 0


class NextPost(BaseModel):
    """A post that is scheduled, and its time."""

    post_id: str
    due_at: datetime


class CampaignState(BaseModel):
    """The state of a campaign. Fields are only added, with defaults."""

    name: str
    workspace: str = ""
    status: CampaignStatus
    ends_at: datetime | None = None
    posts: dict[PostStatus, int] = {}
    behind: int = 0
    """Posts whose workflows do not know their newest version yet."""
    skipped: int = 0
    missed: int = 0
    """Posts that fell due during its pause."""
    paused_since: datetime | None = None
    paused_by: str | None = None
    reason: str | None = None
    resume_at: datetime | None = None
    resume_missed: MissedPolicy | None = None
    next_posts: list[NextPost] = []
    last_operation: str | None = None
    due_change: TimedChange | None = None
    """A change whose time has come."""
    again_in: timedelta = _IDLE
    """How long this state may be shown."""

    @property
    def total(self) -> int:
        """Return the number of its posts."""
        return sum(self.posts.values())

    @property
    def open_posts(self) -> int:
        """Return the number of its posts for which something is still to be done."""
        return sum(number for status, number in self.posts.items() if status.is_open)

    @property
    def is_over(self) -> bool:
        """Return whether nothing can happen to it any more by itself."""
        return self.status is CampaignStatus.ENDED and self.open_posts == 0

    def until_next_look(self, now: datetime) -> timedelta:
        """Return how long this state may be shown: until something happens, and never for long before that."""
        if self.behind:
            return _BEHIND
        times = [time for time in (self.ends_at, self.resume_at) if time is not None and time > now]
        next_due = self.next_posts[0].due_at if self.next_posts else None
        times += [next_due + _AFTER_DUE] if next_due else []
        is_busy = self.posts.get(PostStatus.PUBLISHING, 0) > 0 or (next_due is not None and next_due <= now + SOON)
        longest = _BUSY if is_busy else _IDLE
        return max(min([longest, *(time - now for time in times)]), timedelta(seconds=1))
