"""The context of a step of connecting accounts, and the messages if it fails or cannot continue yet."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from accounts.credentials.connections import AccountConnections
from domain.workspaces import MOST_ACCOUNTS
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer
from platforms.base import AnyPlatform, Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from platforms.servers.reach import FORBIDDEN
from store.accounts.pending_connections import update_connection
from store.database import Database
from store.failures import persist
from store.models import PendingConnection
from store.secrets.handover import open_handover

Outcome = dict[str, Any]
DENIALS = frozenset({"access_denied", "user_cancelled_authorize", "user_cancelled_login"})
"""The errors with which platforms redirect a person who has declined; the last two are LinkedIn's."""
_OAUTH_ERROR = re.compile(r"[a-z_]{1,64}")


class ConnectRefused(Exception):
    """The end of a connection, or a temporary obstacle if it is not `final`."""

    def __init__(self, code: str, message: str, *, param: str | None = None, final: bool = True) -> None:
        super().__init__(code)
        self.outcome: Outcome = {"error": {"code": code, "message": message, "param": param}, "final": final}


def consent_declined(platform: AnyPlatform, error: str) -> ConnectRefused:
    """Return the refusal by a person, or by a platform that did not ask the person."""
    if error in DENIALS:
        message = f"The authorization was declined at {platform.label}. Nothing was connected."
        return ConnectRefused("authorization_declined", message)
    if error in {"server_error", "temporarily_unavailable"}:
        return ConnectRefused("unavailable", f"{platform.label} does not answer right now. Start again.")
    named = error if _OAUTH_ERROR.fullmatch(error) else "an unknown error"
    message = (
        f"{platform.label} did not ask for consent, because it does not accept this service's app: {named}. The "
        "operator must check the app's settings there."
    )
    return ConnectRefused("app_refused", message)


def other_account(platform: AnyPlatform, row: PendingConnection) -> ConnectRefused:
    """Return the refusal of an account that is not the one to be reconnected."""
    message = (
        f"{platform.label} answered for another account than {row.account_id}. Nothing was changed. Sign in there as "
        "that account, and connect again."
    )
    return ConnectRefused("different_account", message)


def too_many_accounts(most: int) -> ConnectRefused:
    """Return the refusal of accounts that would be more than a workspace may connect."""
    message = f"This workspace would have more than {most:,} accounts. Remove some first, and start again."
    return ConnectRefused("too_many_accounts", message)


def refusal_for(platform: AnyPlatform, error: PlatformError, server_param: str) -> ConnectRefused:
    """Return the meaning of a platform's error for the person who connects; `server_param` has named the server."""
    if error.kind is ErrorKind.OPERATOR:
        return ConnectRefused("app_refused", error.message)
    if error.kind is ErrorKind.REJECTED and error.code == FORBIDDEN:
        return ConnectRefused("server_forbidden", error.message, param=server_param)
    if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
        return ConnectRefused("no_accounts", error.message)
    return unanswered(platform)


def unanswered(platform: AnyPlatform) -> ConnectRefused:
    """Return the error if a platform does not respond: the same request may be repeated."""
    message = f"{platform.label} does not answer right now. Send the same request again."
    return ConnectRefused("unavailable", message, final=False)


Secrets = dict[str, Any]
"""What only workers may know of a pending connection: its key, verifier, app, tokens and candidates."""


@dataclass(slots=True)
class Obtained:
    """The credentials that an authorization gave, and the platform's ids of the accounts that it reaches, if known."""

    credentials: Any = field(repr=False)
    user_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ConnectContext:
    """The context of one step of connecting accounts, which writes its result into the pending connection's row."""

    database: Database
    accounts: AccountConnections
    row: PendingConnection
    most_accounts: int = MOST_ACCOUNTS
    """How many accounts a workspace may connect; 0 for any number."""
    obtained: list[Obtained] = field(default_factory=list, repr=False)
    """What this service has now at the platform, and must not leave there if no account is connected."""

    @property
    def platform(self) -> AnyPlatform:
        """Return the platform whose accounts are connected."""
        return platforms()[self.row.platform]

    @property
    def is_by_code(self) -> bool:
        """Return whether a person posts the state, instead of coming back from a platform with it."""
        return self.row.state_hash is not None and self.row.redirect_url is None

    @property
    def server_param(self) -> str:
        """Return the parameter in which a client has named the account's server, or that leads to it."""
        connector = connectors().get(self.row.platform)
        if isinstance(connector, FindsServer) and self.row.redirect_url is not None:
            return connector.server_option
        return "credentials"

    def connection(self, credentials: Any) -> Connection[Any]:
        """Return a connection to the platform with the credentials of an account that is being connected."""
        return self.accounts.new_account(self.platform, credentials, self.row.workspace_id).connection

    def open_secrets(self) -> Secrets:
        """Return what earlier steps have sealed into the row. Raises VaultError."""
        return self.accounts.vault.open(self.row.sealed or b"", self._vault_context)

    def open_handover(self, secrets: Secrets) -> dict[str, Any]:
        """Return what the API has handed over to the worker alone. Raises HandoverError."""
        return open_handover(base64.b64decode(secrets["private_key"]), self.row.handover or b"", self.row.id)

    def seal(self, secrets: Secrets) -> bytes:
        """Return what the next steps need, sealed."""
        return self.accounts.vault.seal(secrets, self._vault_context)

    async def write(self, **values: Any) -> None:
        """Save columns of the row."""

        async def write() -> None:
            async with self.database.answers.transaction() as session:
                await update_connection(session, self.row.id, **values)

        await persist(write)

    @property
    def _vault_context(self) -> str:
        return f"connection/{self.row.workspace_id}/{self.row.id}"
