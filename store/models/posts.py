"""Posts and their targets. Content is stored here and nowhere else; workflows carry ids."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from domain.ownership import undelivered_since
from domain.post import PostStatus, TargetState, TargetStatus, is_moving
from store.models.base import Base, Id, WorkspaceRow


class Post(WorkspaceRow):
    """A post: the request, and its progress. Every change locks the row first (domain.ownership)."""

    __tablename__ = "posts"

    workflow_id: Mapped[str] = mapped_column(Id)
    status: Mapped[str]
    content: Mapped[str | None]
    media_items: Mapped[list[dict[str, Any]]]
    tags: Mapped[list[str]]
    timezone: Mapped[str]
    scheduled_for: Mapped[datetime | None]
    scheduled_wall: Mapped[str | None]
    """The wall time as the client gave it, if it gave no offset; `scheduled_for` is the resolved instant."""
    external_id: Mapped[str | None] = mapped_column(Id)
    """The client's own id, unique in the workspace as long as the post exists."""
    external_digest: Mapped[str | None]
    """The digest of the body that created the post, in hexadecimal; null without an `external_id`."""
    planned_for: Mapped[datetime | None]
    """The old `scheduled_for`, if the post was published ahead of it."""
    tiktok_settings: Mapped[dict[str, Any]]
    facebook_settings: Mapped[dict[str, Any]]
    due_at: Mapped[datetime | None]
    """When publishing begins; null for a draft."""
    answer_bytes: Mapped[int]
    """The size in bytes of its JSON in a response (domain.content), by which the size of a page is limited."""
    publish_within: Mapped[int] = mapped_column(server_default=text("86400"))
    """Seconds after its due time (or a retry) in which it may still be published; after that it fails."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """The number of the newest change of the request; raised under the row's lock, never by the results of the post."""
    delivered_version: Mapped[int] = mapped_column(server_default=text("0"))
    """The newest version that its workflow is known to have; 0: no workflow was ever started."""
    next_delivery_at: Mapped[datetime | None]
    """When the sweep delivers the newest version: after a failure, or, without an attempt, of a bulk operation, whose
    turn may come earlier. Null in a settled post: the sweep leaves it."""
    delivery_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of the sweep's tries to deliver this version to its workflow."""
    skip_reason: Mapped[str | None]
    """Why a draft is one although it was scheduled (domain.pauses.SkipReason); null otherwise."""
    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The campaign that it is part of; changed only together with `version`."""
    after_post_id: Mapped[str | None] = mapped_column(Id)
    """The post that it waits for as a draft; null once it has a time. No foreign key: that one may be deleted."""
    after_delay: Mapped[str | None]
    """How long after that one it is published, as the client wrote it; null for right after it."""
    after_on_failure: Mapped[str | None]
    """What becomes of it if that one fails (domain.moves.OnFailure)."""
    series_id: Mapped[str | None] = mapped_column(Id)
    """The series of which it is an occurrence, with `occurrence`."""
    occurrence: Mapped[str | None]
    """The wall time that the rule of its series gave it, whatever its time is now. An index lets it have one post."""
    queue_id: Mapped[str | None] = mapped_column(Id)
    """The queue whose slot it has, with `scheduled_wall`. A trigger removes it when the post gets another time."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that created it."""
    untrusted_timeline: Mapped[str | None] = mapped_column(server_default=text("untrusted_timeline_v1()"))
    """The server's timeline at its creation, if its rows were not known to be complete (store.maintenance.servers)."""
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def is_delivered(self) -> bool:
        """Return whether its workflow is known to have the newest version."""
        return self.delivered_version >= self.version

    @property
    def undelivered_since(self) -> datetime:
        """Return the time from which the newest version, if it is not delivered, counts as waiting for delivery."""
        return undelivered_since(self.updated_at, self.next_delivery_at, self.delivery_attempts)

    @property
    def is_moving(self) -> bool:
        """Return whether a step for it is running or about to run; its targets must be loaded."""
        states = (TargetState(TargetStatus(target.status), target.confirming) for target in self.targets)
        return is_moving(PostStatus(self.status), states)

    targets: Mapped[list["Target"]] = relationship(
        back_populates="post",
        order_by="Target.position",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class Target(Base):
    """A post on one account: its content, and its progress."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int]
    platform: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    custom_content: Mapped[str | None]
    custom_media: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    settings: Mapped[dict[str, Any]]
    """platformSpecificData as sent; the root settings are merged under it when it is used."""
    status: Mapped[str]
    due_at: Mapped[datetime | None]
    """When its publishing begins: the post's due time, or when it was retried or found not to be public."""
    begun_at: Mapped[datetime | None]
    """When a worker began to publish it; null while it waits for a worker."""
    confirming: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the worker still tries to confirm an unconfirmed target."""
    edited_content: Mapped[str | None]
    """The text that is public now, if an edit changed the text that was sent."""
    handles: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    platform_post_id: Mapped[str | None]
    platform_post_url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    editable_until: Mapped[datetime | None]
    warning: Mapped[str | None]
    """The part of a published post that could not be done, or why a pending target could not be prepared."""
    media_changes: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    """The changes to its media before the platform got them: url, what and detail."""
    edit_history: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    error_category: Mapped[str | None]
    retryable: Mapped[bool | None]
    next_attempt_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None]
    """Why it is held (domain.post.HoldReason); null otherwise."""
    preflight_at: Mapped[datetime | None]
    """When it is checked again before it is due; null if it was not checked since its time was set."""
    preflight_code: Mapped[str | None]
    """Why it will not go out, as the last of these checks has found (domain.preflight.PreflightReason)."""
    released_at: Mapped[datetime | None]
    """When the workflow of a held target was last signalled to continue."""

    post: Mapped[Post] = relationship(back_populates="targets", lazy="raise")


class PostTag(Base):
    """A tag of a post, so that lists by tag are read in their order. A trigger on `posts` writes it."""

    __tablename__ = "post_tags"

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    tag: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """No foreign key, because it would need an index of its own only for deletions."""


class LatePost(Base):
    """A post with a target that had not begun long after its due time; kept for a while (`maintenance.late_posts`)."""

    __tablename__ = "late_posts"

    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When it was found that no target of it waits any more."""
