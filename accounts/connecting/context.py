"""The context of a step of connecting accounts: the pending connection, and what only a worker can read in it."""

import base64
from dataclasses import dataclass, field
from typing import Any

from accounts.credentials.connections import AccountConnections
from domain.workspaces import MOST_ACCOUNTS
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer
from platforms.base import AnyPlatform, Connection
from platforms.registry import platforms
from store.accounts.pending_connections import update_connection
from store.database import Database
from store.failures import persist
from store.models import PendingConnection
from store.secrets.handover import open_handover

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
