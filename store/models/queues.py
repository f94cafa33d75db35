"""Queues: the weekly times at which the posts of some accounts go out."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id

QUEUE_NAME = "queues_by_name"
"""The index that lets a workspace have one queue of a name."""


class Queue(Base):
    """A queue of a workspace. A transaction that gives one of its slots to a post locks the row first.

    A slot has no row: a post has it by its `queue_id` and `scheduled_wall`, which the index `posts_by_slot` lets only
    one post have.
    """

    __tablename__ = "queues"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    timezone: Mapped[str]
    slots: Mapped[list[dict[str, Any]]]
    """Weekly wall times in the zone, as clients write them: `days` and `time`."""
    blackouts: Mapped[list[dict[str, Any]]]
    """Days without slots: `from`, `to` (inclusive dates in the zone) and `reason`."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(QUEUE_NAME, "workspace_id", "name", unique=True),)


class QueueAccount(Base):
    """An account of a queue. An account is in one queue at most."""

    __tablename__ = "queue_accounts"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    queue_id: Mapped[str] = mapped_column(Id, ForeignKey("queues.id", ondelete="CASCADE"))
    position: Mapped[int]
    """Its place among the accounts of the queue."""

    __table_args__ = (Index("queue_accounts_of_queue", "queue_id", "position"),)
