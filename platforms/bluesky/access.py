"""Access to accounts on any server of the AT Protocol: an authorization, as an alternative to an app password.

The address of an app's metadata, which this service's API serves, is the app's id. On a local machine no metadata is
needed: the id contains everything, and its authorizations end after two weeks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import SecretStr

from platforms.access.connector import Candidate, Connect, RemovalAdvice
from platforms.access.consent import Ends, FindsServer, OAuthConnector, PublishesApp, PushesRequest
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant, Lifetimes, Renewed, Renews, Reuse, TokenRules
from platforms.access.token_endpoint import UNREADABLE, TokenEndpoint, refusal_code, refuses_app
from platforms.bluesky.identity import INDEX, Home, OpenWire, at_server, find_home, place, server_in
from platforms.bluesky.rules import HOSTED, BlueskyConnection, BlueskyCredentials
from platforms.bluesky.session import (
    another_account,
    app_jwk,
    ask_for_tokens,
    is_bound,
    new_key,
    renew_authorization,
    revoke_authorization,
)
from platforms.errors import ErrorKind, PlatformError, shielded
from platforms.http.wire import Wire, json_object

_ABOUT_APPS = frozenset({"invalid_client_id", "invalid_client_metadata", "invalid_redirect_uri"})
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_NAME = "SocialSyncer"
_TOKEN_REFUSALS = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED})
_ENDED = frozenset({"ExpiredToken", "InvalidToken"})
"""Refusals of a session that has ended already."""
TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.REFUSED,
    grace=timedelta(hours=2),
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=90),
    renew_after=timedelta(days=30),
)
"""Source: the reference server, packages/pds/src/account-manager. Other servers may differ; if so, the app password
opens a new session."""
AUTHORIZATION_TOKENS = TokenRules(
    lifetime=timedelta(hours=1),
    reuse=Reuse.ENDS_GRANT,
    lead=timedelta(minutes=5),
    refresh_lifetime=timedelta(days=90),
    renew_after=timedelta(days=30),
)
"""Source: the reference server, packages/oauth/oauth-provider/src/constants.ts."""
LOCAL_APP_TOKENS = replace(AUTHORIZATION_TOKENS, refresh_lifetime=timedelta(days=14), renew_after=timedelta(days=5))
"""For an app without a key: its authorizations end two weeks after they were given, however often they are renewed."""


def _refuses_app(answer: Mapping[str, Any]) -> bool:
    """Return whether a refusal says that the app's id or its metadata are wrong."""
    return refusal_code(answer) in _ABOUT_APPS or refuses_app(answer)


ENDPOINT = TokenEndpoint(f"{HOSTED}/oauth/token", refuses_app=_refuses_app)
"""The meaning of refusals while an account is connected. Each account's own server says where its endpoint is."""


