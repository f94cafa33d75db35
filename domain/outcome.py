"""The outcome of a step towards a platform: the facts that a workflow may know."""

from datetime import datetime, timedelta

from pydantic import BaseModel

from domain.post import ErrorCategory, HoldReason, TargetStatus


class Outcome(BaseModel):
    """The state of a target after a step. Content and platforms' texts stay in the row."""

    status: TargetStatus
    confirming: bool = False
    incomplete: bool = False
    """Public, but something that follows (a permalink, a first comment) is still to be done."""
    stale: bool = False
    """Nothing was done, because the rows are not what the run knows: it reads them again."""
    early: timedelta | None = None
    """Nothing was done, because the post is not due yet by the worker's clock: how long it must still wait."""
    platform_post_id: str | None = None
    platform_post_url: str | None = None
    editable_until: datetime | None = None
    error_code: str | None = None
    resumes_at: datetime | None = None
    """When a target continues by itself, if known; it is held, or waits for its rate limit or its platform."""
    hold_reason: HoldReason | None = None
    """Why a held target is held."""
    error_category: ErrorCategory | None = None
    tries: int = 0
    """How often in a row its platform has refused it for now, if it waits for its platform."""


STALE = Outcome(status=TargetStatus.PENDING, stale=True)
"""The result of a step whose post has changed, is a draft, or is deleted."""
