"""The base of all tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, ForeignKey, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Id = String(collation="C")
"""Ids sort by their bytes, whatever the database's locale: the list's keyset order is creation order."""


class Base(DeclarativeBase):
    """The base of all tables, which maps Python types to PostgreSQL's."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }


class WorkspaceRow(Base):
    """A row of a workspace, found by its id; it goes with its workspace."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
