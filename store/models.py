"""The tables. Content lives here and nowhere else; workflows carry ids."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Id = String(collation="C")
"""Ids sort by their bytes, whatever the database's locale: the list's keyset order is creation order."""


STUCK = "status IN ('held', 'unconfirmed') OR (status = 'publishing' AND next_attempt_at IS NOT NULL)"
"""Targets that wait for something other than their time and a worker (see domain.waits)."""


class Base(DeclarativeBase):
    """Map Python types to PostgreSQL's."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }


class Workspace(Base):
    """A customer: owns keys, accounts and posts."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ApiKey(Base):
    """A key of a workspace. Only its SHA-256 is kept; the key itself was shown once."""

    __tablename__ = "api_keys"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True)
    """Names the key in lists and logs; it opens nothing."""
    prefix: Mapped[str]
    """The key's first characters, by which its owner recognizes it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime | None]
    """Up to a minute behind: not every request writes it."""
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class _AccountColumns:
    """What is known of a connected account, its credentials apart."""

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    platform: Mapped[str]
    user_id: Mapped[str]
    username: Mapped[str]
    app_id: Mapped[str] = mapped_column(server_default=text("''"))
    """The network's id of the app that the account was connected with; empty if the credentials do not name one."""
    premium: Mapped[bool] = mapped_column(server_default=text("false"))
    limits: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """What the account's own server allows, where that differs from server to server."""
    allowed: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """Places beside its own that it may publish to: lists of values by the names of the settings."""
    connected_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    checked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    """When the network last told us who this is, premium included."""
    refused_at: Mapped[datetime | None]
    """Since when its network refuses the credentials: its posts are held. Null while the account works."""
    refusal: Mapped[str | None]
    """What the network refused it with, as a sentence for the account's owner."""
    refusal_code: Mapped[str | None]
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it was refused since it last published; spaces out how soon it is tried again."""
    ask_again_at: Mapped[datetime | None]
    """When the network is asked next whether it accepts the account again."""
    expires_at: Mapped[datetime | None]
    """When the access token ends; null if it has no end or none is known."""
    refresh_expires_at: Mapped[datetime | None]
    """When the connection ends if nothing renews it: with its refresh token, or its access token if it has no other."""
    scopes: Mapped[list[str] | None]
    """The permissions that the network last said it has granted."""
    grant_subject: Mapped[str | None]
    """Whose consent at the network the tokens belong to, if several accounts may share it."""
    renew_at: Mapped[datetime | None]
    """When the credentials are renewed even if nothing uses them; null if they cannot be, or the network refused to."""
    renewed_at: Mapped[datetime | None]
    renewing_until: Mapped[datetime | None]
    """Until when one process alone may renew the credentials. Past: that process ended before it wrote the result."""
    renewal_started_at: Mapped[datetime | None]
    """Since when a renewal may have brought tokens that were never written. Null once its outcome is known."""
    renewal_failures: Mapped[int] = mapped_column(server_default=text("0"))
    """Renewals that have failed since the last one that did not."""
    renewal_error: Mapped[str | None]
    """The code of the last of these failures."""
    last_ok_at: Mapped[datetime | None]
    """When the network last accepted the credentials in a renewal, or when it was asked who this is."""


class Account(_AccountColumns, Base):
    """A connected account of a network; its credentials are encrypted (see `store.vault`)."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index("accounts_to_renew", "renew_at", postgresql_where=text("renew_at IS NOT NULL")),
        Index("accounts_ending", "refresh_expires_at", "platform", postgresql_where=text("refused_at IS NULL")),
    )

    credentials: Mapped[bytes] = mapped_column(LargeBinary)


class ConnectedAccount(_AccountColumns, Base):
    """The same row without the credentials: all that the database lets the api read."""

    __table__ = Account.__table__
    __mapper_args__ = {"exclude_properties": ["credentials"]}  # noqa: RUF012 SQLAlchemy declares it so


class AppRefusal(Base):
    """An app of the operator's that its network refuses: not approved, not enabled or out of credits."""

    __tablename__ = "app_refusals"

    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    app_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """As in `Account.app_id`."""
    code: Mapped[str] = mapped_column(Id, primary_key=True)
    """The network's, or ours if it has none. An app may be refused for several reasons at a time."""
    message: Mapped[str]
    """What the operator has to do, as a sentence."""
    refused_at: Mapped[datetime]
    """Since when."""
    last_refused_at: Mapped[datetime]
    probe_at: Mapped[datetime]
    """When one held target is tried next, to see whether the network accepts the app again."""
    probed_with: Mapped[str | None] = mapped_column(Id)
    """The id of the target that was tried last: the next one follows it."""


