"""The connection of an account that is being connected: nothing is stored yet."""

from collections.abc import Callable
from typing import Any

from accounts.credentials.app_secrets import with_app_secret, with_stored_secret
from platforms.access.registered_apps import RegisteredApps
from platforms.access.renewal import Lifetimes, Renewed
from platforms.base import AccountFacts, AnyPlatform, Connection, Identity
from platforms.http.wire import Wire


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
