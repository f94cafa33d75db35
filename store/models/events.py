"""Events and webhooks, and the progress of work that the service does for all posts."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from domain.webhooks import WebhookStatus
from store.models.base import Base, Id, WorkspaceRow


class Xid8(UserDefinedType[int]):
    """The id of a transaction, which asyncpg returns as a number."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return PostgreSQL's name of the type."""
        return "xid8"


class Listener(Base):
    """A workspace whose events are written, because a client reads them. Deleted when none has for a while."""

    __tablename__ = "listeners"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    read_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """When its feed was last read, to the hour."""
    since: Mapped[datetime | None]
    """Since when every event of it is written; null until that is known."""
    since_xid: Mapped[int | None] = mapped_column(Xid8)
    """The transactions before this one may have changed rows without an event: they began before it listened."""


_NEW_ID = (
    "'evt_0' || to_hex((date_part('epoch', clock_timestamp()) * 4096000)::bigint)"
    " || to_hex(((random() + 1) * 549755813888)::bigint) || to_hex(((random() + 1) * 134217728)::bigint)"
)
"""As a UUIDv7, it begins with the time, but no system call is made for it: 15 digits of time, 17 random ones."""


class Event(Base):
    """Something that has happened, as clients read it (domain.webhooks). Kept for 30 days.

    Triggers write it, in the transaction of the change. There is no foreign key: it would lock the workspace's row in
    every transaction that writes the result of a post.
    """

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(Id, primary_key=True, server_default=text(_NEW_ID))
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order of the events of one transaction. Over several transactions it is not the order of their commits."""
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    """The transaction that has made it. Readers continue by it (store.events)."""
    workspace_id: Mapped[str] = mapped_column(Id)
    type: Mapped[str]
    """A domain.webhooks.EventType."""
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    post_id: Mapped[str | None] = mapped_column(Id)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Ids and states, in the order in which clients read them; no content."""


class HandoverKey(Base):
    """A pair of keys: with the public one the API seals secrets that only workers may read (store.secrets.handover)."""

    __tablename__ = "handover_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed by the workers' vault."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Webhook(WorkspaceRow):
    """An endpoint of a client, which gets the workspace's events."""

    __tablename__ = "webhooks"

    name: Mapped[str | None]
    url: Mapped[str]
    events: Mapped[list[str]]
    """Values of domain.webhooks.EventType, or `*` (wants_event_v1)."""
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Sealed with the public key `secret_key`; the API may not read it."""
    secret_key: Mapped[str] = mapped_column(Id)
    older_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    older_secret_key: Mapped[str | None] = mapped_column(Id)
    older_until: Mapped[datetime | None]
    """Until when requests are signed with the older secret, too."""
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    disabled_reason: Mapped[str | None]
    """A domain.webhooks.DisabledReason."""
    disabled_at: Mapped[datetime | None]
    enabled_at: Mapped[datetime | None]
    """When it was last switched off, and on again: between them it gets no events (make_deliveries_v1)."""
    failing_since: Mapped[datetime | None]
    """When the first of the failures began that no success has followed."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of failures since the last success."""
    last_failure: Mapped[str | None]
    """Why the last request failed."""
    last_failed_event: Mapped[str | None] = mapped_column(Id)
    last_delivered_at: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    """When one event is sent next, to find out whether the endpoint works again; null while nothing is held back."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    @property
    def status(self) -> WebhookStatus:
        """Return its status, as clients read it."""
        if not self.enabled:
            return WebhookStatus.DISABLED
        if self.failing_since is not None:
            return WebhookStatus.FAILING
        return WebhookStatus.UNCHECKED if self.last_delivered_at is None else WebhookStatus.ACTIVE


class Delivery(Base):
    """An event for an endpoint. Kept for 30 days.

    There is no foreign key to the endpoint: it would lock the endpoint's row in every transaction that writes an event.
    """

    __tablename__ = "deliveries"

    webhook_id: Mapped[str] = mapped_column(Id, primary_key=True)
    event_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, server_default=text("'dlv_' || replace(uuidv7()::text, '-', '')"))
    cause: Mapped[str] = mapped_column(server_default=text("'event'"))
    """A domain.webhooks.DeliveryCause."""
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    """A domain.webhooks.DeliveryState."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of attempts of its schedule; probes do not count."""
    next_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    claimed_until: Mapped[datetime | None]
    """Until when a worker sends it; if past, that worker ended before it wrote the result."""


