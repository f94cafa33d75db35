"""The progress of work that the service does for all posts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


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
    """A domain.workspace_deletions.DeletionStep."""
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

    __table_args__ = (CheckConstraint('"only"', name="bulk_turn_has_one_row"),)


class Installation(Base):
    """The id by which a database and a namespace of Temporal know that they belong together. One row.

    The migration that makes the table gives it. A copy of a database has the same.
    """

    __tablename__ = "installation"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    id: Mapped[str] = mapped_column(Id)

    __table_args__ = (CheckConstraint('"only"', name="installation_has_one_row"),)


class TrustedServer(Base):
    """The server whose rows are known to be complete (store.maintenance.servers). One row.

    `identity` and `timeline` are None if the server does not tell them.
    """

    __tablename__ = "trusted_server"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    identity: Mapped[str | None]
    timeline: Mapped[str | None]

    __table_args__ = (CheckConstraint('"only"', name="trusted_server_has_one_row"),)


class StorageMarker(Base):
    """The object by which processes recognize the store of uploads (reconcile.storage). One row."""

    __tablename__ = "storage_markers"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    key: Mapped[str]

    __table_args__ = (CheckConstraint('"only"', name="storage_markers_has_one_row"),)


class Lease(Base):
    """The right of a process to do a background task, for load and not for correctness (reconcile.leases).

    After a crash of PostgreSQL the table is empty, and the processes take the leases again.
    """

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Id, primary_key=True)
    holder: Mapped[str]
    """The process, which only itself must recognize."""
    until: Mapped[datetime]

    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)


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
