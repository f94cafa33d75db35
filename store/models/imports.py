"""Imports, and the outcomes of their rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Import(Base):
    """An import that was carried out, with the result of each row; deleted after 30 days."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Id)
    """The id of the API key that sent it."""
    counts: Mapped[dict[str, Any]]
    """The number of rows with each outcome (domain.imports.RowOutcome)."""
    warnings: Mapped[list[dict[str, Any]]]
    """Warnings about its posts together, as the answer has them."""
    results: Mapped[list[dict[str, Any]]]
    """The outcome of each row, in their order, as the answer has it."""

    __table_args__ = (Index("imports_of_workspace", "workspace_id", text("id DESC")),)
