"""The states of posts and targets, and how a post's status follows from its targets."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

PUBLISH_WITHIN_S = 24 * 60 * 60
"""Seconds after its due time in which a post may still be published, unless its client sets another number."""

LATE_AFTER = timedelta(seconds=60)
"""How long after its due time a post may not have begun before it is called late."""


class PostStatus(StrEnum):
    """The status of a post as a whole."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Return whether something is still to be done for the post: it must have a running workflow."""
        return self in {PostStatus.SCHEDULED, PostStatus.PUBLISHING}

    @property
    def has_begun(self) -> bool:
        """Return whether its publishing has begun, or is over."""
        return self not in {PostStatus.DRAFT, PostStatus.SCHEDULED}


class TargetStatus(StrEnum):
    """The status of a post on one account of one platform."""

    PENDING = "pending"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    """The request was sent and its answer lost: the post may be public. Never re-sent blindly, never called failed."""
    HELD = "held"
    """Surely not public; it waits for its account, the operator or the end of a pause (see HoldReason)."""

    @property
    def is_unsent(self) -> bool:
        """Return whether it may be sent: it is neither published, nor failed, nor unconfirmed."""
        return self in {TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.HELD}

    @property
    def may_be_public(self) -> bool:
        """Return whether people may see it on its platform."""
        return self in {TargetStatus.PUBLISHED, TargetStatus.UNCONFIRMED}

    @property
    def is_explained(self) -> bool:
        """Return whether its row has an explanation: why it failed, is held or could not be confirmed."""
        return self in {TargetStatus.FAILED, TargetStatus.UNCONFIRMED, TargetStatus.HELD}

    @property
    def may_have_a_time(self) -> bool:
        """Return whether its next attempt may have a time, before which nothing is sent."""
        return self in {TargetStatus.HELD, TargetStatus.PUBLISHING}


OPEN = tuple(status for status in PostStatus if status.is_open)
UNBEGUN = tuple(status for status in PostStatus if not status.has_begun)
UNSENT = tuple(status for status in TargetStatus if status.is_unsent)
RESULTS = tuple(status for status in TargetStatus if not status.is_unsent)
"""The statuses that a step's result leaves a target in. It is not sent again unless a person or a confirmation asks."""


class HoldReason(StrEnum):
    """The reason why a target is held, instead of failed."""

    RECONNECT = "account_needs_reconnecting"
    """Its platform no longer accepts the account's credentials, or the account is not connected at all."""
    CAP = "platform_cap"
    """The account has published as much as its platform allows for now."""
    OPERATOR = "operator_action_needed"
    """Its platform refuses this service's app until the operator has corrected that: approval, a product, credits."""
    PAUSED = "paused"
    """Its workspace, account, campaign or series is paused. Its time to be published stands still meanwhile."""


class ErrorCategory(StrEnum):
    """A category of failures by who must act on them."""

    AUTH = "auth"
    REJECTED = "rejected"
    RATE_LIMITED = "rate_limited"
    PLATFORM = "platform"
    UNCONFIRMED = "unconfirmed"
    INTERNAL = "internal"


class MediaType(StrEnum):
    """The type of a media item, as the client says."""

    IMAGE = "image"
    VIDEO = "video"
    GIF = "gif"
    DOCUMENT = "document"


MediaChangeKind = Literal["metadata_removed", "converted", "scaled", "compressed"]
"""What was done to a media file before its platform got it."""


class Media(BaseModel):
    """An image, video, GIF or document of a post, by its URL."""

    model_config = ConfigDict(frozen=True)

    type: MediaType
    url: str
    alt_text: str | None = None


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target's status; `confirming`: the worker still tries to confirm an unconfirmed target."""

    status: TargetStatus
    confirming: bool = False

    @property
    def moving(self) -> bool:
        """Return whether something is being done for this target now, or soon."""
        return not self.settled and self.status is not TargetStatus.HELD

    @property
    def settled(self) -> bool:
        """Return whether nothing more happens to this target by itself."""
        return self.status in {TargetStatus.PUBLISHED, TargetStatus.FAILED} or (
            self.status is TargetStatus.UNCONFIRMED and not self.confirming
        )


def post_status(targets: Iterable[TargetState]) -> PostStatus:
    """Derive the status of a post whose publishing has begun from its targets.

    A post with an unconfirmed target is never `failed`, because that target may be public.
    """
    states = list(targets)
    if not all(state.settled for state in states):
        return PostStatus.PUBLISHING
    statuses = {state.status for state in states}
    if statuses == {TargetStatus.PUBLISHED}:
        return PostStatus.PUBLISHED
    if statuses == {TargetStatus.FAILED}:
        return PostStatus.FAILED
    return PostStatus.PARTIAL


def is_moving(post: PostStatus, targets: Iterable[TargetState]) -> bool:
    """Return whether something is done for a post now, or soon. Held targets do not count: they may wait for hours."""
    return post.is_open and any(target.moving for target in targets)


def status_shown(status: PostStatus, due_at: datetime | None, now: datetime) -> PostStatus:
    """Return the status that clients see: `publishing` for a scheduled post whose time has come.

    Its row stays `scheduled`, and it can be changed and deleted, until a worker has begun. The end of a pause may have
    given it a later time than its client did.
    """
    due = status is PostStatus.SCHEDULED and due_at is not None and due_at <= now
    return PostStatus.PUBLISHING if due else status


def text_in_effect(content: str | None, custom_content: str | None) -> str:
    """Return the text of a target: its own if it has one, otherwise the post's."""
    return custom_content if custom_content is not None else content or ""


def public_text(edited_content: str | None, content: str | None, custom_content: str | None) -> str:
    """Return the text that a published target shows: that of its last edit, else the text that was sent."""
    return edited_content if edited_content is not None else text_in_effect(content, custom_content)


def media_in_effect(media: list[Media], custom_media: list[Media] | None) -> list[Media]:
    """Return the media of a target: its own if it has a list of them, even an empty one, otherwise the post's."""
    return custom_media if custom_media is not None else media
