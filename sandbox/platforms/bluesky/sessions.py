"""Sessions, identities, handles, and the directory that names the server of an account."""

import hashlib
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.platforms.bluesky.base import (
    FakeAT,
    Session,
    account_did,
    account_handle,
    account_server,
    invalid,
    json_object,
    refused,
    text_field,
    xrpc_error,
)
from sandbox.wire import Answer, RefusedError, Request

PLAY_PASSWORD = "sandbox-app-password"  # noqa: S105 everybody may know it
"""The beginning of app passwords that work for every handle, until an account's tokens are revoked."""
LOGINS = ((30, 300), (300, 86_400))
"""How many sessions one account may open, and in how many seconds."""


class SessionRoutes(FakeAT):
    """The routes of com.atproto.server and com.atproto.identity."""

    @route("POST", "/xrpc/com.atproto.server.createSession", "auth")
    async def create_session(self, request: Request) -> Answer:
        """Log in with handle or DID and an app password, which is the token that the control side received."""
        body = json_object(request)
        identifier, password = text_field(body, "identifier").lower(), text_field(body, "password")
        if password.startswith(PLAY_PASSWORD):
            account = self._owner(identifier, password)
        else:
            account = self.world.accounts.by_token(self.platform, password)
        if account is None or identifier not in (
            account_did(account),
            account_handle(account),
            account.user_id.lower(),
        ):
            raise RefusedError(xrpc_error(401, "AuthenticationRequired", "Invalid identifier or password"))
        for limit, seconds in LOGINS:
            self.admit(
                self.world.windows.take((self.platform, account.account_id, "login", str(seconds)), limit, seconds)
            )
        return Answer.json(self._described(account, self.open_session(account)))

    def _owner(self, name: str, password: str) -> Account | None:
        """Return the account of a DID or handle, unless the password is revoked; a new handle makes a new account."""
        known = self.find_account(name)
        number = hashlib.sha256(name.encode()).hexdigest()[:24]
        user_id, username = (known.user_id, known.username) if known else (number, name)
        account = self.new_account(user_id, username, password)
        return account if password in account.access_tokens else None

    @route("POST", "/xrpc/com.atproto.server.refreshSession", "auth")
    async def refresh_session(self, request: Request) -> Answer:
        """Exchange a refresh token, once, for a new pair."""
        session = self.session_to_refresh(request.bearer)
        if session is None or session.used:
            raise refused("ExpiredToken", "Token has been revoked")
        if self.world.now() >= session.refresh_until:
            raise refused("ExpiredToken", "Token has expired")
        account = self.holder(session)
        session.used = True
        self.sessions.put(session.access, session)
        return Answer.json(self._described(account, self.open_session(account)))

    @route("POST", "/xrpc/com.atproto.server.deleteSession", "auth")
    async def delete_session(self, request: Request) -> Answer:
        """End a session by its refresh token. The access token stays valid until it expires."""
        session = self.session_to_refresh(request.bearer)
        if session is None or session.used or self.world.now() >= session.refresh_until:
            raise refused("ExpiredToken", "Token has been revoked")
        session.used = True
        self.sessions.put(session.access, session)
        return Answer(200)

    @route("GET", "/xrpc/com.atproto.server.getSession", "auth")
    async def get_session(self, request: Request) -> Answer:
        """Return the account that the session belongs to."""
        return Answer.json(self._described(self.account(request)))

    @route("GET", "/xrpc/com.atproto.server.getServiceAuth", "auth")
    async def service_auth(self, request: Request) -> Answer:
        """Issue a token for the video service."""
        account = self.account(request)
        audience, method = text_field(dict(request.query), "aud"), request.query.get("lxm", "")
        expires = request.query.get("exp", "")
        if not audience.startswith("did:"):
            raise invalid("aud must be a DID")
        if expires and not (expires.isdecimal() and 0 < int(expires) - self.world.now() <= 3600):
            raise refused("BadExpiration", "cannot request a token with an expiration that far away")
        session = self.open_session(account)
        self.services[session.access] = (audience, method)
        return Answer.json({"token": session.access})

    @route("GET", "/xrpc/com.atproto.identity.resolveHandle", "prepare")
    async def resolve_handle(self, request: Request) -> Answer:
        """Return the DID of a handle."""
        account = self.find_account(text_field(dict(request.query), "handle"))
        if account is None:
            raise invalid("Unable to resolve handle")
        return Answer.json({"did": account_did(account)})

    @route("GET", "/{did}", "auth")
    async def document(self, request: Request) -> Answer:
        """Return an account's document, which names its server, as the directory of DIDs does."""
        account = self.find_account(request.params["did"])
        if account is None or request.params["did"] != account_did(account):
            return Answer.json({"message": f"DID not registered: {request.params['did']}"}, 404)
        context = ["https://www.w3.org/ns/did/v1"]
        return Answer.json({"@context": context, **_document(account)})

    def _described(self, account: Account, session: Session | None = None) -> dict[str, Any]:
        described = {
            "did": account_did(account),
            "handle": account_handle(account),
            "email": "someone@example.com",
            "emailConfirmed": True,
            "active": True,
            **({} if self.holds("no_did_doc", account) else {"didDoc": _document(account)}),
        }
        return described | ({"accessJwt": session.access, "refreshJwt": session.refresh} if session else {})


def _document(account: Account) -> dict[str, Any]:
    pds = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": account_server(account)}
    return {"id": account_did(account), "alsoKnownAs": [f"at://{account_handle(account)}"], "service": [pds]}
