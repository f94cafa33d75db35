"""What may be sent to a post's workflow, and what it answers."""

from datetime import datetime

from pydantic import BaseModel

from domain.post import PostStatus, TargetStatus

ALREADY_PUBLISHING = "already_publishing"
NOTHING_TO_RETRY = "nothing_to_retry"
NOT_UNCONFIRMED = "conflict"
NOT_EDITABLE = "edit_not_supported"
"""Types of the refusals that validators answer with."""


class Amendment(BaseModel):
    """Name a saved change of a scheduled post, and why it is made where no client asked for it."""

    revision_id: str
    request_id: str | None = None
    reason: str | None = None


class Deletion(BaseModel):
    """Say whether whoever asks for the deletion knew the post as one of which nothing is public."""

    unsent: bool = False


class EditRequest(BaseModel):
    """Name a saved edit of a published post, and the targets whose rows were published when it was saved."""

    revision_id: str
    request_id: str | None = None
    target_ids: list[str] = []
    """None are named by an operator's signal: all that can be edited are meant."""


class Resolution(BaseModel):
    """Say what a person found out about an unconfirmed target."""

    target_id: str
    published: bool
    platform_post_id: str | None = None
    request_id: str | None = None


class TargetView(BaseModel):
    """Show where one target stands."""

    target_id: str
    platform: str
    account_id: str
    status: TargetStatus
    error_code: str | None = None
    platform_post_id: str | None = None
    platform_post_url: str | None = None


class StatusView(BaseModel):
    """Show where a post stands, and what its workflow waits for."""

    post_id: str
    status: PostStatus
    due_at: datetime
    waiting_for: str
    targets: list[TargetView]