EXTERNAL_ID = "posts_by_external_id"
"""The index that lets a workspace have one post of an external id."""


class Post(Base):
    """A post: what is wanted, and what has become of it. Every change locks the row first (domain.ownership)."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[str] = mapped_column(Id, unique=True)
    status: Mapped[str]
    content: Mapped[str | None]
    media_items: Mapped[list[dict[str, Any]]]
    tags: Mapped[list[str]]
    timezone: Mapped[str]
    scheduled_for: Mapped[datetime | None]
    scheduled_wall: Mapped[str | None]
    """The wall time as the client gave it, where it gave no offset; `scheduled_for` is what it resolved to."""
    external_id: Mapped[str | None] = mapped_column(Id)
    """The client's own id, unique in the workspace as long as the post exists."""
    external_digest: Mapped[str | None]
    """The digest of the body that made the post, in hexadecimal; null without an `external_id`."""
    planned_for: Mapped[datetime | None]
    """What `scheduled_for` was when the post was published ahead of it."""
    tiktok_settings: Mapped[dict[str, Any]]
    facebook_settings: Mapped[dict[str, Any]]
    due_at: Mapped[datetime | None]
    """When publishing shall begin; null for a draft."""
    answer_bytes: Mapped[int]
    """How many bytes of JSON an answer with it may have (domain.size): so a page ends before it is too large."""
    publish_within: Mapped[int] = mapped_column(server_default=text("86400"))
    """Seconds after its due time (or a retry) in which it may still go out; then it fails rather than be stale."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts the changes of what is wanted; raised under the row's lock, never by what becomes of the post."""
    taken_up: Mapped[int] = mapped_column(server_default=text("0"))
    """The newest version that its workflow is known to have taken up; 0: no workflow was ever started."""
    tell_at: Mapped[datetime | None]
    """When the sweep may tell its workflow again, after a time when that has failed."""
    tells: Mapped[int] = mapped_column(server_default=text("0"))
    """How often the sweep has tried to tell its workflow of this version."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that created it."""
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def told(self) -> bool:
        """Tell whether its workflow is known to know what is wanted."""
        return self.taken_up >= self.version

    targets: Mapped[list["Target"]] = relationship(
        back_populates="post",
        order_by="Target.position",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    __table_args__ = (
        # With the sizes, because they are summed for each workspace (store.posts.count_kept).
        Index("posts_list", "workspace_id", text("id DESC"), postgresql_include=["answer_bytes"]),
        Index(
            EXTERNAL_ID,
            "workspace_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("posts_list_by_status", "workspace_id", "status", text("id DESC")),
        Index(
            "posts_list_by_schedule",
            "workspace_id",
            "status",
            "scheduled_for",
            "id",
            postgresql_where=text("scheduled_for IS NOT NULL"),
        ),
        Index("posts_list_by_change", "workspace_id", "status", "updated_at", "id"),
        Index(
            "posts_untold",
            "due_at",
            postgresql_where=text("taken_up < version AND status IN ('scheduled', 'publishing')"),
        ),
        Index("posts_open", "due_at", "id", postgresql_where=text("status IN ('scheduled', 'publishing')")),
        Index(
            "posts_wall_times",
            "scheduled_for",
            "id",
            postgresql_where=text("scheduled_wall IS NOT NULL AND status IN ('draft', 'scheduled')"),
        ),
    )


class Target(Base):
    """A post on one account: what it gets, and how far it got."""

    __tablename__ = "targets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int]
    platform: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    custom_content: Mapped[str | None]
    custom_media: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    settings: Mapped[dict[str, Any]]
    """platformSpecificData as sent; the root settings are merged under it when it is used."""
    status: Mapped[str]
    due_at: Mapped[datetime | None]
    """When its publishing shall begin: the post's due time, or when it was retried or found not to be public."""
    begun_at: Mapped[datetime | None]
    """When a worker took up its publishing; null while it waits for one."""
    looking: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether an unconfirmed target is still looked up."""
    content: Mapped[str | None]
    """The text that is public now, once an edit made it differ from what was sent."""
    handles: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    platform_post_id: Mapped[str | None]
    platform_post_url: Mapped[str | None]
    published_at: Mapped[datetime | None]
    editable_until: Mapped[datetime | None]
    warning: Mapped[str | None]
    """What belongs to the published post and could not be done, or why a pending one could not be prepared."""
    media_changes: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    """What was changed about its media before the network got them: url, what and detail."""
    edit_history: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    error_category: Mapped[str | None]
    retryable: Mapped[bool | None]
    next_attempt_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None]
    """Why it is held (domain.post.HoldReason); null otherwise."""
    released_at: Mapped[datetime | None]
    """When a held target's workflow was last told that it may go on."""

    post: Mapped[Post] = relationship(back_populates="targets", lazy="raise")

    __table_args__ = (
        Index("targets_of_post", "post_id", "position"),
        Index("targets_list_by_platform", "workspace_id", "platform", text("post_id DESC")),
        Index("targets_list_by_account", "workspace_id", "account_id", text("post_id DESC")),
        Index(
            "targets_list_by_status",
            "workspace_id",
            "status",
            "post_id",
            postgresql_where=text("status IN ('held', 'unconfirmed')"),
        ),
        Index("targets_held", "workspace_id", "account_id", postgresql_where=text("status = 'held'")),
        Index("targets_stuck", "platform", postgresql_where=text(STUCK)),
        Index("targets_waiting", "due_at", postgresql_where=text("status = 'pending' AND begun_at IS NULL")),
    )


class PostTag(Base):
    """A tag of a post, so that lists by tag are read in their order. A trigger on `posts` writes it."""

    __tablename__ = "post_tags"

    workspace_id: Mapped[str] = mapped_column(Id, primary_key=True)
    tag: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """No foreign key: it would need an index of its own, for nothing but deletions."""


class LatePost(Base):
    """A post of which some target had not begun long after its due time. Kept for a while (`store.waiting`)."""

    __tablename__ = "late_posts"

    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    found_at: Mapped[datetime]
    over_at: Mapped[datetime | None]
    """When it was seen that none of its targets waits any more."""

    __table_args__ = (
        Index("late_posts_now", "post_id", postgresql_where=text("over_at IS NULL")),
        Index("late_posts_over", "over_at", postgresql_where=text("over_at IS NOT NULL")),
    )


class Attempt(Base):
    """One step towards a network: written before the request that makes a post public, closed after its answer."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    target_id: Mapped[str] = mapped_column(Id, ForeignKey("targets.id", ondelete="CASCADE"))
    step: Mapped[str]
    """prepare, publish, confirm, edit, resolve or correct."""
    state: Mapped[str]
    """sending, done, refused or unclear; `sending` left behind by a crash reads as unclear."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    http_status: Mapped[int | None]
    code: Mapped[str | None]
    request_id: Mapped[str | None]
    decision: Mapped[str | None]
    """What was decided upon it and why, for the person on call."""
    next_attempt_at: Mapped[datetime | None]
    """When the step is taken again, where that was decided."""

    __table_args__ = (Index("attempts_of_target", "target_id", "id"),)


class AuditEvent(Base):
    """A line of the audit trail: who did what to a post. Outlives the post (`store.audit`)."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime]
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    post_id: Mapped[str] = mapped_column(Id)
    action: Mapped[str]
    """A domain.audit.Action."""
    actor_type: Mapped[str]
    """A domain.audit.ActorType."""
    actor_id: Mapped[str | None] = mapped_column(Id)
    platform: Mapped[str | None] = mapped_column(Id)
    """With `account_id` the target that it concerns; null if it concerns the post as a whole."""
    account_id: Mapped[str | None] = mapped_column(Id)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """What else is to be said, bounded and without content or secrets, by the names of domain.audit."""

    __table_args__ = (Index("audit_events_of_post", "post_id", "at", "id"),)


class Lane(Base):
    """What one account may do in one step, as its network last told; its row is the lock that turns are given under.

    It is the network's account, whichever workspaces have connected it, as one server knows it: what another server
    says of an account of the same name does not concern it.
    """

    __tablename__ = "lanes"

    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    server: Mapped[str] = mapped_column(Id, primary_key=True)
    """Host and port at which the account is reached."""
    account_id: Mapped[str] = mapped_column(Id, primary_key=True)
    step: Mapped[str] = mapped_column(Id, primary_key=True)
    """publish or prepare."""
    told_at: Mapped[datetime | None]
    """Turns that were taken after this are not yet in what the network told."""
    told_left: Mapped[int | None]
    """Null although `told_until` is set: the network was asked and did not say."""
    told_until: Mapped[datetime | None]
    """Until when `told_left` is all there is, and the network need not be asked."""
    asking_until: Mapped[datetime | None]
    """Until when one process alone asks the network what is left."""
    told_limit: Mapped[int | None]
    """How many its network allows in the longest stretch of its rules, where it tells that."""


class Turn(Base):
    """A target's turn to send, or when that is expected to be. Outlives its target: the network counts on."""

    __tablename__ = "turns"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """In the order in which turns are given."""
    platform: Mapped[str] = mapped_column(Id)
    server: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str] = mapped_column(Id)
    step: Mapped[str] = mapped_column(Id)
    target_id: Mapped[str] = mapped_column(Id)
    last_send: Mapped[int] = mapped_column(BigInteger)
    """The target's last send before this turn, 0 where there was none: each send needs a turn of its own."""
    at: Mapped[datetime]
    taken: Mapped[bool]

    __table_args__ = (
        Index("turns_of_target", "target_id", "step", "last_send", unique=True),
        Index("turns_of_account", "platform", "server", "account_id", "step", "at"),
    )


class Revision(Base):
    """An edit that the api hands to a post's workflow by id, because no content may enter a payload."""

    __tablename__ = "revisions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    post_id: Mapped[str] = mapped_column(Id, ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    body: Mapped[dict[str, Any]]
    state: Mapped[str]
    """waiting, applied or refused."""
    created_at: Mapped[datetime]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    param: Mapped[str | None]


class IdempotencyKey(Base):
    """A key that a client sent.

    The row outlives the key's 24 hours: as long as a post of the key exists, its generation keeps workflow ids apart.
    """

    __tablename__ = "idempotency_keys"

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Id, primary_key=True)
    generation: Mapped[int]
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    post_id: Mapped[str] = mapped_column(Id)
    """The post that the request makes or changes; of a request for many, an id of its own."""
    revision_id: Mapped[str | None] = mapped_column(Id)
    """The edit that the request asks for, if it asks for one."""
    post_ids: Mapped[list[str] | None]
    """The posts that a request for many has found by its filter: a repeat goes on with the same."""
    expires_at: Mapped[datetime]
    response_status: Mapped[int | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    check_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '24 hours'"), index=True)
    """When it is checked next whether the answer, or the whole row, can be deleted."""


class MediaFile(Base):
    """A file that was made for a network which fetches files itself; whoever knows its token may read it."""

    __tablename__ = "media_files"

    token: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    content_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class MediaCheck(Base):
    """The content of a validation whose files a worker looks at, and what it has found. Deleted after minutes."""

    __tablename__ = "media_checks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    content: Mapped[dict[str, Any]]
    """A domain.content.PostContent."""
    findings: Mapped[dict[str, Any]]
    """By the position of a target a list of what is wrong with its files. A target without one was not looked at."""
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PendingConnection(Base):
    """An account that somebody is connecting. Deleted a day after it has ended."""

    __tablename__ = "pending_connections"
    __table_args__ = (Index("pending_connections_by_workspace", "workspace_id", "created_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    platform: Mapped[str]
    state_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    """SHA-256 of the state, which is nowhere else; null if the account is connected by credentials."""
    redirect_url: Mapped[str | None]
    account_id: Mapped[str | None]
    """The account that is to be reconnected; another one is refused."""
    options: Mapped[dict[str, Any]]
    """What the client has chosen (platforms.connect.Connector.options)."""
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """With which the api seals what only the worker may read (store.handover)."""
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The worker's secrets, sealed by the vault: the private key, PKCE's verifier, then the tokens."""
    authorize_url: Mapped[str | None]
    """Where the person consents; the state is not in it."""
    handover: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The code or the credentials, sealed with `public_key`."""
    handover_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """By which a repeat of the request is known."""
    consumed_at: Mapped[datetime | None]
    """When the state was used. It works once."""
    traded_at: Mapped[datetime | None]
    """When the code was sent to the network, which accepts it once."""
    outcome: Mapped[dict[str, Any] | None]
    """What came of it: accounts, a selection or a refusal."""
    wanted: Mapped[list[str] | None]
    """The ids that were chosen from the selection."""
    selected: Mapped[dict[str, Any] | None]
    """What came of the choice."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Restore(Base):
    """A restore of the database, of Temporal, or of both from a backup, and how far it is dealt with."""

    __tablename__ = "restores"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    restored_to: Mapped[datetime]
    """The moment of which the older of the two stores is a copy."""
    database: Mapped[bool]
    temporal: Mapped[bool]
    begun_at: Mapped[datetime]
    last_post_id: Mapped[str] = mapped_column(Id, server_default=text("''"))
    """Up to this id, posts are dealt with."""
    looked_up: Mapped[int] = mapped_column(server_default=text("0"))
    """How many posts are looked up before they are sent."""
    finished_at: Mapped[datetime | None]
    """Until then the API refuses writes."""


class ZoneCheck(Base):
    """When posts' wall times were last held against the database of time zones, and which one that was. One row."""

    __tablename__ = "zone_checks"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    newest_version: Mapped[str] = mapped_column(Id)
    """The newest that any process has come with: who has an older one moves no post."""
    digest: Mapped[str | None]
    checked_at: Mapped[datetime | None]
