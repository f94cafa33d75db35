"""Series of posts, and the ledger of their occurrences."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


class Series(Base):
    """A series: rules, and what their occurrences say. A change locks its row first, and then posts by their ids."""

    __tablename__ = "series"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The campaign that its posts are part of; no foreign key: without the campaign no more are made."""
    name: Mapped[str]
    segments: Mapped[list[dict[str, Any]]]
    """Each a domain.recurrence.expansion.Segment, the earliest first."""
    contents: Mapped[list[dict[str, Any]]]
    """What the occurrences of each segment say, a domain.series.SeriesContent. Apart, because it may have megabytes."""
    upload_ids: Mapped[list[str]] = mapped_column(ARRAY(Id), server_default=text("'{}'"))
    """The uploads that `contents` names. A trigger sets them."""
    exclude: Mapped[list[str]]
    """Wall times that have no post."""
    include: Mapped[list[str]]
    """Wall times that have one beside those of the rules."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """The number of its newest change; raised under the row's lock."""
    posts_made: Mapped[int] = mapped_column(server_default=text("0"))
    """How many occurrences got a post: variations rotate by it."""
    made_until: Mapped[datetime | None]
    """The instant of the last occurrence up to which all have posts."""
    is_finished: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the planner saw no more occurrence to come."""
    behind_since: Mapped[datetime | None]
    """Since when it lacks posts: its workspace has no room for more, or it cannot be planned. Null otherwise."""
    plan_at: Mapped[datetime]
    """When the planner looks at it next."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that created it."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("series_of_workspace", "workspace_id", text("id DESC")),
        Index("series_to_plan", "plan_at", "id"),
        Index("series_behind", "behind_since", postgresql_where=text("behind_since IS NOT NULL")),
    )


class OccurrenceEntry(Base):
    """An entry of the ledger: an occurrence that got a post. It outlives the post, so that none is made twice."""

    __tablename__ = "occurrences"

    series_id: Mapped[str] = mapped_column(Id, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True)
    occurrence: Mapped[str] = mapped_column(Id, primary_key=True)
    """The wall time that the rule gives it."""
    state: Mapped[str]
    """A domain.series.OccurrenceState."""
    post_id: Mapped[str] = mapped_column(Id)
    """No foreign key: the post may be deleted."""
    variation: Mapped[int]
    """How many occurrences had got a post before it."""
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    """How often a post was made for it: once more after each withdrawal. It is part of the workflow's id.

    0: none was made, because its day has an exception, whose post the entry names."""
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """The digest of what the series wrote: a post with another content was changed alone."""
    made_at: Mapped[datetime]

    # The wall times of all series sort by time, so old entries are found without reading the others.
    __table_args__ = (Index("occurrences_by_time", "occurrence"),)