@dataclass(frozen=True)
class BlueskyConnector(
    OAuthConnector[BlueskyCredentials], FindsServer[BlueskyCredentials], PushesRequest, PublishesApp
):
    """The authorization of an account's own server. Source: atproto.com/specs/oauth."""

    name = "bluesky"
    endpoint = ENDPOINT
    scopes = ("atproto", "transition:generic")
    options = {"identifier": ()}  # noqa: RUF012
    server_option = "identifier"
    takes_credentials = True
    always_names_issuer = True
    ends = Ends.AUTHORIZATION

    home: Home | None = None
    key: SecretStr = field(default=SecretStr(""), repr=False)
    """The key to which the tokens are bound."""

    async def find_server(self, open_wire: OpenWire, options: Mapping[str, str]) -> dict[str, str]:
        """Return the location of the account that the person names, and a key for it. Raises PlatformError."""
        return {**asdict(await find_home(open_wire, options["identifier"])), "key": new_key()}

    def at_server(self, facts: Mapping[str, str]) -> "BlueskyConnector":
        """Return the connector for an account whose location is known."""
        home = {name: value for name, value in facts.items() if name != "key"}
        return BlueskyConnector(Home(**home), SecretStr(facts["key"]))

    def target(self, options: Mapping[str, str]) -> BlueskyCredentials:
        """Return credentials that name the account's server."""
        return at_server(self.home.service if self.home else INDEX)

    def own_app(self, redirect_url: str) -> App | None:
        """Return the app of a local machine. Its redirects can lead to the same machine only."""
        parts = urlsplit(redirect_url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
            return None
        query = urlencode({"redirect_uri": redirect_url, "scope": " ".join(self.scopes)}, quote_via=quote)
        return App(f"http://localhost?{query}")

    async def register(self, wire: Wire, redirect_uri: str, app: App) -> App:
        """Return the app. Raises PlatformError if it has metadata but no key: its authorizations would soon end."""
        if app.client_id.startswith("https:") and not app.secret:
            message = (
                "This service's app for Bluesky has no clientSecret. Its operator must set it in SOCIALSYNCER_APPS."
            )
            raise PlatformError(ErrorKind.OPERATOR, message, code="app_refused")
        return app

    def document(self, app: App, redirect_urls: Sequence[str]) -> dict[str, Any] | None:
        """Return the metadata of an app, which servers fetch at the address that is its id."""
        if not app.client_id.startswith("https:") or not app.secret:
            return None
        website = {"client_uri": str(app.options["website"])} if app.options.get("website") else {}
        return {
            "client_id": app.client_id,
            "client_name": str(app.options.get("clientName") or _NAME),
            **website,
            "application_type": "web",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": " ".join(self.scopes),
            "redirect_uris": [url for url in redirect_urls if url.startswith("https:")],
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [app_jwk(app.secret)]},
        }

    async def push(self, wire: Wire, app: App, redirect_uri: str, challenge: str, state: str) -> str:
        """Push the authorization request to the server; return where the person consents. Raises PlatformError."""
        home = self._home
        request = {
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "login_hint": home.did,
        }
        answer = await ask_for_tokens(wire, app, home.issuer, home.push, request, self.key, home.service)
        request_uri = answer.get("request_uri")
        if not isinstance(request_uri, str) or not 0 < len(request_uri) <= 500:
            message = "The Bluesky server does not say where to authorize an app."
            raise PlatformError(ErrorKind.TRANSIENT, message, code=UNREADABLE)
        query = urlencode({"client_id": app.client_id, "request_uri": request_uri})
        return f"{place(wire, home.service, home.authorize)}?{query}"

    async def exchange(self, wire: Wire, app: App, code: str, redirect_uri: str, verifier: str) -> Grant:
        """Exchange a code for tokens. Raises PlatformError."""
        home = self._home
        form = self.code_form(code, redirect_uri, verifier)
        answer = await ask_for_tokens(wire, app, home.issuer, home.token, form, self.key, home.service)
        grant = self.read_grant(answer)
        if not is_bound(answer):
            raise PlatformError(ErrorKind.TRANSIENT, "The Bluesky server sent no bound tokens.", code=UNREADABLE)
        return Grant(grant.access_token, grant.refresh_token, grant.scopes, grant.lifetimes, {"sub": answer.get("sub")})

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[BlueskyCredentials]]:
        """Return the one account, if the server has issued tokens for it. Raises PlatformError."""
        home = self._home
        if grant.more.get("sub") != home.did:
            message = "The server answered for another account than the one that was named. Sign in there as that one."
            raise PlatformError(ErrorKind.REJECTED, message, code="another_account")
        [candidate] = await super().candidates(connect, app, grant, options)
        if candidate.id != home.did:
            raise PlatformError(ErrorKind.REJECTED, "The server names another account now.", code="another_account")
        return [candidate]

    def granted_credentials(self, app: App, grant: Grant, options: Mapping[str, str]) -> BlueskyCredentials:
        """Return the credentials at the server that issued the tokens, bound to the key."""
        home = self._home
        bound = {"service": home.service, "user_id": home.did, "did": home.did, "issuer": home.issuer}
        return self.credentials(app, grant, **bound, dpop_key=self.key)

    def is_issuer(self, issuer: str | None) -> bool:
        """Return whether the response came from the server to which the person was sent."""
        return issuer == self._home.issuer

    def can_revoke(self, credentials: BlueskyCredentials) -> bool:
        """Return whether there is an authorization, or a session, that can be ended."""
        return credentials.is_authorized or credentials.refresh_jwt is not None

    def revocable_tokens(self, credentials: BlueskyCredentials) -> frozenset[str]:
        """Return the refresh token of the authorization or the session; an app password may have several sessions."""
        token = credentials.refresh_token if credentials.is_authorized else credentials.refresh_jwt
        return frozenset() if token is None else frozenset({token.get_secret_value()})

    def removal_advice(self, credentials: BlueskyCredentials | None) -> RemovalAdvice:
        """Return how an authorization is removed, or an app password, which outlives its sessions."""
        if credentials is not None and credentials.is_authorized:
            page = f"{credentials.service}: /account"
            return RemovalAdvice(f"To end it there, too, remove the app on the account page of {page}.")
        pages = "Settings, Privacy and security, App passwords"
        return RemovalAdvice(
            f"To end it there, too, delete the app password in Bluesky: {pages}.",
            f"The app password still exists: delete it in Bluesky, {pages}.",
        )

    async def revoke(self, wire: Wire, app: App, credentials: BlueskyCredentials) -> None:
        """End the authorization, or the session. Raises PlatformError.

        Source: RFC 7009, and com.atproto.server.deleteSession, which takes the refresh token.
        """
        if credentials.is_authorized:
            await revoke_authorization(wire, app, credentials)
        elif credentials.refresh_jwt is not None:
            headers = {"Authorization": f"Bearer {credentials.refresh_jwt.get_secret_value()}"}
            answer = await wire.send(
                "POST", "/xrpc/com.atproto.server.deleteSession", headers=headers, accept=_TOKEN_REFUSALS
            )
            if not answer.is_success and json_object(answer).get("error") not in _ENDED:
                raise self.read_error(answer)

    @property
    def _home(self) -> Home:
        if self.home is None:
            raise PlatformError(ErrorKind.REJECTED, "It is not known where the account is.", code="no_server")
        return self.home


