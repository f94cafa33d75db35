"""Connections to the platforms with the credentials of an account, which are renewed when they are due."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import BaseModel

from accounts.credentials.app_secrets import plain, require_own_app, with_app_secret, with_stored_secret
from accounts.credentials.renewal import CALL_S, CredentialsChange, Guard, Renewals
from accounts.credentials.renewal_outcomes import RecordRenewal
from accounts.facts import account_facts, at_renewal, is_due, platform_can_renew, token_rules_for
from domain.loop_share import Stopwatch
from platforms.access.registered_apps import RegisteredApps
from platforms.access.renewal import Lifetimes, Renewed, TokenRules
from platforms.base import AccountFacts, AnyPlatform, Connection, Identity
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Exchange, ServerMemory, Wire
from platforms.registry import platforms
from platforms.servers.reach import Reach, Servers
from store.accounts.connected import open_credentials
from store.accounts.renewals import ChangedCredentials
from store.database import Database
from store.models import Account
from store.secrets.vault import Vault


class NewAccount:
    """Credentials of no account yet, and their changes while their platform is asked."""

    def __init__(
        self, platform: AnyPlatform, wire: Wire, credentials: Any, apps: RegisteredApps, *, is_trusted: bool
    ) -> None:
        self.credentials = credentials
        """The credentials as they are to be stored: without the secret of the operator's app."""
        self.lifetimes: Lifetimes | None = None
        """The platform's facts about the tokens if they were renewed meanwhile."""
        self._platform = platform
        self._apps = apps
        self.connection: Connection[Any] = Connection(
            wire,
            AccountFacts("", "", ""),
            with_app_secret(apps, platform, credentials, wire.workspace),
            self._refresh,
            self._keep,
            is_trusted=is_trusted,
        )

    async def whoami(self) -> Identity:
        """Ask the platform for the account of these credentials. Raises PlatformError."""
        return await self._platform.whoami(self.connection)

    async def _refresh(self) -> Any:
        renewed: Renewed[Any] = await self._platform.renew(self.connection)  # type: ignore[attr-defined]
        self.lifetimes = renewed.lifetimes or self.lifetimes
        return await self._keep(lambda current: with_stored_secret(renewed.credentials, current))

    async def _keep(self, change: Callable[[Any], Any]) -> Any:
        self.credentials = change(self.credentials)
        self.connection.credentials = with_app_secret(
            self._apps, self._platform, self.credentials, self.connection.wire.workspace
        )
        return self.connection.credentials


RENEWAL_S = CALL_S + 2.0
"""How long a renewal that runs when a worker stops may take until its result is saved."""
_LAST_RENEWALS_S = 3.0
"""Together with the time for saving a response, this is what `worker.STOP_MARGIN_S` leaves once all workers ended."""


def not_connected(platform: AnyPlatform) -> PlatformError:
    """Return the error of a target whose account is no longer connected."""
    return PlatformError(
        ErrorKind.AUTH,
        f"This {platform.label} account is not connected. Connect it again.",
        code="account_not_connected",
    )


