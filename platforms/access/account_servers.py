"""Authorizations of servers that accounts name: what such a connector has in addition to the others."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Self

from platforms.access.registered_apps import App
from platforms.base import C
from platforms.http.wire import Wire


class FindsServer(ABC, Generic[C]):
    """A platform of which each account has a server: it is found first, and gives the authorization."""

    server_option: ClassVar[str]
    """The option in which a client names the server, or an account that leads to it."""
    takes_credentials: ClassVar[bool] = False
    """Whether an account is connected by credentials if the client leaves that option out."""
    always_names_issuer: ClassVar[bool] = False
    """Whether every server sends the person back with its name as `iss` (RFC 9207)."""

    @abstractmethod
    def target(self, options: Mapping[str, str]) -> C:
        """Return credentials that name the server to ask, and nothing else. Raises ValueError."""

    @abstractmethod
    async def find_server(self, open_wire: Callable[[Any], Wire], options: Mapping[str, str]) -> dict[str, str]:
        """Return what must be known of the account's server; it is kept sealed until the code arrives.

        `open_wire` opens a wire to the server that credentials name. Raises PlatformError, kind `rejected` if what the
        person named leads to no server.
        """

    @abstractmethod
    def at_server(self, facts: Mapping[str, str]) -> Self:
        """Return the connector for the server of which `find_server` returned these facts."""

    @abstractmethod
    def is_issuer(self, issuer: str | None) -> bool:
        """Return whether a response with this `iss` may come from the server to which the person was sent."""

    @abstractmethod
    async def register(self, wire: Wire, redirect_uri: str, app: App) -> App:
        """Return the app to use at the server, registering it if the platform wants that. Raises PlatformError."""


class PushesRequest(ABC):
    """A platform whose servers get the authorization request before the person is sent there (RFC 9126)."""

    @abstractmethod
    async def push(self, wire: Wire, app: App, redirect_uri: str, challenge: str, state: str) -> str:
        """Push the authorization request to the server; return where the person consents. Raises PlatformError."""


class PublishesApp(ABC):
    """A platform whose servers read about an app at the address that is its id, so that it is registered nowhere."""

    @abstractmethod
    def own_app(self, redirect_url: str) -> App | None:
        """Return an app that needs no address; None if there is none for this redirect."""

    @abstractmethod
    def document(self, app: App, redirect_urls: Sequence[str]) -> dict[str, Any] | None:
        """Return the metadata that the API publishes of the operator's app; None if there are none."""