class DeliveryProgress(Base):
    """The events whose deliveries are made: all of transactions before `low`. One row."""

    __tablename__ = "delivery_progress"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    low: Mapped[int] = mapped_column(Xid8)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """When it was written last."""


class DeliveryAttempt(Base):
    """A request to an endpoint, and its answer."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(Id, ForeignKey("deliveries.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    ms: Mapped[int]
    """Milliseconds until the answer, or until there was none."""
    http_status: Mapped[int | None]
    error: Mapped[str | None]
    """Why it counts as failed; null if it is delivered."""
    response: Mapped[str | None]
    """The beginning of the answer's body."""


class SchemaState(Base):
    """A migration that was applied, and the schema after it. `socialsyncer migrate` writes it, processes read it."""

    __tablename__ = "schema_states"

    revision: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str]
    unused_since: Mapped[str | None] = mapped_column(Id)
    """Of a contract: the revision that code must know to work without what was removed."""
    source: Mapped[str]
    """The SHA-256 of the migration's source."""
    shape: Mapped[dict[str, str]] = mapped_column(JSONB)
    """A digest of each table and function."""
    version: Mapped[str]
    """The version of the code that applied it."""
    applied_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Restore(Base):
    """A restore of the database, of Temporal, or of both from a backup, and its progress."""

    __tablename__ = "restores"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    restored_to: Mapped[datetime]
    """The time of the older of the two copies."""
    database: Mapped[bool]
    temporal: Mapped[bool]
    begun_at: Mapped[datetime]
    timeline: Mapped[str | None]
    """The timeline that began with the promotion: nothing of the posts that were created on it is lost. Null if the
    database was copied otherwise, or if Temporal lacks workflows, too, by which a repeated request is recognized."""
    last_post_id: Mapped[str] = mapped_column(Id, server_default=text("''"))
    """The id up to which posts are processed."""
    to_confirm: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of targets that are confirmed before they are sent."""
    finished_at: Mapped[datetime | None]
    """When the restore was finished; until then the API refuses writes."""


class Deletion(Base):
    """A deletion of a workspace, and its progress. It outlives the workspace: the proof that it happened, and how."""

    __tablename__ = "deletions"

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """No foreign key, because the workspace goes."""
    begun_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    begun_by: Mapped[str]
    """The operator."""
    step: Mapped[str]
    """A domain.workspaces.DeletionStep."""
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """How many rows of each table are deleted, without those that went with another row."""
    unconfirmed: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    """Targets that may be public at their platforms, and of which it was not known: ids of post and account."""
    finished_at: Mapped[datetime | None]


class BulkTurn(Base):
    """The last turn in which a worker delivered posts of bulk operations (reconcile.sweep). One row."""

    __tablename__ = "bulk_turn"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    at: Mapped[datetime]


class Installation(Base):
    """The id by which a database and a namespace of Temporal know that they belong together. One row.

    The migration that makes the table gives it. A copy of a database has the same.
    """

    __tablename__ = "installation"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    id: Mapped[str] = mapped_column(Id)


class TrustedServer(Base):
    """The server whose rows are known to be complete (store.maintenance.servers). One row.

    `identity` and `timeline` are None if the server does not tell them.
    """

    __tablename__ = "trusted_server"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    identity: Mapped[str | None]
    timeline: Mapped[str | None]


class StorageMarker(Base):
    """The object by which processes recognize the store of uploads (reconcile.storage). One row."""

    __tablename__ = "storage_markers"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    key: Mapped[str]


class Lease(Base):
    """The right of a process to do a background task, for load and not for correctness (reconcile.leases).

    After a crash of PostgreSQL the table is empty, and the processes take the leases again.
    """

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Id, primary_key=True)
    holder: Mapped[str]
    """The process, which only itself must recognize."""
    until: Mapped[datetime]


class ServiceState(Base):
    """The state of the service: numbers and parts, which one process measures and all show (reconcile.late_posts)."""

    __tablename__ = "service_state"

    name: Mapped[str] = mapped_column(Id, primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSONB)
    measured_at: Mapped[datetime]


class ZoneCheck(Base):
    """The last check of posts' wall times against a database of time zones. One row."""

    __tablename__ = "zone_checks"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    newest_version: Mapped[str] = mapped_column(Id)
    """The newest version that any process has used: a process with an older one moves no post."""
    digest: Mapped[str | None]
    checked_at: Mapped[datetime | None]
