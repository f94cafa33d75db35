"""The outcome of a step towards a platform: the facts that a workflow may know of it."""

from datetime import datetime, timedelta

from pydantic import BaseModel

from domain.post import ErrorCategory, HoldReason, TargetStatus


class Outcome(BaseModel):
    """The state of a target after a step. Content and platforms' texts stay in the row."""

    status: TargetStatus
    confirming: bool = False
    incomplete: bool = False
    """Whether it is public and still lacks a later step, such as a permalink or a first comment."""
    stale: bool = False
    """Whether nothing was done because the post's row differs from the run's plan: the run must read the row."""
    early: timedelta | None = None
    """How long the post must still wait, if nothing was done because it is not due yet by the worker's clock."""
    platform_post_id: str | None = None
    platform_post_url: str | None = None
    editable_until: datetime | None = None
    error_code: str | None = None
    resumes_at: datetime | None = None
    """When its next try is, if it is held or refused for now, or waits for its account's rate limit."""
    hold_reason: HoldReason | None = None
    """The reason if it is held."""
    error_category: ErrorCategory | None = None
    tries: int = 0
    """How often in a row its platform has refused it for now, if it waits for its platform."""

    @property
    def did_nothing(self) -> bool:
        """Return whether the step did nothing because of the row's state."""
        return self.stale or self.early is not None


STALE = Outcome(status=TargetStatus.PENDING, stale=True)
"""The result of a step whose post has changed, is a draft, or is deleted."""
