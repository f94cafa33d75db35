"""The events of workspaces, and which workspaces listen."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from store.models.base import Base, Id


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
    """Something that has happened, as clients read it (domain.events). Kept for 30 days.

    Triggers write it, in the transaction of the change. There is no foreign key: it would lock the workspace's row in
    every transaction that writes the result of a post.
    """

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(Id, primary_key=True, server_default=text(_NEW_ID))
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order of the events of one transaction. Over several transactions it is not the order of their commits."""
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    """The transaction that has made it. Readers continue by it (store.events.feed)."""
    workspace_id: Mapped[str] = mapped_column(Id)
    type: Mapped[str]
    """A domain.events.EventType."""
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    post_id: Mapped[str | None] = mapped_column(Id)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Ids and states, in the order in which clients read them; no content."""

    __table_args__ = (
        Index("events_feed", "workspace_id", "xid", "seq"),
        # By them each end is written once (emit_ends_v1).
        Index(
            "events_of_ends",
            "workspace_id",
            "type",
            postgresql_where=text("type IN ('account.expiring', 'api_key.expiring')"),
        ),
    )
