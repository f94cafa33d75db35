"""The plan and the state of a campaign, as its workflow carries and shows them: ids, times, counts and names."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.campaigns import CampaignStatus
from domain.pauses import MissedPolicy
from domain.post import PostStatus

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
