"""The consent of people: they authorize this service at the platform (OAuth 2.0), and it gets tokens for that."""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any, ClassVar, Generic, Self
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from platforms.access.connector import Candidate, Connect, Connector, connectors
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, reported_lifetimes
from platforms.access.token_endpoint import TokenEndpoint
from platforms.base import C, Identity
from platforms.errors import PlatformError
from platforms.http.wire import Wire, json_object


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


class Ends(Enum):
    """The reach of one revocation: whatever a platform ends together with the token that it is asked to revoke."""

    AUTHORIZATION = auto()
    """The authorization of this token alone: each connection has its own, so that of a replaced connection is ended."""
    ACCOUNT = auto()
    """Perhaps all that the account has granted the app. So a replaced token stays: the new one could end with it."""
    PERSON = auto()
    """All that the person has granted the app, on all platforms of its family."""


class OAuthConnector(Connector[C], ABC):
    """A platform where a person consents on a page, and comes back with a code that is exchanged for tokens."""

    consent_page: ClassVar[str]
    endpoint: ClassVar[TokenEndpoint]
    scopes: ClassVar[Sequence[str]]
    """The permissions that are asked for."""
    optional_scopes: ClassVar[frozenset[str]] = frozenset()
    """The permissions that the account can publish without."""
    later_scopes: ClassVar[Sequence[str]] = ()
    """The permissions that only a published post needs; they are asked for, and an account is healthy without them."""
    wider_scopes: ClassVar[Mapping[str, str]] = {}
    """Wider permissions that other tokens may have, each with the beginning of the permissions that it covers."""
    scope_separator: ClassVar[str] = " "
    pkce: ClassVar[bool] = True
    consent_query: ClassVar[Mapping[str, str]] = {}
    """Parameters of the consent page's address in addition to the usual ones."""
    code_lifetime: ClassVar[str] = "a few minutes"
    """How long a code is accepted, as part of a sentence."""
    revoked_tokens: ClassVar[Sequence[str]] = ("refresh_token", "access_token")
    """The tokens to revoke, one request for each."""
    ends: ClassVar[Ends] = Ends.ACCOUNT
    """What revoking a token ends."""

    def read_error(self, response: httpx.Response) -> PlatformError:
        """Map an error response of the token endpoint to a PlatformError."""
        return self.endpoint.code_refusal(self.label, response.status_code, json_object(response))

    def requested_scopes(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for: all but those that the app is not approved for."""
        return [scope for scope in (*self.scopes, *self.later_scopes) if scope not in app.without_scopes]

    @property
    def unneeded_scopes(self) -> frozenset[str]:
        """Return the permissions that are asked for and that an account can publish without."""
        return self.optional_scopes.union(self.later_scopes)

    def consent_address(
        self, wire: Wire, app: App, redirect_uri: str, challenge: str, options: Mapping[str, str]
    ) -> str:
        """Return where a person consents; the caller adds `state`."""
        query = {
            "response_type": "code",
            self.endpoint.id_field: app.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scope_separator.join(self.requested_scopes(app, options)),
            **({"code_challenge": challenge, "code_challenge_method": "S256"} if self.pkce else {}),
            **self.consent_query,
        }
        return f"{wire.address(self.platform.base_url, self.consent_page)}?{urlencode(query)}"

    def code_form(self, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
        """Return the form that exchanges a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return form | ({"code_verifier": verifier} if self.pkce else {})

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for tokens. Raises PlatformError, code CODE_REJECTED if the platform refuses this code."""
        form = self.code_form(code, redirect_uri, verifier)
        return self.read_grant(json_object(await self.endpoint.post(wire, self.platform.base_url, app, form)))

    def read_grant(self, answer: Mapping[str, Any]) -> Grant:
        """Return the tokens of a response. Raises PlatformError if there are none."""
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise self.endpoint.code_refusal(self.label, 400, answer)
        reported = reported_lifetimes(answer)
        return Grant(
            SecretStr(access),
            SecretStr(refresh) if isinstance(refresh, str) and refresh else None,
            None if reported.scopes is None else frozenset(reported.scopes),
            reported,
        )

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[C]]:
        """Return what the authorization lets this service publish to. Raises PlatformError.

        By default that is the one account that gave the authorization.
        """
        credentials = self.granted_credentials(app, grant, options)
        identity: Identity = await self.platform.whoami(connect(credentials))
        name = identity.username
        return [Candidate(identity.user_id, name, "profile", credentials, name, identity=identity)]

    def granted_credentials(self, app: App, grant: Grant, options: Mapping[str, str]) -> C:
        """Return the credentials that an authorization gave, of whichever account.

        Raises PlatformError if it gave none that an account could have, or that could be revoked.
        """
        return self.credentials(app, grant)

    def credentials(self, app: App, grant: Grant, **more: Any) -> C:
        """Return the credentials of an account: its tokens, and the id of the app without its secret."""
        fields: dict[str, Any] = {"access_token": grant.access_token, "refresh_token": grant.refresh_token}
        fields |= {"client_id": app.client_id or None, **more}
        known = self.platform.credentials.model_fields
        credentials: C = self.platform.credentials.model_construct(
            **{name: value for name, value in fields.items() if name in known}
        )
        return credentials

    def missing_scopes(self, app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
        """Return the permissions that were asked for and not granted."""
        granted = grant.scopes
        return [] if granted is None else [s for s in self.requested_scopes(app, options) if s not in granted]

    def lacking_scopes(self, granted: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the permissions that an account lacks: those needed to publish, and the others."""
        covered = tuple(self.wider_scopes[scope] for scope in granted if scope in self.wider_scopes)
        lacking = [scope for scope in self.scopes if scope not in granted and not scope.startswith(covered)]
        return [scope for scope in lacking if scope not in self.optional_scopes], [
            scope for scope in lacking if scope in self.optional_scopes
        ]

    def can_revoke(self, credentials: C) -> bool:
        """Return whether `revoke` ends the access that these credentials give."""
        return self.endpoint.revocation is not None

    def revocable_tokens(self, credentials: C) -> frozenset[str]:
        """Return the tokens that `revoke` ends."""
        tokens = (getattr(credentials, name, None) for name in self.revoked_tokens)
        return frozenset(token.get_secret_value() for token in tokens if token is not None)

    async def revoke(self, wire: Wire, app: App, credentials: C) -> None:
        """Revoke an account's tokens. Repeatable. Raises PlatformError."""
        url = self.endpoint.revocation
        for name in self.revoked_tokens if url else ():
            token = getattr(credentials, name, None)
            if token is not None:
                form = {"token": token.get_secret_value()}
                await self.endpoint.post(wire, self.platform.base_url, app, form, url=url)


def pkce_challenge(verifier: str) -> str:
    """Return the challenge of PKCE's S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def oauth_connector(name: str) -> OAuthConnector[Any]:
    """Return the connector of a platform that people authorize this service at. Raises LookupError if there is none."""
    connector = connectors().get(name)
    if isinstance(connector, OAuthConnector):
        return connector
    raise LookupError(f"{name} has no consent page")
