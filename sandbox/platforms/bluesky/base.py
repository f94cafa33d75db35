"""Sessions, identities, handles, and the directory that names the server of an account."""

import base64
import hashlib
import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, route
from sandbox.journal import Collection
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

PDS_HOST = "sandbox.host.bsky.network"
ACCESS_SECONDS, REFRESH_SECONDS = 7200, 90 * 86_400
POINTS_PER_HOUR, POINTS_PER_DAY = 5000, 35_000
"""The points that writes cost, and their limits: 3 to create a record, 2 to put one, 1 to delete one."""

_NAMES = {
    401: "AuthenticationRequired",
    404: "XRPCNotSupported",
    413: "PayloadTooLarge",
    429: "RateLimitExceeded",
    501: "MethodNotImplemented",
    502: "UpstreamFailure",
    503: "NotEnoughResources",
    504: "UpstreamTimeout",
}


class Session(msgspec.Struct, rename="camel"):
    """One session, by the name of its access token. Times are seconds since 1970."""

    access: str
    refresh: str
    account_id: str
    access_until: float
    refresh_until: float
    used: bool = False
    """Whether the refresh token was used."""


class Blob(msgspec.Struct, rename="camel"):
    """One uploaded file; `src` is the sandbox's own address of it."""

    cid: str
    account_id: str
    mime_type: str
    size: int
    src: str | None = None

    def reference(self) -> dict[str, Any]:
        """Return the reference by which records name the blob."""
        return {"$type": "blob", "ref": {"$link": self.cid}, "mimeType": self.mime_type, "size": self.size}


def xrpc_error(status: int, error: str, message: str) -> Answer:
    """Return an error in the form of an AT Protocol server."""
    return Answer.json({"error": error, "message": message}, status)


def refused(error: str, message: str, status: int = 400) -> RefusedError:
    """Refuse a request."""
    return RefusedError(xrpc_error(status, error, message))


def invalid(message: str) -> RefusedError:
    """Refuse a value that does not fit the lexicon."""
    return refused("InvalidRequest", message)


def account_did(account: Account) -> str:
    """Return an account's DID; if the API gave the account a number, a DID is made from it."""
    return account.user_id if account.user_id.startswith("did:") else f"did:plc:{account.user_id}"


def account_handle(account: Account) -> str:
    """Return an account's handle, which is a host name."""
    if "." in account.user_id and not account.user_id.startswith("did:"):
        return account.user_id.lower()
    name = account.username.replace("_", "-").lower()
    return name if "." in name else f"{name}.bsky.social"


def account_server(account: Account) -> str:
    """Return the address of the server that holds an account."""
    return account.server or f"https://{PDS_HOST}"


def cid(content: bytes, codec: int) -> str:
    """Return the hash by which content is named: version 1, SHA-256, in base 32."""
    digest = bytes([1, codec, 0x12, 0x20]) + hashlib.sha256(content).digest()
    return "b" + base64.b32encode(digest).decode().rstrip("=").lower()


RAW, DAG_CBOR = 0x55, 0x71

PLAY_PASSWORD = "sandbox-app-password"  # noqa: S105 everybody may know it
"""The beginning of app passwords that work for every handle, until an account's tokens are revoked."""
LOGINS = ((30, 300), (300, 86_400))
"""How many sessions one account may open, and in how many seconds."""


