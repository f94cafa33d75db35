"""Workspaces, their keys, views and accounts, and the apps that accounts are connected with."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Id, WorkspaceRow


class CalendarView(WorkspaceRow):
    """A calendar of a workspace that is open to everybody who has its token. Its deletion revokes the token."""

    __tablename__ = "calendar_views"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """The SHA-256 of the token; the token itself was shown once."""
    id: Mapped[str] = mapped_column(Id)
    """The view's name in lists and logs; it does not authenticate."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    campaign_id: Mapped[str | None] = mapped_column(Id)
    """The only campaign that it shows. A view of a campaign that was deleted is empty."""
    account_id: Mapped[str | None] = mapped_column(Id)
    """The only account whose posts it shows."""
    show: Mapped[str]
    """A domain.workspaces.ViewDetail."""
    created_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key that made it."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime | None]
    """The last use, up to a minute behind, as of API keys."""


class RequestLimit(Base):
    """The used part of a limit. After a crash of PostgreSQL the table is empty, and every limit is unused."""

    __tablename__ = "request_limits"

    holder: Mapped[str] = mapped_column(Id, primary_key=True)
    """The id of a key, of a calendar view or, for its posts, of a workspace."""
    full_at: Mapped[datetime]
    """When the whole limit may be used again."""


class Workspace(Base):
    """A customer: owns keys, accounts and posts."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    page_name: Mapped[str | None]
    """The name that people see who connect an account; null: `name`."""
    page_logo: Mapped[bytes | None] = mapped_column(LargeBinary)
    """A picture for the same page (domain.workspaces)."""
    posts_kept_days: Mapped[int | None]
    """Days for which settled posts are kept; 0: for ever, null: as the operator has set it."""
    when_unreadable: Mapped[str | None]
    """A domain.attempts.WhenUnreadable for accounts without one; null: the default."""


class ApiKey(WorkspaceRow):
    """A key of a workspace. Only its SHA-256 is stored; the key itself was shown once."""

    __tablename__ = "api_keys"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[str] = mapped_column(Id)
    """The key's name in lists and logs; it does not authenticate."""
    prefix: Mapped[str]
    """The key's first characters, by which its owner recognizes it."""
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime | None]
    """The last use, up to a minute behind, because not every request writes it."""
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(server_default=text("'{read,write,accounts,webhooks,keys}'"))
    """What it may do (domain.api_keys). Version 0.1 knows no scopes: its keys have all, and its processes allow all."""
    replaced_by: Mapped[str | None] = mapped_column(Id)
    """The id of the key that replaces it; `expires_at` is the end of their overlap."""
    rate_per_minute: Mapped[int | None]
    """Requests a minute that it may make; 0 for any number, null for what the API's setting says."""

    @property
    def is_valid(self) -> bool:
        """Return whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))


class _AccountColumns(WorkspaceRow):
    """The columns of a connected account except its credentials."""

    __abstract__ = True

    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    platform: Mapped[str]
    user_id: Mapped[str]
    username: Mapped[str]
    app_id: Mapped[str] = mapped_column(server_default=text("''"))
    """The platform's id of the app with which the account was connected; empty if the credentials do not name one."""
    premium: Mapped[bool] = mapped_column(server_default=text("false"))
    limits: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """The limits of the account's own server, if they differ from server to server."""
    allowed: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """Other places to which the account may publish: lists of values by the names of the settings."""
    when_unreadable: Mapped[str | None]
    """A domain.attempts.WhenUnreadable; null: as the workspace says."""
    connected_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    refused_at: Mapped[datetime | None]
    """Since when its platform refuses the credentials, so that its posts are held. Null while the account works."""
    refusal: Mapped[str | None]
    """The platform's reason for the refusal, as a sentence for the account's owner."""
    refusal_code: Mapped[str | None]
    refusal_count: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it was refused since it last published; the pause before the next try depends on it."""
    recheck_at: Mapped[datetime | None]
    """When the platform is asked next whether it accepts the account again."""
    expires_at: Mapped[datetime | None]
    """When the access token expires; null if it does not expire or its end is unknown."""
    refresh_expires_at: Mapped[datetime | None]
    """When the connection ends without a renewal: with its refresh token, or with its access token if it has none."""
    scopes: Mapped[list[str] | None]
    """The permissions that the platform last reported as granted."""
    grant_subject: Mapped[str | None]
    """The person at the platform whose consent gave the tokens, if several accounts may share it."""
    renew_at: Mapped[datetime | None]
    """When the credentials are renewed even if unused; null if they cannot be renewed, or the platform refused."""
    renewed_at: Mapped[datetime | None]
    renewing_until: Mapped[datetime | None]
    """Until when only one process may renew the credentials. If past, that process ended before it wrote the result."""
    renewal_started_at: Mapped[datetime | None]
    """Since when a renewal may have produced tokens that were never written. Null once its outcome is known."""
    renewal_failures: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of failed renewals since the last successful one."""
    renewal_error: Mapped[str | None]
    """The code of the last of these failures."""
    access_refused_at: Mapped[datetime | None]
    """When the platform refused the access token, which could not be renewed then. Null once tokens are accepted."""
    last_ok_at: Mapped[datetime | None]
    """When the platform last accepted the credentials, in a renewal or when it was asked for the account's profile."""
    inspected_at: Mapped[datetime | None]
    """When a caller last had the platform asked about the account's health."""
    inspection: Mapped[dict[str, Any] | None]
    """The result of that check, without secrets: `missing` permissions, `notes`, and why it is `unanswered`."""
    removal_requested_at: Mapped[datetime | None]
    """When a client asked for the account's removal: without that, a worker removes no account (ADR 41)."""
    removal_requested_by: Mapped[str | None] = mapped_column(Id)
    """The id of that client's API key."""
    removal_revokes: Mapped[bool | None]
    """Whether the account's access is to be ended at the platform, too."""


