"""Connecting accounts: people authorize this service at the platform (OAuth 2.0), and it gets tokens for that.

Each platform that supports this has a `CONNECTOR` in its `connect` module. A connector builds addresses and reads
responses. It knows neither the database nor the states of connections.
"""

import base64
import hashlib
import importlib
import pkgutil
from abc import ABC
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import cache
from typing import Any, ClassVar, Generic
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import BaseModel, SecretStr

from platforms.access.codes_posted import CodePost, Inbox
from platforms.access.grants import Grant
from platforms.access.inspection import Inspection
from platforms.access.registered_apps import App
from platforms.access.renewal import lifetimes_of
from platforms.base import AnyPlatform, C, Connection, Identity
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object
from platforms.registry import platforms

CODE_REJECTED = "code_rejected"
"""Our code for a refusal of the authorization code itself."""
_OF_THE_APP = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
_OF_THE_CODE = frozenset({"invalid_grant", "invalid_request"})


@dataclass(frozen=True, slots=True)
class Candidate(Generic[C]):
    """A page, channel, location or profile that one authorization lets this service publish to."""

    id: str
    name: str
    kind: str
    credentials: C = field(repr=False)
    username: str | None = None
    reason: str | None = None
    """Why it cannot be selected; None if it can."""
    identity: Identity | None = None
    """What `Platform.whoami` returned for it, if it was called already."""


class Ends(Enum):
    """The reach of one revocation: whatever a platform ends together with the token that it is asked to revoke."""

    AUTHORIZATION = auto()
    """The authorization of this token alone: each connection has its own, so that of a replaced connection is ended."""
    ACCOUNT = auto()
    """Perhaps all that the account has granted the app. So a replaced token stays: the new one could end with it."""
    PERSON = auto()
    """All that the person has granted the app, on all platforms of its family."""


Connect = Callable[[Any], Connection[Any]]
"""Opens a connection to the platform with credentials that do not belong to an account yet."""


