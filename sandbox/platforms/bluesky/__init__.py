"""Bluesky: an AT Protocol server with its sessions, blobs and records, and the video service."""

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox.accounts import Account
from sandbox.authorization import PLAY_APP, App, ConsentRules, OAuthError
from sandbox.fake_platform import route
from sandbox.platforms.bluesky.base import account_did
from sandbox.platforms.bluesky.records import RecordRoutes
from sandbox.wire import Answer, RefusedError, Request, TrackedParameters
from sandbox.world import World

NONCE_SECONDS = 180
SKEW_SECONDS = 60
_KEPT = 10_000


class UseNonce(OAuthError):
    """An error: the proof lacks the nonce that the server requires."""

    def __init__(self) -> None:
        super().__init__("use_dpop_nonce", "The server requires nonce in DPoP proof")


class Proofs:
    """The checks of one server, which requires a new nonce every three minutes and accepts no proof twice."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._seen: OrderedDict[str, int] = OrderedDict()

    def nonce(self, now: float, age: int = 0) -> str:
        """Return the current nonce, or an older one."""
        period = int(now // NONCE_SECONDS) - age
        return hashlib.sha256(self._secret + str(period).encode()).hexdigest()[:32]

    def check(self, request: Request, now: float, token: str | None = None) -> str:
        """Return the name of the key whose possession a request proves. Raises OAuthError, UseNonce."""
        header, claims = _opened(request.header("dpop"), None)
        if header.get("typ") != "dpop+jwt" or claims.get("htm") != request.method:
            raise OAuthError("invalid_dpop_proof", "DPoP htm mismatch")
        if not str(claims.get("htu", "")).endswith(request.path) or "?" in str(claims.get("htu")):
            raise OAuthError("invalid_dpop_proof", "DPoP htu mismatch")
        if abs(now - float(claims.get("iat", 0))) > SKEW_SECONDS:
            raise OAuthError("invalid_dpop_proof", "DPoP proof expired")
        if token is not None and claims.get("ath") != _encoded(hashlib.sha256(token.encode()).digest()):
            raise OAuthError("invalid_dpop_proof", "DPoP ath mismatch")
        if claims.get("nonce") not in (self.nonce(now), self.nonce(now, 1)):
            raise UseNonce
        self.use(str(claims.get("jti", "")), request)
        return _thumbprint(header["jwk"])

    def use(self, name: str, request: Request) -> None:
        """Record that this request used a proof. Raises OAuthError if another one has used it."""
        if not name or self._seen.setdefault(name, id(request)) != id(request):
            raise OAuthError("invalid_dpop_proof", "DPoP proof replayed")
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)


def check_assertion(text: str, jwk: dict[str, str], client_id: str, issuer: str, now: float) -> str:
    """Return the id of an assertion that an app has signed by its key. Raises OAuthError."""
    try:
        _, claims = _opened(text, jwk)
    except OAuthError as problem:
        raise OAuthError("invalid_client", "The client assertion is not signed by the client's key.") from problem
    expected = {"iss": client_id, "sub": client_id, "aud": issuer}
    if expected.items() - claims.items() or not now < float(claims.get("exp", 0)) < now + 600:
        raise OAuthError("invalid_client", "The client assertion is not for this server, or has expired.")
    return str(claims.get("jti", ""))


def _opened(text: str, jwk: dict[str, str] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT that the key has signed, or the key that its header names."""
    try:
        head, body, signature = text.split(".")
        header, claims = (msgspec.json.decode(_decoded(part)) for part in (head, body))
        key = _key(jwk or header["jwk"])
        r, s = (int.from_bytes(half) for half in (_decoded(signature)[:32], _decoded(signature)[32:]))
        key.verify(encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    except (ValueError, KeyError, TypeError, binascii.Error, msgspec.DecodeError, InvalidSignature) as error:
        raise OAuthError("invalid_dpop_proof", "The proof cannot be verified.") from error
    if header.get("alg") != "ES256" or "d" in header.get("jwk", {}):
        raise OAuthError("invalid_dpop_proof", "The proof is not signed by ES256, or shows the private key.")
    return header, claims


def _key(jwk: dict[str, str]) -> ec.EllipticCurvePublicKey:
    x, y = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _thumbprint(jwk: dict[str, str]) -> str:
    needed = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return _encoded(hashlib.sha256(msgspec.json.encode(needed)).digest())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


ISSUER = "https://bsky.social"
TOKEN_SECONDS, PUSHED_SECONDS = 3600, 300
SCOPES = ("atproto", "transition:generic")
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASKED = (
    *("response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "login_hint"),
)


class Binding(msgspec.Struct, rename="camel"):
    """The name of the key that a token is bound to, and the app that received the token."""

    key: str
    client_id: str
    scope: str


class Bluesky(RecordRoutes):
    """A fake AT Protocol server, in place of https://bsky.social, and https://video.bsky.app."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"collection", "repo"})
    platform: ClassVar[str] = "bluesky"
    label: ClassVar[str] = "Bluesky"
    colour: ClassVar[str] = "#0a7aff"
    account_prefix: ClassVar[str] = "bs"
    consent = ConsentRules(
        "/oauth/authorize",
        frozenset(SCOPES),
        code_seconds=60,
        pkce="required",
        optional_parameters=("login_hint", "request_uri"),
        state_required=True,
    )
    renewal_path = "/oauth/token"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.proofs = Proofs()
        self._pushed: dict[str, tuple[dict[str, str], float, str]] = {}
        """Pushed requests, until when they are valid, and the names of the keys that signed them."""
        self._codes: dict[str, str] = {}
        """The keys for which codes were issued."""
        self._bound = world.collection("bluesky", "binding", Binding)

    def signature(self) -> dict[str, str]:
        """Return the id of the request, and the nonce for the next proof."""
        return {**super().signature(), "DPoP-Nonce": self.proofs.nonce(self.world.now())}

    def account(self, request: Request) -> Account:
        """Return the account that the token belongs to; a token of an authorization needs a proof."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "dpop":
            return super().account(request)
        bound = self._bound.get(token)
        account = self.world.accounts.by_token(self.platform, token)
        if bound is None or account is None or self.world.accounts.has_ended(self.platform, token):
            raise RefusedError(_unauthorized("invalid_token", '"exp" claim timestamp check failed'))
        try:
            key = self.proofs.check(request, self.world.now(), token)
        except OAuthError as problem:
            raise RefusedError(_unauthorized(problem.code, str(problem))) from problem
        if key != bound.key:
            raise RefusedError(_unauthorized("invalid_dpop_proof", "The proof is not by the token's key."))
        return account

    @route("GET", "/.well-known/oauth-protected-resource", "auth")
    async def resource(self, request: Request) -> Answer:
        """Name the authorization server of this server."""
        return Answer.json({"resource": "https://sandbox.host.bsky.network", "authorization_servers": [ISSUER]})

    @route("GET", "/.well-known/oauth-authorization-server", "auth")
    async def metadata(self, request: Request) -> Answer:
        """Describe the authorization server."""
        return Answer.json(
            {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/oauth/authorize",
                "token_endpoint": f"{ISSUER}/oauth/token",
                "pushed_authorization_request_endpoint": f"{ISSUER}/oauth/par",
                "revocation_endpoint": f"{ISSUER}/oauth/revoke",
                "require_pushed_authorization_requests": True,
                "authorization_response_iss_parameter_supported": True,
                "client_id_metadata_document_supported": True,
                "code_challenge_methods_supported": ["S256"],
                "dpop_signing_alg_values_supported": ["ES256"],
                "scopes_supported": list(SCOPES),
            }
        )

    @route("POST", "/oauth/par", "auth")
    async def push(self, request: Request) -> Answer:
        """Store the parameters of an authorization request."""
        form = request.form()
        key, app = self._proven(form, request)
        asked = {name: str(form[name]) for name in _ASKED if name in form}
        if asked.get("redirect_uri") not in app.redirect_uris and app.client_id != PLAY_APP:
            return self.oauth_refused(OAuthError("invalid_request", "Invalid redirect_uri parameter"))
        name = f"urn:ietf:params:oauth:request_uri:req-{secrets.token_hex(16)}"
        self._pushed[name] = ({**asked, "client_id": app.client_id}, self.world.now() + PUSHED_SECONDS, key)
        return Answer.json({"request_uri": name, "expires_in": PUSHED_SECONDS}, 201)

    @route("POST", "/oauth/token", "auth")
    async def give_tokens(self, request: Request) -> Answer:
        """Exchange a code or a refresh token for tokens, each once."""
        form = request.form()
        key, app = self._proven(form, request)
        try:
            if form.get("grant_type") == "authorization_code":
                return self._redeem(form, app, key)
            if form.get("grant_type") == "refresh_token":
                return self._rotate(form, app, key)
        except OAuthError as problem:
            return self.oauth_refused(problem)
        return self.oauth_refused(OAuthError("unsupported_grant_type", "Grant type is not supported"))

    @route("POST", "/oauth/revoke", "auth")
    async def revoke(self, request: Request) -> Answer:
        """End the authorization of a token; an unknown one gets the same answer."""
        form = request.form()
        _, app = self._proven(form, request)
        bound = self._bound.get(str(form.get("token", "")))
        if bound is not None and bound.client_id == app.client_id:
            self.world.accounts.revoke_for_app(self.platform, str(form["token"]))
        return Answer.json({})

    async def _ask_for_consent(self, request: Request) -> Answer:
        return self._with_issuer(self.authorization_server.ask(self._asked(request), self.world.now()), request)

    async def _take_decision(self, request: Request) -> Answer:
        return self._with_issuer(self.authorization_server.decide(self._asked(request), self.world.now()), request)

    def _asked(self, request: Request) -> Request:
        """Return the request as if its address contained the pushed parameters. Raises RefusedError."""
        request.ignore_unread()
        query = request.query
        pushed, until, _ = self._pushed.get(query.get("request_uri", ""), ({}, 0.0, ""))
        if until < self.world.now() or pushed.get("client_id") != query.get("client_id"):
            raise RefusedError(Answer.text("<h1>This request is unknown or has expired.</h1>", 400))
        played = {name: query[name] for name in ("sandbox_as", "sandbox_decline") if name in query}
        text = urlencode(pushed | played).encode()
        return Request(request.method, request.path, text, request.headers, request.body, request.base_url)

    def _with_issuer(self, answer: Answer, request: Request) -> Answer:
        """Add this server's name to the redirect, and use up the pushed request."""
        name = request.query.get("request_uri", "")
        for position, (header, value) in enumerate(answer.headers):
            if header == b"location":
                _, _, key = self._pushed.pop(name)
                for code in parse_qs(urlsplit(value.decode()).query).get("code", []):
                    self._codes[code] = key
                answer.headers[position] = (header, value + b"&" + urlencode({"iss": ISSUER}).encode())
        return answer

    def _proven(self, form: TrackedParameters, request: Request) -> tuple[str, App]:
        """Return the name of the key that a request proves, and its app. Raises RefusedError."""
        try:
            return self.proofs.check(request, self.world.now()), self._app(form, request)
        except OAuthError as problem:
            raise RefusedError(self.oauth_refused(problem)) from problem

    def _app(self, form: TrackedParameters, request: Request) -> App:
        """Return the app that a request names; an app with a key must prove its identity. Raises OAuthError."""
        client_id = str(form.get("client_id", ""))
        kind, assertion = form.get("client_assertion_type"), str(form.get("client_assertion", ""))
        app = self.world.apps_and_codes.app(self.platform, client_id)
        if client_id.startswith("http://localhost?"):
            named = parse_qsl(urlsplit(client_id).query)
            app = App(self.platform, client_id, "", [value for name, value in named if name == "redirect_uri"])
            return self.world.apps_and_codes.register(app)
        if app is None:
            raise OAuthError("invalid_client_metadata", f"Failed to fetch client information of {client_id}")
        if app.jwk is not None:
            if kind != _ASSERTION:
                raise OAuthError("invalid_client", "client_assertion is missing")
            self.proofs.use(check_assertion(assertion, app.jwk, client_id, ISSUER, self.world.now()), request)
        return app

    def _redeem(self, form: TrackedParameters, app: App, key: str) -> Answer:
        code = str(form.get("code", ""))
        account, scopes = self.authorization_server.redeem(form, (app.client_id, app.client_secret), self.world.now())
        if self._codes.pop(code, "") != key:
            raise OAuthError("invalid_grant", "The DPoP key is not that of the authorization request.")
        access = self.world.accounts.issue(account, TOKEN_SECONDS)
        return self._tokens(account, access, self.world.accounts.issue_refresh(account), app, key, " ".join(scopes))

    def _rotate(self, form: TrackedParameters, app: App, key: str) -> Answer:
        used = str(form.get("refresh_token", ""))
        bound = self._bound.get(used)
        if bound is None or (bound.key, bound.client_id) != (key, app.client_id):
            raise OAuthError("invalid_grant", "Invalid refresh token")
        rotated = self.world.accounts.rotate(self.platform, used, lifetime=TOKEN_SECONDS, replay_ends_grant=True)
        if rotated is None:
            raise OAuthError("invalid_grant", "Refresh token replayed")
        account, access, refresh = rotated
        return self._tokens(account, access, refresh, app, key, bound.scope)

    def _tokens(self, account: Account, access: str, refresh: str, app: App, key: str, scope: str) -> Answer:
        for token in (access, refresh):
            self._bound.put(token, Binding(key, app.client_id, scope))
        tokens: dict[str, Any] = {"access_token": access, "token_type": "DPoP", "refresh_token": refresh}
        return Answer.json({**tokens, "scope": scope, "expires_in": TOKEN_SECONDS, "sub": account_did(account)})


def _unauthorized(code: str, message: str) -> Answer:
    answer = Answer.json({"error": code, "message": message}, 401)
    return answer.with_headers({"WWW-Authenticate": f'DPoP error="{code}", error_description="{message[:60]}"'})
