"""Files for platforms, and files that are checked for a validation."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class HostedFile(Base):
    """A file for a platform that fetches files itself; every client with its token may read it."""

    __tablename__ = "media_files"

    token: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    content_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class MediaCheck(Base):
    """The content of a validation whose files a worker checks, and the findings. Deleted after minutes."""

    __tablename__ = "media_checks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    content: Mapped[dict[str, Any]]
    """A domain.content.PostContent."""
    findings: Mapped[dict[str, Any]]
    """The errors of the files of each target, by its position. A target without an entry was not checked."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
