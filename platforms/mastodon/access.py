"""Access to accounts on any Mastodon server: this service registers its app there, and reads what the API promises."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr, ValidationError

from platforms.access.consent import Ends, FindsServer, OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.access.token_endpoint import UNREADABLE, TokenEndpoint
from platforms.base import Connection, PublishContext
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.http.answers import ListAt, parse
from platforms.http.wire import Wire, json_object
from platforms.mastodon.errors import read_error
from platforms.mastodon.limits import KnownLimits, ServerLimits, parse_limits
from platforms.mastodon.rules import FLAGSHIP, MastodonCredentials, MastodonSettings
from platforms.servers.outgoing import origin
from platforms.servers.reach import FORBIDDEN

MastodonConnection = Connection[MastodonCredentials]
MastodonContext = PublishContext[MastodonSettings]

_SERVER = "The Mastodon server"
ENGLISH = {"lang": "en"}
"""Asks for errors in English: Mastodon uses the account's language otherwise. Other servers ignore the parameter."""


def authorization(connection: MastodonConnection) -> dict[str, str]:
    """Return the header that carries the token."""
    return {"Authorization": f"Bearer {connection.credentials.access_token.get_secret_value()}"}


async def send(
    connection: MastodonConnection,
    method: str,
    path: str,
    *,
    public: bool = False,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> httpx.Response:
    """Return the server's unchanged response. Raises PlatformError."""
    headers = {"Accept": "application/json", **(headers or {}), **authorization(connection)}
    return await connection.wire.send(method, path, public=public, headers=headers, **options)


async def read(connection: MastodonConnection, path: str, **params: str) -> dict[str, Any]:
    """Read one object."""
    return entity(await send(connection, "GET", path, params=params))


async def read_list(connection: MastodonConnection, path: str, enough: int, **params: str) -> list[dict[str, Any]]:
    """Read a list as far as it has `enough` items. Raises PlatformError if it is none: that is no empty one."""
    items = parse(await send(connection, "GET", path, params=params, listed=ListAt(enough=enough)))
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise unreadable(_SERVER)


def entity(response: httpx.Response, *, public: bool = False) -> dict[str, Any]:
    """Return the object of a response. Raises PlatformError if it has none."""
    body = parse(response)
    if isinstance(body, dict):
        return body
    raise unreadable(_SERVER, public=public)


def require_id(thing: dict[str, Any], *, public: bool = False) -> str:
    """Return the id of a response's object. Raises PlatformError if it has none."""
    identifier = thing.get("id")
    if isinstance(identifier, str | int) and str(identifier):
        return str(identifier)
    raise unreadable(_SERVER, public=public)


def is_missing(error: PlatformError) -> bool:
    """Return whether a server does not have the requested object, or not under this path."""
    return error.status in {404, 405, 410, 501} and error.code == f"http_{error.status}"


async def read_limits(connection: MastodonConnection) -> ServerLimits:
    """Return the limits of the account's server, at most one day old. Raises PlatformError."""
    address, known = connection.wire.base_url, connection.wire.memory.get(KnownLimits)
    if (limits := known.get(address)) is None:
        limits = parse_limits(await _instance(connection))
        known.remember(address, limits)
    return limits


async def _instance(connection: MastodonConnection) -> dict[str, Any]:
    for path in ("/api/v2/instance", "/api/v1/instance"):
        try:
            return await read(connection, path)
        except PlatformError as error:
            if not is_missing(error):
                raise
    return {}


_NAME = "SocialSyncer"
_METADATA = "/.well-known/oauth-authorization-server"
_OLD_SCOPES = "read write"
_SCOPE_REFUSALS = frozenset({400, 422})
"""Statuses of a server that does not know a permission that the app asks for, or another part of the request."""


class MastodonConnector(OAuthConnector[MastodonCredentials], FindsServer[MastodonCredentials]):
    """A server's authorization. Source: docs.joinmastodon.org, methods/apps and methods/oauth.

    The person chooses the server, so code and verifier are sent only to the server with which the connection was begun.
    Servers before 4.3 ignore the challenge.
    """

    name = "mastodon"
    settings_page = "the server's Preferences, Account, Authorized apps"
    consent_page = f"{FLAGSHIP}/oauth/authorize"
    endpoint = TokenEndpoint(f"{FLAGSHIP}/oauth/token", revocation=f"{FLAGSHIP}/oauth/revoke")
    scopes = ("read:accounts", "read:statuses", "write:statuses", "write:media")
    code_lifetime = "10 minutes"
    options = {"instance": ()}  # noqa: RUF012
    server_option = "instance"
    revoked_tokens = ("access_token",)
    # A server issues an app the same token for the same person again; here each connection has an app of its own.
    ends = Ends.AUTHORIZATION
    wider_scopes = {"read": "read:", "write": "write:"}  # noqa: RUF012

    def __init__(self, server: Mapping[str, str] | None = None) -> None:
        self._server = server or {}

    async def find_server(self, open_wire: Callable[[Any], Wire], options: Mapping[str, str]) -> dict[str, str]:
        """Return the server's own metadata; servers before 4.3 and other software publish none."""
        wire = open_wire(self.target(options))
        try:
            reported = json_object(await wire.send("GET", _METADATA))
        except PlatformError as error:
            if error.code == FORBIDDEN:
                raise
            # It may not be such a server at all; registering the app shows that.
            return {"server": options["instance"]}
        facts = {"server": options["instance"]}
        issuer, scopes = reported.get("issuer"), reported.get("scopes_supported")
        # Behind an emulator or a proxy the server's identity is not known.
        if isinstance(issuer, str) and origin(issuer) == origin(options["instance"]):
            facts["issuer"] = issuer[:300]
            if reported.get("authorization_response_iss_parameter_supported") is True:
                facts["names_issuer"] = "yes"
        if isinstance(scopes, list) and scopes and not set(self.scopes) <= set(map(str, scopes)):
            facts["scopes"] = _OLD_SCOPES
        return facts

    def at_server(self, facts: Mapping[str, str]) -> "MastodonConnector":
        """Return the connector for a server with this metadata."""
        return MastodonConnector(facts)

    def is_issuer(self, issuer: str | None) -> bool:
        """Return whether a response may come from the server. If it names another server, it does not."""
        if issuer is None:
            return "names_issuer" not in self._server
        if "issuer" in self._server:
            return issuer == self._server["issuer"]
        # A server without metadata may still say who it is, and must be the one that was asked.
        return origin(issuer) == origin(self._server.get("server", ""))

    def target(self, options: Mapping[str, str]) -> MastodonCredentials:
        """Return credentials that name the server. Raises ValueError."""
        try:
            return MastodonCredentials(instance=options["instance"], access_token=SecretStr("-"))
        except ValidationError as error:
            raise ValueError("no server") from error

    async def register(self, wire: Wire, redirect_uri: str, app: App) -> App:
        """Register an app for this address, with the old permissions if the server does not know the finer ones."""
        scopes = self._server.get("scopes") or " ".join(self.scopes)
        fields = {
            "client_name": str(app.options.get("clientName") or _NAME),
            "redirect_uris": redirect_uri,
            "scopes": scopes,
        }
        if website := app.options.get("website"):
            fields["website"] = str(website)
        send = partial(wire.send, "POST", "/api/v1/apps", read_error=read_error)
        response = await send(data=fields, accept=_SCOPE_REFUSALS)
        if not response.is_success:
            fields["scopes"] = scopes = _OLD_SCOPES
            response = await send(data=fields)
        registered = json_object(response)
        client_id, secret = registered.get("client_id"), registered.get("client_secret")
        if not isinstance(client_id, str) or not client_id or not isinstance(secret, str):
            host = urlsplit(wire.base_url).netloc
            raise PlatformError(ErrorKind.TRANSIENT, f"{host} registered no app.", code=UNREADABLE)
        return App(client_id, SecretStr(secret), {"scopes": scopes})

    def requested_scopes(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions that the app was registered for."""
        return str(app.options.get("scopes") or " ".join(self.scopes)).split()

    def missing_scopes(self, app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
        """Return the permissions that were not granted; `write` includes all that begin with it."""
        granted = grant.scopes
        if granted is None:
            return []
        requested = self.requested_scopes(app, options)
        return [scope for scope in requested if not {scope, scope.partition(":")[0]} & granted]

    def granted_credentials(self, app: App, grant: Grant, options: Mapping[str, str]) -> MastodonCredentials:
        """Return the credentials for the server that `options` name; the token does not expire.

        The app is needed only to revoke the token. It was registered for this connection, so it is stored with it.
        """
        own = {"access_token": grant.access_token, "client_id": app.client_id, "client_secret": app.client_secret}
        return self.target(options).model_copy(update=own)

    def can_revoke(self, credentials: MastodonCredentials) -> bool:
        """Return whether the token is known to be that of an app of this service."""
        return credentials.client_id is not None and credentials.client_secret is not None


CONNECTOR = MastodonConnector()