class Account(_AccountColumns):
    """A connected account of a platform; its credentials are encrypted (see `store.secrets.vault`)."""

    __tablename__ = "accounts"

    credentials: Mapped[bytes] = mapped_column(LargeBinary)


class ConnectedAccount(_AccountColumns):
    """The same row without the credentials: all columns that the API may read."""

    __table__ = Account.__table__
    __mapper_args__ = {"exclude_properties": ["credentials"]}  # noqa: RUF012 SQLAlchemy declares it so


class AppRefusal(Base):
    """An app of the operator's that its platform refuses: not approved, not enabled or out of credits."""

    __tablename__ = "app_refusals"

    platform: Mapped[str] = mapped_column(Id, primary_key=True)
    app_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """As in `Account.app_id`."""
    code: Mapped[str] = mapped_column(Id, primary_key=True)
    """The platform's code, or ours if it has none. An app may be refused for several reasons at the same time."""
    message: Mapped[str]
    """What the operator must do, as a sentence."""
    refused_at: Mapped[datetime]
    """When the refusal began."""
    last_refused_at: Mapped[datetime]
    probe_at: Mapped[datetime]
    """When one held target is tried next, to find out whether the platform accepts the app again."""
    probed_with: Mapped[str | None] = mapped_column(Id)
    """The id of the target that was tried last: the next one follows it."""


class AppSetup(Base):
    """The platforms with an app of the operator's and the ids of keys, from the workers' environment; without secrets.

    There is one row.
    """

    __tablename__ = "app_setups"

    only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    platforms: Mapped[list[str]]
    """The platforms with an app for all workspaces."""
    platforms_by_workspace: Mapped[dict[str, Any]]
    """Further platforms, by the ids of the workspaces that have an app there."""
    documents: Mapped[dict[str, Any]]
    """The documents that the API publishes about apps, by path: platforms that know an app by an address read them."""
    key_ids: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    """The ids of the workers' encryption keys, in hexadecimal."""
    announced_at: Mapped[datetime]


class PendingConnection(WorkspaceRow):
    """An account that is being connected. Deleted a day after it has ended."""

    __tablename__ = "pending_connections"

    platform: Mapped[str]
    state_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SHA-256 of the state, which is not stored; null if the account is connected by credentials."""
    redirect_url: Mapped[str | None]
    """The address to which the platform redirects the person; null if no platform does."""
    selection_by: Mapped[str | None]
    """A SelectionBy if this service receives the platform's redirect; null if the client does, or no platform does."""
    return_url: Mapped[str | None]
    """The address to which this service finally redirects the person, if it receives the platform's redirect."""
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SHA-256 of the cookie of the only browser that may continue, if this service receives the platform's redirect."""
    account_id: Mapped[str | None]
    """The account that is to be reconnected; another one is refused."""
    begun_by: Mapped[str | None] = mapped_column(Id)
    """The id of the API key with which it was begun."""
    options: Mapped[dict[str, Any]]
    """The client's choices (platforms.access.connector.Connector.options)."""
    posted_in: Mapped[str | None]
    """The place in which a person with the right to decide has posted the state, if the platform works so."""
    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The key with which the API seals data that only the worker may read (store.secrets.handover)."""
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The worker's secrets, sealed by the vault: the private key, PKCE's verifier, then the tokens."""
    authorize_url: Mapped[str | None]
    """The address at which the person consents; the state is not in it."""
    handover: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The code or the credentials, sealed with `public_key`."""
    handover_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The hash by which a repetition of the request is recognized."""
    consumed_at: Mapped[datetime | None]
    """When the state was used. It works once."""
    exchanged_at: Mapped[datetime | None]
    """When the code was sent to the platform, which accepts it once."""
    outcome: Mapped[dict[str, Any] | None]
    """The result of the consent: accounts, a selection from several, or a refusal."""
    selected_ids: Mapped[list[str] | None]
    """The ids that the person selected."""
    selection_result: Mapped[dict[str, Any] | None]
    """The result of connecting them: accounts or a refusal."""
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]

    @property
    def is_hosted(self) -> bool:
        """Return whether this service receives the platform's redirect."""
        return self.selection_by is not None


class PendingRevocation(WorkspaceRow):
    """An authorization that no account needs any more, until its platform has ended it.

    Written in the transaction that stops using it, and deleted with the line of the audit trail that says how it ended.
    """

    __tablename__ = "pending_revocations"

    platform: Mapped[str]
    account_id: Mapped[str | None] = mapped_column(Id)
    """The account whose history says how it ended; null if a refused connection did not name one."""
    cause: Mapped[str]
    """A domain.audit.RevocationCause."""
    credentials: Mapped[bytes] = mapped_column(LargeBinary)
    """As an account's, sealed for this row alone."""
    user_ids: Mapped[list[str]]
    """The platform's ids of the accounts that it reaches; empty if they are not known."""
    app_id: Mapped[str]
    """As in `Account.app_id`."""
    grant_subject: Mapped[str | None]
    """As in `Account.grant_subject`."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime]
    """When the platform is asked next."""
    given_up_after: Mapped[datetime]
    """Until when a platform that does not answer is asked again."""


class ChoiceList(WorkspaceRow):
    """A request for the values of a setting that an account may use, and the worker's result. Deleted after minutes."""

    __tablename__ = "choice_lists"

    account_id: Mapped[str] = mapped_column(Id)
    setting: Mapped[str]
    within: Mapped[str]
    """The value of the setting that the values depend on; empty if there is none."""
    result: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """The values, or the platform's error; empty until a worker has asked the platform."""
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
