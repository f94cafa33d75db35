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


class ImportedRow(Base):
    """The last row that was imported under an externalId: digests of its cells, never their content.

    It outlives its post, so that an import can tell that a post was deleted. A cell without content has no digest.
    """

    __tablename__ = "imported_rows"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    external_id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id)
    """The post that it made. No foreign key: it may be deleted."""
    row_cells: Mapped[dict[str, Any]]
    """The cells as the row had them."""
    post_cells: Mapped[dict[str, Any]]
    """The cells as an import last wrote them into the post, for example with the slot of a queue as time."""
    deleted_at: Mapped[datetime | None]
    """When the post was deleted, which a trigger writes (`note_deleted_post_v1`)."""

    __table_args__ = (Index("imported_rows_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),)


class ImportedPost(Base):
    """A post that an import has created or changed, and what undoes that; deleted with either of them."""

    __tablename__ = "imported_posts"

    import_id: Mapped[str] = mapped_column(Id, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    written: Mapped[dict[str, Any]]
    """Digests of the cells that the import wrote into the post; all of them if it created the post."""
    before: Mapped[dict[str, Any] | None]
    """The values that it replaced; null if it created the post."""

    __table_args__ = (Index("imports_of_post", "post_id"),)
