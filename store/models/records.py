"""The records of steps, changes and requests for posts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Attempt(Base):
    """One step towards a platform: written before the request that makes a post public, closed after its response."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    target_id: Mapped[str] = mapped_column(Id, ForeignKey("targets.id", ondelete="CASCADE"))
    step: Mapped[str]
    """prepare, publish, confirm, edit, resolve or correct."""
    state: Mapped[str]
    """sending, done, refused or unconfirmed; `sending` left behind by a crash reads as unconfirmed."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    http_status: Mapped[int | None]
    code: Mapped[str | None]
    request_id: Mapped[str | None]
    decision: Mapped[str | None]
    """The decision about it and its reason, for the person on call."""
    next_attempt_at: Mapped[datetime | None]
    """When the step is taken again, if that was decided."""
    request_sent: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether its public request was sent. If the attempt is open or unconfirmed, it may have been."""
    claim: Mapped[dict[str, Any] | None]
    """A domain.attempts.Claim: the refusal that the answer claims to be, if the outcome is unconfirmed."""
    sendable_until: Mapped[datetime | None]
    """Until when its request may be sent unless this row is asked again (domain.ownership.FENCE): the database's time.

    Null if the row does not say so: it was written by an older process, or is the attempt of another step.
    """

    __table_args__ = (Index("attempts_of_target", "target_id", "id"),)


class AuditEvent(Base):
    """An entry of the audit trail: who did what to a post. Outlives the post (`store.audit.trail`)."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    post_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str]
    """A domain.audit.Action."""
    actor_type: Mapped[str] = mapped_column(server_default=text("'api_key'"))
    """A domain.audit.ActorType. The API may not set it, so its lines are those of API keys."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    platform: Mapped[str | None] = mapped_column(Id)
    """With `account_id`, the target of the entry; null if it is about the post as a whole."""
    account_id: Mapped[str | None] = mapped_column(Id)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """Details by the names of domain.audit, bounded and without content or secrets."""

    __table_args__ = (
        Index("audit_events_of_post", "post_id", "at", "id"),
        Index("audit_events_of_workspace", "workspace_id", "id"),
        Index("audit_events_deletions", "workspace_id", "id", postgresql_where=text("action = 'deleted'")),
    )


class AccountEvent(Base):
    """A line of the audit trail of accounts: who connected or removed one. Outlives the account."""

    __tablename__ = "account_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    platform: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str]
    """A domain.account_events.AccountAction."""
    actor_type: Mapped[str]
    """A domain.audit.ActorType."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """The account's name at the platform, and the state of its access there; no secrets."""

    __table_args__ = (Index("account_events_of_account", "workspace_id", "account_id", "id"),)


class Revision(Base):
    """An edit that the API passes to a post's workflow by id, because no content may be in a payload."""

    __tablename__ = "revisions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    body: Mapped[dict[str, Any]]
    state: Mapped[str]
    """waiting, applied or refused."""
    created_at: Mapped[datetime]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    param: Mapped[str | None]

    __table_args__ = (Index("revisions_waiting", "post_id", postgresql_where=text("state = 'waiting'")),)


class IdempotencyKey(Base):
    """A key that a client sent.

    The row outlives the key's 24 hours: as long as a post of the key exists, its generation keeps workflow ids apart.
    """

    __tablename__ = "idempotency_keys"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Id, primary_key=True)
    generation: Mapped[int]
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    post_id: Mapped[str] = mapped_column(Id)
    """The post that the request makes or changes; for a request for many posts, an id of its own."""
    revision_id: Mapped[str | None] = mapped_column(Id)
    """The edit that the request asks for, if it asks for one."""
    post_ids: Mapped[list[str] | None]
    """The posts that a request for many has found by its filter: a repeated request continues with the same ones."""
    expires_at: Mapped[datetime]
    response_status: Mapped[int | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    check_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '24 hours'"), index=True)
    """When it is checked next whether the response, or the whole row, can be deleted."""
