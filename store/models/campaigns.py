"""Campaigns, and the operations on them: who did what to many posts at once."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Campaign(Base):
    """A campaign: posts that are planned, watched, paused and ended together. Every change locks the row first.

    Who paused it and why is in its row of `pauses` (kind `campaign`).
    """

    __tablename__ = "campaigns"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    tags: Mapped[list[str]]
    timezone: Mapped[str]
    starts_at: Mapped[datetime | None]
    """The first instant for which its posts may be scheduled."""
    starts_wall: Mapped[str | None]
    """The wall time as the client gave it, if it gave no offset, as of `posts.scheduled_wall`."""
    ends_at: Mapped[datetime | None]
    """The instant from which its posts are not sent any more; when it was ended, if that was earlier."""
    ends_wall: Mapped[str | None]
    blackouts: Mapped[list[dict[str, Any]]]
    """Days on which its posts are not sent: `from`, `to` (inclusive dates in its zone) and `reason`."""
    status: Mapped[str]
    """A domain.campaigns.CampaignStatus."""
    resume_at: Mapped[datetime | None]
    """When its pause ends by itself, with `resume_missed`; null while a person must end it."""
    resume_missed: Mapped[str | None]
    """What becomes then of the posts that were missed (domain.pauses.MissedPolicy)."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """The number of its newest change; raised under the row's lock."""
    delivered_version: Mapped[int] = mapped_column(server_default=text("0"))
    """The newest version that its workflow is known to have."""
    next_delivery_at: Mapped[datetime | None]
    """When the sweep may deliver the newest version, after a failure."""
    completed_at: Mapped[datetime | None]
    """Since when it has ended and nothing of it is on its way."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("campaigns_of_workspace", "workspace_id", text("id DESC")),
        Index("campaigns_to_end", "ends_at", postgresql_where=text("status <> 'ended'")),
        Index("campaigns_to_complete", "id", postgresql_where=text("status = 'ended' AND completed_at IS NULL")),
        Index("campaigns_undelivered", "id", postgresql_where=text("delivered_version < version")),
    )


class Operation(Base):
    """An operation on many posts, its author and its result: the audit trail, and the answer of repeated requests."""

    __tablename__ = "operations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The campaign; no foreign key, because its trail outlives it."""
    series_id: Mapped[str | None] = mapped_column(Id)
    kind: Mapped[str]
    """A domain.campaigns.OperationKind."""
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    actor_type: Mapped[str] = mapped_column(server_default=text("'api_key'"))
    """A domain.audit.ActorType. The API may not set it, so its rows are those of API keys."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    idempotency_key: Mapped[str | None] = mapped_column(Id)
    """The key of its request, unique in the workspace."""
    request_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The digest of that request: another one with the same key is refused."""
    result: Mapped[dict[str, Any]]
    """What it did, in counts and ids."""

    __table_args__ = (
        Index(
            "operations_by_key",
            "workspace_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index("operations_of_campaign", "campaign_id", "id", postgresql_where=text("campaign_id IS NOT NULL")),
        Index("operations_of_series", "series_id", "id", postgresql_where=text("series_id IS NOT NULL")),
        Index("operations_by_age", "at"),
    )