class FakeAT(FakePlatform, ABC):
    """State, methods, sessions and identities that all routes of the server share."""

    conditions = {  # noqa: RUF012
        "video_profile_not_found": "The video service does not know the account yet.",
        "video_bad_audience": "The video service refuses the token for its audience.",
        "video_unconfirmed_email": "The video service wants the account's email address to be confirmed.",
        "video_day_used_up": "The account's videos of the day are used up.",
        "video_limits_unknown": "The video service does not say what an account may upload.",
        "video_blob_lost": "The account's server lacks what the video service has given it.",
        "no_did_doc": "Sessions do not carry the account's document.",
        "own_records_only": "The account's server knows the records of its own account alone, and in its session only.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.sessions: Collection[Session] = world.collection("bluesky", "session", Session)
        self.blobs: Collection[Blob] = world.collection("bluesky", "blob", Blob)
        self.services: dict[str, tuple[str, str]] = {}
        """Tokens for other services: their audience and what they allow."""
        self._by_refresh = {session.refresh: session for session in self.sessions}

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        name = _NAMES.get(status, "InternalServerError" if status >= 500 else "InvalidRequest")
        return xrpc_error(status, name, message or ("Internal Server Error" if status >= 500 else name))

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return xrpc_error(401, "AuthMissing", "Authentication Required")

    def token_expired(self) -> Answer:
        """Return the response to an expired token: status 400, not 401."""
        return xrpc_error(400, "ExpiredToken", "Token has expired")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        resets_at = self.world.now() + seconds
        answer = xrpc_error(429, "RateLimitExceeded", "Rate Limit Exceeded")
        # Whole seconds, rounded up, so that a client that waits until then is admitted.
        return answer.with_headers(
            {
                "RateLimit-Limit": str(POINTS_PER_HOUR),
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": str(-int(-resets_at // 1)),
                "RateLimit-Policy": f"{POINTS_PER_HOUR};w=3600",
                "Retry-After": str(max(-int(-seconds // 1), 0)),
            }
        )

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that cannot be read."""
        return xrpc_error(400, "InvalidRequest", "Unable to parse the request body")

    def signature(self) -> dict[str, str]:
        """Return the id of the request."""
        return {"atproto-request-id": secrets.token_hex(8)}

    def account(self, request: Request) -> Account:
        """Return the account that the session belongs to; passwords and refresh tokens are no access tokens."""
        session = self.sessions.get(request.bearer)
        if session is None:
            raise RefusedError(
                xrpc_error(400, "InvalidToken", "Token could not be verified")
                if request.bearer
                else self.unauthorized()
            )
        if self.world.now() >= session.access_until:
            raise RefusedError(self.token_expired())
        return self.holder(session)

    def holder(self, session: Session) -> Account:
        """Return the account of a session."""
        account = self.world.accounts.get(self.platform, session.account_id)
        if account is None:
            raise RefusedError(self.unauthorized())
        # A real server's access tokens outlive the revocation by up to two hours.
        if session.access_until - ACCESS_SECONDS < account.revoked_at:
            raise refused("ExpiredToken", "Token has been revoked")
        return account

    def open_session(self, account: Account) -> Session:
        """Issue a new pair of tokens."""
        now = self.world.now()
        session = Session(
            access=_token(account_did(account), now + ACCESS_SECONDS),
            refresh=_token(account_did(account), now + REFRESH_SECONDS),
            account_id=account.account_id,
            access_until=now + ACCESS_SECONDS,
            refresh_until=now + REFRESH_SECONDS,
        )
        self._by_refresh[session.refresh] = session
        return self.sessions.put(session.access, session)

    def api_account_id(self, user_id: str) -> str:
        """Return the API's id of an account; the prefix that every did:plc has is left out."""
        return super().api_account_id(user_id.removeprefix("did:plc:").removeprefix("did:"))

    def find_account(self, name: str) -> Account | None:
        """Return the account of a DID or handle."""
        name = name.lower().removeprefix("@")
        for account in self.world.accounts:
            if account.platform == self.platform and name in (account_did(account), account_handle(account)):
                return account
        return None

    def take_points(self, account: Account, points: int) -> None:
        """Charge a write. Raises RefusedError if an hour's or a day's points are used up."""
        for limit, seconds in ((POINTS_PER_HOUR, 3600), (POINTS_PER_DAY, 86_400)):
            self.admit(self.count(account, limit // points, seconds, str(seconds)))

    @route("POST", "/xrpc/com.atproto.server.createSession", "auth")
    async def create_session(self, request: Request) -> Answer:
        """Log in with handle or DID and an app password, which is the token that the control side received."""
        body = request.object()
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
            self.admit(self.count(account, limit, seconds, "login", str(seconds)))
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
        account = self.holder(self._use_up(request))
        return Answer.json(self._described(account, self.open_session(account)))

    @route("POST", "/xrpc/com.atproto.server.deleteSession", "auth")
    async def delete_session(self, request: Request) -> Answer:
        """End a session by its refresh token. The access token stays valid until it expires."""
        self._use_up(request)
        return Answer(200)

    def _use_up(self, request: Request) -> Session:
        """Return the session of a refresh token, which is used up."""
        session = self._by_refresh.get(request.bearer)
        if session is None or session.used:
            raise refused("ExpiredToken", "Token has been revoked")
        if self.world.now() >= session.refresh_until:
            raise refused("ExpiredToken", "Token has expired")
        session.used = True
        return self.sessions.put(session.access, session)

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


def text_field(values: dict[str, Any], name: str) -> str:
    """Return a required text of a body or query."""
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Input must have the property {name}")
    return value


def _token(subject: str, until: float) -> str:
    """Return a token that looks like a JWT; its signature is random and cannot be verified."""
    claims = msgspec.json.encode({"sub": subject, "exp": int(until), "jti": secrets.token_hex(8)})
    parts = (b'{"typ":"at+jwt","alg":"ES256K"}', claims, secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _document(account: Account) -> dict[str, Any]:
    pds = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": account_server(account)}
    return {"id": account_did(account), "alsoKnownAs": [f"at://{account_handle(account)}"], "service": [pds]}
