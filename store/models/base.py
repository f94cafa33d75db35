"""The base of all tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, ForeignKey, Index, String, Text, text
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


def index(
    name: str, *columns: str, where: str | None = None, include: Sequence[str] | None = None, unique: bool = False
) -> Index:
    """Return an index of columns, each perhaps with DESC, of the rows that meet a condition."""
    keys = [text(column) if " " in column else column for column in columns]
    condition = None if where is None else text(where)
    return Index(name, *keys, unique=unique, postgresql_where=condition, postgresql_include=include)
