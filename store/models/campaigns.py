"""The tables by which posts are planned: campaigns and operations, series, queues, pauses and imports."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZMULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id, WorkspaceRow


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


class Pause(WorkspaceRow):
    """A pause of a workspace's posts, or of those to one account; kept after it has ended."""

    __tablename__ = "pauses"

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


class Queue(WorkspaceRow):
    """A queue of a workspace. A transaction that gives one of its slots to a post locks the row first.

    A slot has no row: a post has it by its `queue_id` and `scheduled_wall`, which the index `posts_by_slot` lets only
    one post have.
    """

    __tablename__ = "queues"

    name: Mapped[str]
    timezone: Mapped[str]
    slots: Mapped[list[dict[str, Any]]]
    """Weekly wall times in the zone, as clients write them: `days` and `time`."""
    blackouts: Mapped[list[dict[str, Any]]]
    """Days without slots: `from`, `to` (inclusive dates in the zone) and `reason`."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class QueueAccount(Base):
    """An account of a queue. An account is in one queue at most."""

    __tablename__ = "queue_accounts"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    queue_id: Mapped[str] = mapped_column(Id, ForeignKey("queues.id", ondelete="CASCADE"))
    position: Mapped[int]
    """Its place among the accounts of the queue."""


class Series(WorkspaceRow):
    """A series: rules, and what their occurrences say. A change locks its row first, and then posts by their ids."""

    __tablename__ = "series"

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


class Import(WorkspaceRow):
    """An import that was carried out, with the result of each row; deleted after 30 days."""

    __tablename__ = "imports"

    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Id)
    """The id of the API key that sent it."""
    counts: Mapped[dict[str, Any]]
    """The number of rows with each outcome (domain.imports.RowOutcome)."""
    warnings: Mapped[list[dict[str, Any]]]
    """Warnings about its posts together, as the answer has them."""
    results: Mapped[list[dict[str, Any]]]
    """The outcome of each row, in their order, as the answer has it."""


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


class ImportedPost(Base):
    """A post that an import has created or changed, and what undoes that; deleted with either of them."""

    __tablename__ = "imported_posts"

    import_id: Mapped[str] = mapped_column(Id, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    written: Mapped[dict[str, Any]]
    """Digests of the cells that the import wrote into the post; all of them if it created the post."""
    before: Mapped[dict[str, Any] | None]
    """The values that it replaced; null if it created the post."""


class Campaign(WorkspaceRow):
    """A campaign: posts that are planned, watched, paused and ended together. Every change locks the row first.

    Who paused it and why is in its row of `pauses` (kind `campaign`).
    """

    __tablename__ = "campaigns"

    name: Mapped[str]
    tags: Mapped[list[str]]
    timezone: Mapped[str]
    starts_at: Mapped[datetime | None]
    """The first instant for which its posts may be scheduled."""
    starts_wall: Mapped[str | None]
    """The wall time as the client gave it, if it gave no offset, as of `posts.scheduled_wall`."""
    ends_at: Mapped[datetime | None]
    """The instant from which its posts are not sent any more; when it was ended, if that was earlier."""
    ends_wall: Mapped[str | None]
    blackouts: Mapped[list[dict[str, Any]]]
    """Days on which its posts are not sent: `from`, `to` (inclusive dates in its zone) and `reason`."""
    status: Mapped[str]
    """A domain.campaigns.CampaignStatus."""
    resume_at: Mapped[datetime | None]
    """When its pause ends by itself, with `resume_missed`; null while a person must end it."""
    resume_missed: Mapped[str | None]
    """What becomes then of the posts that were missed (domain.pauses.MissedPolicy)."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """The number of its newest change; raised under the row's lock."""
    delivered_version: Mapped[int] = mapped_column(server_default=text("0"))
    """The newest version that its workflow is known to have."""
    next_delivery_at: Mapped[datetime | None]
    """When the sweep may deliver the newest version, after a failure."""
    completed_at: Mapped[datetime | None]
    """Since when it has ended and nothing of it is on its way."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Operation(WorkspaceRow):
    """An operation on many posts, its author and its result: an audit trail."""

    __tablename__ = "operations"

    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The campaign; no foreign key, because its trail outlives it."""
    series_id: Mapped[str | None] = mapped_column(Id)
    kind: Mapped[str]
    """A domain.campaigns.OperationKind."""
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    """The database's time: no process may set it."""
    actor_type: Mapped[str] = mapped_column(server_default=text("'api_key'"))
    """A domain.audit.ActorType. The API may not set it, so its rows are those of API keys."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    result: Mapped[dict[str, Any]]
    """What it did, in counts and ids."""