class RenewsSession(Renews[BlueskyCredentials]):
    """The renewal of an app password's session, or of an authorization."""

    tokens = TOKENS
    other_tokens = (AUTHORIZATION_TOKENS, LOCAL_APP_TOKENS)

    def rules_for(self, credentials: BlueskyCredentials) -> TokenRules:
        """Return the rules of an app password's session, or of an authorization."""
        if not credentials.is_authorized:
            return TOKENS
        return AUTHORIZATION_TOKENS if (credentials.client_id or "").startswith("https:") else LOCAL_APP_TOKENS

    def can_renew(self, credentials: BlueskyCredentials) -> bool:
        """Return whether the credentials hold an app password, which opens new sessions, or a refresh token."""
        return not credentials.is_authorized or credentials.refresh_token is not None

    @shielded
    async def renew(self, connection: BlueskyConnection) -> Renewed[BlueskyCredentials]:
        """Exchange the refresh token for a new session; log in if it is no longer accepted. Raises PlatformError.

        An authorization has no password to log in with.
        """
        current = connection.credentials
        if current.is_authorized:
            return await renew_authorization(connection)
        if current.refresh_jwt is not None:
            headers = {"Authorization": f"Bearer {current.refresh_jwt.get_secret_value()}"}
            try:
                answer = await connection.wire.send("POST", "/xrpc/com.atproto.server.refreshSession", headers=headers)
            except PlatformError as error:
                if error.kind is not ErrorKind.AUTH:
                    raise
            else:
                return Renewed(_with_session(current, answer), Lifetimes())
        login = {"identifier": current.user_id, "password": current.access_token.get_secret_value()}
        answer = await connection.wire.send("POST", "/xrpc/com.atproto.server.createSession", json=login)
        return Renewed(_with_session(current, answer), Lifetimes())


def _with_session(current: BlueskyCredentials, answer: httpx.Response) -> BlueskyCredentials:
    session = json_object(answer)
    if not all(isinstance(session.get(name), str) for name in ("accessJwt", "refreshJwt", "did")):
        raise PlatformError(
            ErrorKind.TRANSIENT, "The Bluesky server opened a session without a token.", code="no_session"
        )
    if session.get("active") is False:
        state = str(session.get("status") or "not active")
        raise PlatformError(ErrorKind.AUTH, f"The Bluesky server says that this account is {state}.", code="not_active")
    if current.did is not None and session["did"] != current.did:
        raise another_account()
    return current.model_copy(
        update={
            "access_jwt": SecretStr(session["accessJwt"]),
            "refresh_jwt": SecretStr(session["refreshJwt"]),
            "did": session["did"],
            "pds": urlsplit(_named_server(session) or "").netloc or current.pds,
        }
    )


def _named_server(session: dict[str, Any]) -> str | None:
    """Return the server that the account's document in a session names."""
    document = session.get("didDoc")
    return server_in(document, session["did"]) if isinstance(document, dict) else None


CONNECTOR = BlueskyConnector()
