"""Pauses: the gates that stop posts from being sent, and who closed and opened them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Gate(Base):
    """A gate of a workspace's posts. A missing row is an open gate. Only functions of the database write it."""

    __tablename__ = "gates"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """What it stops (domain.pauses.PauseScope)."""
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    """`platform/account id` of an account, empty for the workspace."""
    closed: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    """When it was closed by hand: the present range has no end, past ones are kept for 30 days."""
    planned: Mapped[Any] = mapped_column(TSTZMULTIRANGE, server_default=text("'{}'"))
    """When a plan closes it, also in the future: the blackouts of a campaign, and all time after its end.

    It is apart from `closed`, because the end of a pause must leave what is planned.
    """


class Pause(Base):
    """A pause of a workspace's posts, or of those to one account; kept after it has ended."""

    __tablename__ = "pauses"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    kind: Mapped[str]
    """The kind of the gate that it has closed, with `gate_id`."""
    gate_id: Mapped[str] = mapped_column(Id)
    reason: Mapped[str | None]
    paused_at: Mapped[datetime]
    paused_by_type: Mapped[str]
    """The kind of actor (domain.audit.ActorType)."""
    paused_by: Mapped[str | None]
    """The id of an API key, or an operator's name."""
    ended_at: Mapped[datetime | None]
    """When the gate was opened again."""
    ended_by_type: Mapped[str | None]
    ended_by: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What its end did with the posts that were missed."""

    __table_args__ = (
        Index(
            "pauses_under_way",
            "workspace_id",
            "kind",
            "gate_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("pauses_of_workspace", "workspace_id", text("id DESC")),
    )
