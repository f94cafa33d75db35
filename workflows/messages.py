"""The messages to a post's workflow, and its responses."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from domain.post import PostStatus, TargetStatus

MEMO_POST = "post"
"""The key in a run's memo for the id of its post: several posts may have had the same workflow id."""


class Rejection(StrEnum):
    """The type of the error with which a validator rejects an update."""

    NOT_EDITABLE = "edit_not_supported"
    ANOTHER_POST = "another_post"
    """The run is another post's, which has the same workflow id."""
    CANCELLED = "cancelled"
    """An operator has cancelled the run, which ends."""


class Unschedule(BaseModel):
    """The message that the post is a draft or deleted from a version on: nothing is to be published."""

    post_id: str
    version: int
    deleted: bool = False


class EditRequest(BaseModel):
    """A saved edit of a published post, and the targets whose rows were published when it was saved."""

    revision_id: str
    request_id: str | None = None
    target_ids: list[str] = []
    """An operator's signal names no target: all targets that can be edited are meant."""


class TargetStatusView(BaseModel):
    """The state of one target, for queries."""

    target_id: str
    platform: str
    account_id: str
    status: TargetStatus
    error_code: str | None = None
    platform_post_id: str | None = None
    platform_post_url: str | None = None


class StatusView(BaseModel):
    """The state of a post, and what its workflow waits for, for queries."""

    post_id: str
    version: int
    status: PostStatus
    due_at: datetime
    waiting_for: str
    targets: list[TargetStatusView]
