"""Workspaces, their API keys and accounts, and the apps that accounts are connected with."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id


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
    """The columns of a connected account except its credentials."""

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
    """When the network last reported who this is, premium included."""
    refused_at: Mapped[datetime | None]
    """Since when its network refuses the credentials: its posts are held. Null while the account works."""
    refusal: Mapped[str | None]
    """What the network refused it with, as a sentence for the account's owner."""
    refusal_code: Mapped[str | None]
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it was refused since it last published; spaces out how soon it is tried again."""
    recheck_at: Mapped[datetime | None]
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
    inspected_at: Mapped[datetime | None]
    """When somebody last had the network asked how the account is."""
    inspection: Mapped[dict[str, Any] | None]
    """What came of that, without secrets: permissions that are `missing`, `notes`, and why it is `unanswered`."""


class Account(_AccountColumns, Base):
    """A connected account of a network; its credentials are encrypted (see `store.vault`)."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index("accounts_of_person", "platform", "user_id"),
        Index("accounts_of_app", "app_id", postgresql_where=text("app_id <> ''")),
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


class AppSetup(Base):
    """The networks at which the operator has an app, as the workers' environment says. One row; no secret is in it."""

    __tablename__ = "app_setups"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    platforms: Mapped[list[str]]
    """For all workspaces."""
    of_workspaces: Mapped[dict[str, Any]]
    """Further ones by the ids of the workspaces that they are for."""
    documents: Mapped[dict[str, Any]]
    """What the api publishes of apps, by path: networks that know an app by an address read it there."""
    announced_at: Mapped[datetime]


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
    """Where the network sends the person back; null if no network does."""
    hosted: Mapped[str | None]
    """Who asks for a selection if this service takes the network's answer itself: `page` or `caller`; else null."""
    return_url: Mapped[str | None]
    """Where this service sends the person in the end, if it takes the network's answer itself."""
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SHA-256 of the cookie of the one browser that may go on, if this service takes the network's answer itself."""
    account_id: Mapped[str | None]
    """The account that is to be reconnected; another one is refused."""
    begun_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key with which it was begun."""
    options: Mapped[dict[str, Any]]
    """What the client has chosen (platforms.connect.Connector.options)."""
    posted_in: Mapped[str | None]
    """The place in which somebody who may decide for it has posted the state, if the network works so."""
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
