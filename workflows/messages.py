"""The messages to a post's workflow, and its responses."""

from datetime import datetime

from pydantic import BaseModel

from domain.post import PostStatus, TargetStatus

NOT_EDITABLE = "edit_not_supported"
ANOTHER_POST = "another_post"
CANCELLED = "cancelled"
"""Types of the errors with which validators reject an update."""

MEMO_POST = "post"
"""The key in a run's memo for the id of its post: several posts may have had the same workflow id."""


class Unschedule(BaseModel):
    """The message that from a version on the post is not to be published: it is a draft, or deleted."""

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