class AccountConnections:
    """The connections of one worker's accounts.

    Each platform has a transport of its own, so that one which does not respond uses up no sockets of the others.
    Servers that accounts name have a separate transport.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        servers: Servers,
        platforms_at: Mapping[str, httpx.AsyncBaseTransport],
        named_servers: httpx.AsyncBaseTransport,
        registered_apps: RegisteredApps,
        record_renewal: RecordRenewal,
        renews: bool,
    ) -> None:
        self.vault = vault
        self.registered_apps = registered_apps
        self.renews = renews
        self._renewals = Renewals(database, vault, record=record_renewal, on=renews)
        self._servers = servers
        self._platforms_at = platforms_at
        self._named_servers = named_servers
        self._memory = ServerMemory()
        self._stopping: Stopwatch | None = None

    def server_url(self, account: Account) -> str:
        """Return the base URL of an account's server. Raises VaultError."""
        return self._servers.reach(platforms()[account.platform], self.request_credentials(account)).url

    def request_credentials(self, account: Account) -> Any:
        """Return an account's credentials for requests, the app's secret filled in. Raises VaultError."""
        platform = platforms()[account.platform]
        stored = platform.credentials.model_validate(open_credentials(self.vault, account))
        return with_app_secret(self.registered_apps, platform, stored, account.workspace_id)

    def connection(self, account: Account, on_exchange: Callable[[Exchange], None] = lambda _: None) -> Connection[Any]:
        """Return an account's connection to its platform. Raises VaultError, PlatformError."""
        return self._connection_with(account, self.request_credentials(account), on_exchange)

    async def whoami(self, account: Account) -> Identity:
        """Ask an account's platform whether it accepts its credentials. Raises VaultError, PlatformError."""
        return await platforms()[account.platform].whoami(self.connection(account))

    def wire_for(
        self,
        platform: AnyPlatform,
        credentials: BaseModel,
        workspace_id: str,
        read_error: Callable[[httpx.Response], PlatformError] | None = None,
    ) -> Wire:
        """Return a wire to the server that credentials name, for requests that belong to no account yet."""
        wire = self._wire(platform, self._servers.reach(platform, credentials), workspace_id)
        return replace(wire, read_error=read_error) if read_error else wire

    def new_account(self, platform: AnyPlatform, credentials: Any, workspace_id: str) -> NewAccount:
        """Return the connection of an account that is being connected."""
        server = self._servers.reach(platform, credentials)
        wire = self._wire(platform, server, workspace_id)
        return NewAccount(platform, wire, credentials, self.registered_apps, is_trusted=server.is_trusted)

    async def renew(self, account: Account) -> bool:
        """Renew an account's tokens now, even shortly after a failure; return whether they have changed.

        Raises VaultError, PlatformError.
        """
        before = account.credentials
        if platform_can_renew(platforms()[account.platform], self.request_credentials(account)):
            await self._renew(account, force=True)
        return account.credentials != before

    def stop_renewing(self) -> None:
        """Begin no further renewals: this worker stops."""
        self._stopping = Stopwatch()
        self._renewals.stop()

    def renewing_for_s(self) -> float:
        """Return how many more seconds those renewals may need that were running when this worker began to stop."""
        passed = self._stopping.passed.total_seconds() if self._stopping else RENEWAL_S
        return max(RENEWAL_S - passed, 0) if self._renewals.are_running else 0

    async def close(self) -> None:
        """Wait for running renewals: if a response were lost, its account would be disconnected."""
        await self._renewals.close(max(self.renewing_for_s(), _LAST_RENEWALS_S))

    async def _renew_used(self, account: Account, rules: TokenRules | None) -> Any:
        """Return renewed credentials for requests; a token that is not due was refused by the platform."""
        used, was_due = account.credentials, is_due(rules, account, datetime.now(UTC))
        try:
            return await self._renew(account)
        except PlatformError:
            if rules is not None and not was_due:
                await self._renewals.note_refused_access(account, used)
            raise

    async def _renew(self, account: Account, *, force: bool = False) -> Any:
        """Return renewed credentials for requests."""
        platform = platforms()[account.platform]

        async def change(stored: dict[str, Any], guard: Guard) -> ChangedCredentials:
            own = platform.credentials.model_validate(stored)
            full = with_app_secret(self.registered_apps, platform, own, account.workspace_id)
            connection = self._connection_with(account, full, guard=guard)
            renewed: Renewed[Any] = await platform.renew(connection)  # type: ignore[attr-defined]
            reported, now = renewed.lifetimes or Lifetimes(), datetime.now(UTC)
            tokens = at_renewal(platform, renewed.credentials, reported, account.refresh_expires_at, now)
            return ChangedCredentials(plain(with_stored_secret(renewed.credentials, own)), tokens)

        return await self._changed(
            account, change, token_rules_for(platform, self.request_credentials(account)), force=force
        )

    async def _keep(self, account: Account, edit: Callable[[Any], Any]) -> Any:
        """Save edited credentials and return them for requests."""
        platform = platforms()[account.platform]

        async def change(stored: dict[str, Any], _: Guard) -> ChangedCredentials:
            return ChangedCredentials(plain(edit(platform.credentials.model_validate(stored))), None)

        return await self._changed(account, change, None)

    async def _changed(
        self, account: Account, change: CredentialsChange, rules: TokenRules | None, *, force: bool = False
    ) -> Any:
        newest = await self._renewals.renewed(account, change, rules, server=self.server_url(account), force=force)
        if newest is None:
            raise not_connected(platforms()[account.platform])
        account.credentials = newest
        return self.request_credentials(account)

    def _connection_with(
        self,
        account: Account,
        credentials: Any,
        on_exchange: Callable[[Exchange], None] = lambda _: None,
        *,
        guard: Guard | None = None,
    ) -> Connection[Any]:
        """Return an account's connection. With a `guard`, for renewing, it awaits the guard before its first byte.

        Raises PlatformError if the credentials name an app that is for other workspaces.
        """
        platform = platforms()[account.platform]
        require_own_app(self.registered_apps, platform, credentials, account.workspace_id)
        server = self._servers.reach(platform, credentials)
        rules = token_rules_for(platform, credentials) if platform_can_renew(platform, credentials) else None
        return Connection(
            wire=replace(
                self._wire(platform, server, account.workspace_id),
                refusals=platform.refusals,
                on_exchange=on_exchange,
                quota_in=platform.quota_in,
                fence=guard,
                fences_all=guard is not None,
                without_timeout=guard is not None,
            ),
            account=account_facts(account),
            credentials=credentials,
            refresh=lambda: self._renew_used(account, rules),
            keep=lambda edit: self._keep(account, edit),
            is_due=lambda: is_due(rules, account, datetime.now(UTC)),
            is_trusted=server.is_trusted,
        )

    def _wire(self, platform: AnyPlatform, server: Reach, workspace_id: str) -> Wire:
        return Wire(
            transport=self._named_servers if server.named else self._platforms_at[platform.name],
            base_url=server.url,
            label=platform.label,
            read_error=platform.read_error,
            request_id_header=platform.request_id_header,
            workspace=workspace_id,
            domains=platform.own_domains,
            elsewhere=server.elsewhere,
            memory=self._memory,
        )