class Connector(ABC, Generic[C]):
    """The way in which people connect accounts of one platform."""

    name: ClassVar[str]
    authorize: ClassVar[str]
    """The page on which people consent."""
    token: ClassVar[str]
    """The endpoint that trades codes for tokens."""
    scopes: ClassVar[Sequence[str]]
    """The permissions that are asked for."""
    secondary: ClassVar[frozenset[str]] = frozenset()
    """The permissions that the account can publish without."""
    divided_by: ClassVar[str] = " "
    pkce: ClassVar[bool] = True
    basic: ClassVar[bool] = False
    """Whether an app with a secret identifies itself by HTTP Basic rather than in the form."""
    client_id: ClassVar[str] = "client_id"
    """The parameter that names the app."""
    code_lifetime: ClassVar[str] = "a few minutes"
    """How long a code is accepted, as part of a sentence."""
    query: ClassVar[Mapping[str, str]] = {}
    """Parameters of the address in addition to the usual ones."""
    options: ClassVar[Mapping[str, Sequence[str]]] = {}
    """What a client may choose when it begins: the allowed values of each option, the default first."""

    needed: ClassVar[Sequence[str]] = ()
    """The options that a client must give."""
    needs_app: ClassVar[bool] = True
    """Whether this is the only way to connect accounts. If not, a service without an app asks for credentials."""
    by_code: ClassVar[bool] = False
    """Whether a person posts a code where the account is to publish, instead of consenting on a page."""
    asked_for_by: ClassVar[str | None] = None
    """The option with which a client asks for an authorization. Without it the account is connected by credentials."""
    pushes: ClassVar[bool] = False
    """Whether the authorization request is pushed to the server before the person is sent there (RFC 9126)."""
    names_issuer: ClassVar[bool] = False
    """Whether the server sends the person back with its name as `iss` (RFC 9207), which must then be checked."""
    checked_every: ClassVar[timedelta] = timedelta(minutes=1)
    """How often the account's state may be checked at the platform on demand; our choice."""
    revocation: ClassVar[str | None] = None
    """The endpoint that revokes tokens; None if there is none, or if revoking does not end the access."""
    revoked_tokens: ClassVar[Sequence[str]] = ("refresh_token", "access_token")
    """The tokens to revoke, one request for each."""
    ends: ClassVar[Ends] = Ends.ACCOUNT
    """What revoking a token ends."""
    settings_page: ClassVar[str] = "the account's settings"
    """Where a person removes this service's access at the platform, as part of a sentence. Unverified: the platforms
    name these pages in their help, and change them."""
    covers: ClassVar[Mapping[str, str]] = {}
    """Wider permissions that other tokens may have, each with the beginning of the permissions that it covers."""

    @property
    def platform(self) -> AnyPlatform:
        """Return the platform that it belongs to."""
        return platforms()[self.name]

    def error_of(self, response: httpx.Response) -> PlatformError:
        """Map an error response of the token endpoint to a PlatformError."""
        return refusal_of(self, response.status_code, json_object(response))

    def refuses_app(self, answer: Mapping[str, Any]) -> bool:
        """Return whether a refusal says that the app's id or secret is wrong."""
        return refuses_app(answer)

    def refuses_code(self, answer: Mapping[str, Any]) -> bool:
        """Return whether a refusal says that the code is not accepted."""
        return refuses_code(answer)

    def target(self, options: Mapping[str, str]) -> BaseModel:
        """Return credentials that name the server to ask, and nothing else. Raises ValueError."""
        named: BaseModel = self.platform.credentials.model_construct()
        return named

    async def find(self, open_wire: Callable[[Any], Wire], options: Mapping[str, str]) -> dict[str, str]:
        """Return what must be known of the account's server beforehand; it is kept sealed until the code arrives.

        `open_wire` opens a wire to the server that credentials name. Raises PlatformError, kind `rejected` if what the
        person named leads to no server.
        """
        return {}

    def of(self, found: Mapping[str, str]) -> "Connector[C]":
        """Return the connector for what `find` has found."""
        return self

    def is_from(self, issuer: str | None) -> bool:
        """Return whether a response with this `iss` may come from the server to which the person was sent."""
        return True

    def own_app(self, redirect_url: str) -> App | None:
        """Return an app that needs no registration; None if there is none for this address."""
        return None

    def document(self, app: App, redirect_urls: Sequence[str]) -> dict[str, Any] | None:
        """Return the metadata that the API publishes of the operator's app; None if there are none."""
        return None

    async def push(self, wire: Wire, app: App, redirect_uri: str, challenge: str, state: str) -> str:
        """Push the authorization request to the server; return where the person consents. Raises PlatformError."""
        raise NotImplementedError

    async def register(self, wire: Wire, redirect_uri: str, app: App) -> App:
        """Return the app to use, registering it at the server if the platform wants that. Raises PlatformError."""
        return app

    def wanted(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for."""
        return self.scopes

    def address(self, wire: Wire, app: App, redirect_uri: str, challenge: str, options: Mapping[str, str]) -> str:
        """Return where a person consents; the caller adds `state`."""
        query = {
            "response_type": "code",
            self.client_id: app.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.divided_by.join(self.wanted(app, options)),
            **({"code_challenge": challenge, "code_challenge_method": "S256"} if self.pkce else {}),
            **self.query,
        }
        return f"{self.at(wire, self.authorize)}?{urlencode(query)}"

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for tokens. Raises PlatformError, code CODE_REJECTED if the platform refuses this code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"code_verifier": verifier} if self.pkce else {}
        return self.grant(wire, await self.ask(wire, app, self.token, form))

    async def ask(self, wire: Wire, app: App, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the response to one request for tokens. Raises PlatformError."""
        headers, fields = self.headers(app), dict(form)
        if self.basic and app.secret:
            pair = base64.b64encode(f"{app.client_id}:{app.secret}".encode()).decode()
            headers |= {"Authorization": f"Basic {pair}"}
        else:
            fields |= {self.client_id: app.client_id} | ({"client_secret": app.secret} if app.secret else {})
        response = await wire.send("POST", self.at(wire, url), data=fields, headers=headers)
        return json_object(response)

    def headers(self, app: App) -> dict[str, str]:
        """Return the headers that the platform wants with requests for tokens."""
        return {}

    def grant(self, wire: Wire, answer: Mapping[str, Any]) -> Grant:
        """Return the tokens of a response. Raises PlatformError if there are none."""
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise refusal_of(self, 400, answer)
        reported = lifetimes_of(answer)
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
        credentials = self.granted(app, grant, options)
        identity: Identity = await self.platform.whoami(connect(credentials))
        name = identity.username
        return [Candidate(identity.user_id, name, "profile", credentials, name, identity=identity)]

    def granted(self, app: App, grant: Grant, options: Mapping[str, str]) -> C:
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

    async def invite(self, wire: Wire, connect: Connect, app: App) -> str:
        """Return where a person adds the operator's bot, before the code is posted there. Raises PlatformError."""
        raise NotImplementedError

    async def inbox(self, connect: Connect, app: App) -> Inbox:
        """Return the codes that were posted. Raises PlatformError."""
        raise NotImplementedError

    async def may_connect(self, connect: Connect, app: App, post: CodePost) -> bool:
        """Return whether the person who posted a code may decide for that place. Raises PlatformError."""
        raise NotImplementedError

    def credentials_at(self, app: App, place: str) -> C:
        """Return the credentials of a place that the operator's bot was added to."""
        raise NotImplementedError

    async def remove_code_post(self, connect: Connect, app: App, post: CodePost) -> None:
        """Remove the post with the code. Raises PlatformError."""

    async def match_stored(self, connect: Connect, candidate: Candidate[C], stored: C) -> Candidate[C]:
        """Return the candidate as the account that has the `stored` credentials, if it may replace it; else unchanged.

        Called if an account is reconnected.
        """
        return candidate

    def missing(self, app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
        """Return the permissions that were asked for and not granted."""
        return [] if grant.scopes is None else [each for each in self.wanted(app, options) if each not in grant.scopes]

    async def inspect(self, connection: Connection[C]) -> Inspection:
        """Check the account's state, changing nothing. Raises PlatformError, `auth` if its tokens are not accepted."""
        await self.platform.whoami(connection)
        return Inspection()

    def can_revoke(self, credentials: C) -> bool:
        """Return whether `revoke` ends the access that these credentials give."""
        return self.revocation is not None

    def tokens_of(self, credentials: C) -> frozenset[str]:
        """Return the tokens that `revoke` ends."""
        tokens = (getattr(credentials, name, None) for name in self.revoked_tokens)
        return frozenset(token.get_secret_value() for token in tokens if token is not None)

    def user_ids(self, credentials: C) -> Collection[str]:
        """Return further user ids under which other accounts may use the same access."""
        return ()

    def to_remove(self, credentials: C | None) -> str:
        """Return what a person does at the platform to end the access, as a sentence.

        The credentials are None if they cannot be read.
        """
        return f"To end it there, too, remove the app in {self.settings_page}."

    def remains(self, credentials: C) -> str | None:
        """Return what remains at the platform even after `revoke`, and what to do about it; None if nothing does."""
        return None

    async def revoke(self, wire: Wire, app: App, credentials: C) -> None:
        """Revoke an account's tokens. Repeatable. Raises PlatformError."""
        if self.revocation is None:
            return
        for name in self.revoked_tokens:
            token = getattr(credentials, name, None)
            if token is not None:
                await self.ask(wire, app, self.revocation, {"token": token.get_secret_value()})

    def lacking(self, granted: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the permissions that an account lacks: those needed to publish, and the others."""
        wide = tuple(self.covers[each] for each in granted if each in self.covers)
        lacking = [scope for scope in self.scopes if scope not in granted and not scope.startswith(wide)]
        return [each for each in lacking if each not in self.secondary], [
            each for each in lacking if each in self.secondary
        ]

    def at(self, wire: Wire, url: str) -> str:
        """Return an address at the platform, or at what replaces the platform, such as a sandbox."""
        usual = self.platform.base_url
        return url if wire.base_url == usual else wire.base_url + (urlsplit(url).path or "/")


def refuses_app(answer: Mapping[str, Any]) -> bool:
    """Return whether an error response in the terms of RFC 6749 says that the app is at fault."""
    return answer.get("error") in _OF_THE_APP


def refuses_code(answer: Mapping[str, Any]) -> bool:
    """Return whether an error response in the terms of RFC 6749 says that the code is at fault."""
    return answer.get("error") in _OF_THE_CODE


def refusal_of(connector: Connector[Any], status: int, answer: Mapping[str, Any]) -> PlatformError:
    """Return the error for a refused code: of the code, of the app or temporary. It repeats nothing of `answer`."""
    label = connector.platform.label
    if connector.refuses_app(answer) or status == httpx.codes.UNAUTHORIZED:
        message = f"{label} does not accept this service's client id and secret. Its operator must check them."
        return PlatformError(ErrorKind.OPERATOR, message, code="app_refused", status=status)
    if connector.refuses_code(answer) and 400 <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
        return PlatformError(
            ErrorKind.REJECTED, f"{label} does not accept this code.", code=CODE_REJECTED, status=status
        )
    message = f"{label} could not say right now whether it accepts this code."
    return PlatformError(ErrorKind.TRANSIENT, message, code="unreadable_answer", status=status)


def challenge_of(verifier: str) -> str:
    """Return the challenge of PKCE's S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@cache
def connectors() -> dict[str, Connector[Any]]:
    """Return the connector of each platform that has one."""
    found: dict[str, Connector[Any]] = {}
    for name in platforms():
        package = importlib.import_module(f"platforms.{name}")
        if "connect" in (info.name for info in pkgutil.iter_modules(package.__path__)):
            found[name] = importlib.import_module(f"platforms.{name}.connect").CONNECTOR
    return found
