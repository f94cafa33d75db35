"""The limits of requests."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class RequestLimit(Base):
    """The used part of a limit. After a crash of PostgreSQL the table is empty, and every limit is unused."""

    __tablename__ = "request_limits"

    holder: Mapped[str] = mapped_column(Id, primary_key=True)
    """The id of a key, of a calendar view or, for its posts, of a workspace."""
    full_at: Mapped[datetime]
    """When the whole limit may be used again."""

    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)
