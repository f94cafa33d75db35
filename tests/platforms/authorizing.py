"""An authorization as the worker runs it, without database and API, against any server of a platform."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from platforms.access.connector import Candidate
from platforms.access.consent import FindsServer, OAuthConnector, PublishesApp, PushesRequest, pkce_challenge
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.base import AccountFacts, Connection
from platforms.http.wire import Wire
from tests.platforms.rig import Through

BACK = "http://127.0.0.1:3000/connected"
Consent = Callable[[str], Awaitable[httpx.URL]]
"""Allow what an address requests, as a person does; returns the address to which the person is sent back."""


def query(url: str | httpx.URL) -> dict[str, str]:
    """Return the parameters of an address."""
    return dict(parse_qsl(urlsplit(str(url)).query))


@dataclass
class Authorization:
    """One authorization. `address_of` maps the base URL in the credentials to the address of the server in the test."""

    connector: OAuthConnector[Any]
    client: httpx.AsyncClient
    address_of: Callable[[Any], str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    redirect_uri: str = BACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    app: App = field(default_factory=lambda: App(""))
    options: Mapping[str, str] = field(default_factory=dict)

    def wire(self, credentials: Any) -> Wire:
        """Open a wire."""
        platform = self.connector.platform
        return Wire(
            Through(self.client),
            self.address_of(credentials),
            platform.label,
            self.connector.read_error,
            domains=platform.own_domains,
            elsewhere=self.elsewhere,
        )

    def connection(self, credentials: Any) -> Connection[Any]:
        """Open the connection of an account that is being connected."""
        wire = self.wire(credentials)
        wire.read_error = self.connector.platform.read_error

        async def none() -> Any:
            raise AssertionError("nothing is renewed while an account is connected")

        return Connection(wire, AccountFacts("", "", ""), credentials, none, lambda _: none(), is_trusted=False)

    async def begin(self, app: App | None = None, **options: str) -> str:
        """Find the server and register there; returns the address at which the person consents."""
        self.options, challenge = options, pkce_challenge(self.verifier)
        if app is None and isinstance(self.connector, PublishesApp):
            app = self.connector.own_app(self.redirect_uri)
        self.app = app or App("")
        if isinstance(self.connector, FindsServer):
            self.connector = self.connector.at_server(await self.connector.find_server(self.wire, options))
            self.app = await self.connector.register(self.to_server(), self.redirect_uri, self.app)
        if isinstance(self.connector, PushesRequest):
            return await self.connector.push(self.to_server(), self.app, self.redirect_uri, challenge, self.state)
        address = self.connector.consent_address(self.to_server(), self.app, self.redirect_uri, challenge, options)
        return f"{address}&state={self.state}"

    def to_server(self) -> Wire:
        """Open a wire to the server that gives the authorization."""
        if isinstance(self.connector, FindsServer):
            return self.wire(self.connector.target(self.options))
        return self.wire(self.connector.platform.credentials.model_construct())

    async def trade(self, back: Mapping[str, str], **changed: Any) -> Grant:
        """Exchange the code with which the person came back. Raises PlatformError."""
        assert back["state"] == self.state
        assert not isinstance(self.connector, FindsServer) or self.connector.is_issuer(back.get("iss"))
        request = {"code": back["code"], "redirect_uri": self.redirect_uri, "verifier": self.verifier} | changed
        return await self.connector.exchange(self.to_server(), self.app, **request)

    async def account(self, grant: Grant) -> Candidate[Any]:
        """Return the only account of a grant."""
        [candidate] = await self.connector.candidates(self.connection, self.app, grant, self.options)
        return candidate
