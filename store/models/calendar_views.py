"""Calendar views: calendars that people without an API key may see."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class CalendarView(Base):
    """A calendar of a workspace that is open to everybody who has its token. Its deletion revokes the token."""

    __tablename__ = "calendar_views"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """The SHA-256 of the token; the token itself was shown once."""
    id: Mapped[str] = mapped_column(Id, unique=True)
    """The view's name in lists and logs; it does not authenticate."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The only campaign that it shows. A view of a campaign that was deleted is empty."""
    account_id: Mapped[str | None] = mapped_column(Id)
    """The only account whose posts it shows."""
    show: Mapped[str]
    """A domain.calendar_views.ViewDetail."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that made it."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime | None]
    """The last use, up to a minute behind, as of API keys."""

    __table_args__ = (Index("calendar_views_of_workspace", "workspace_id", "id"),)
