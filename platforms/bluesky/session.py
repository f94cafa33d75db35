"""Requests to an account's server, in a session of its app password or by an authorization of an app.

The AT Protocol binds the tokens of an authorization to a key: each request carries a proof (DPoP) that its sender has
the key, with the nonce that the server reported last. Source: RFC 9449, RFC 7523, atproto.com/specs/oauth.
"""

import base64
import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.access.renewal import Renewed, reported_lifetimes
from platforms.access.token_endpoint import UNREADABLE, TokenEndpoint
from platforms.bluesky.identity import endpoint, place, read_metadata
from platforms.bluesky.rules import BlueskyConnection, BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object

Key = ec.EllipticCurvePrivateKey

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BYTES = 32
_ASSERTION_LIFETIME_S = 60
_MOST_NONCES = 2_000
_LONGEST_NONCE = 512


class Nonces:
    """The newest nonce of each server, for all accounts of this process. Nonces are no secrets."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def newest(self, url: str) -> str | None:
        """Return the nonce that a server wants; None if it is not known."""
        return self._known.get(_origin(url))

    def remember(self, url: str, headers: Mapping[str, str]) -> None:
        """Store the nonce of a response."""
        nonce = headers.get("dpop-nonce", "")
        if 0 < len(nonce) <= _LONGEST_NONCE and nonce.isascii() and nonce.isprintable():
            self._known[_origin(url)] = nonce
            self._known.move_to_end(_origin(url))
            if len(self._known) > _MOST_NONCES:
                self._known.popitem(last=False)


def new_key() -> str:
    """Return a new private key as text."""
    return _encoded(ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(_BYTES))


def read_key(text: str) -> Key:
    """Return the key that `new_key` has made."""
    return ec.derive_private_key(int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))), _CURVE)


def derive_app_key(secret: str) -> Key:
    """Return the key of an app, which is derived from its client secret."""
    derived = HKDF(SHA256(), _BYTES + 16, None, b"socialsyncer app key").derive(secret.encode())
    return ec.derive_private_key(int.from_bytes(derived) % (_ORDER - 1) + 1, _CURVE)


def public_jwk(key: Key) -> dict[str, str]:
    """Return the public half as a JWK (RFC 7517)."""
    point = key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _encoded(point.x.to_bytes(_BYTES)),
        "y": _encoded(point.y.to_bytes(_BYTES)),
    }


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the name of a public key (RFC 7638)."""
    needed = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return _encoded(hashlib.sha256(json.dumps(needed, separators=(",", ":")).encode()).digest())


def app_jwk(secret: str) -> dict[str, str]:
    """Return the public key of an app as its metadata lists it."""
    jwk = public_jwk(derive_app_key(secret))
    return {**jwk, "kid": thumbprint(jwk), "alg": "ES256", "use": "sig"}


def proof(key: str, method: str, url: str, *, nonce: str | None = None, token: str | None = None) -> str:
    """Return the header `DPoP` of one request. `token` is the access token that goes with it."""
    private, address = read_key(key), url.partition("?")[0]
    claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": address, "iat": int(time.time())}
    if nonce is not None:
        claims["nonce"] = nonce
    if token is not None:
        claims["ath"] = _encoded(hashlib.sha256(token.encode()).digest())
    return _signed(private, {"typ": "dpop+jwt", "alg": "ES256", "jwk": public_jwk(private)}, claims)


def assertion(secret: str, client_id: str, issuer: str) -> str:
    """Return the assertion by which an app identifies itself at an authorization server (RFC 7523)."""
    private, now = derive_app_key(secret), int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + _ASSERTION_LIFETIME_S,
    }
    return _signed(private, {"alg": "ES256", "kid": thumbprint(public_jwk(private))}, claims)


def _signed(key: Key, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    content = b".".join(_encoded(json.dumps(part).encode()).encode() for part in (header, claims))
    numbers = decode_dss_signature(key.sign(content, ec.ECDSA(SHA256())))
    return f"{content.decode()}.{_encoded(b''.join(number.to_bytes(_BYTES) for number in numbers))}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


log = structlog.get_logger(__name__)

_ENDED = frozenset(
    {"ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired", "http_401", "invalid_token"}
)


async def call(connection: BlueskyConnection, method: str, name: str, **options: Any) -> dict[str, Any]:
    """Call a procedure or query as the account, in a session that is renewed once if it has ended."""
    await open_session(connection)
    if connection.is_due():
        try:
            connection.credentials = await connection.refresh()
        except PlatformError as error:
            log.info("token.used_till_its_end", platform=connection.wire.label, code=error.code)
    used = connection.credentials
    try:
        return await _send(connection, method, name, used, **options)
    except PlatformError as error:
        # A post is put under a key that is saved before, so a public request may be repeated after a refusal.
        if error.code not in _ENDED or error.kind is ErrorKind.UNCONFIRMED:
            raise
    if connection.credentials is used:
        connection.credentials = await connection.refresh()
    return await _send(connection, method, name, connection.credentials, **options)


async def ask(connection: BlueskyConnection, name: str, **params: str) -> dict[str, Any]:
    """Call a query that needs no session."""
    return json_object(await connection.wire.send("GET", f"/xrpc/{name}", params=params))


async def open_session(connection: BlueskyConnection) -> str:
    """Return the DID of the session's account; log in if there is no session yet."""
    has_session = connection.credentials.is_authorized or connection.credentials.access_jwt is not None
    if not has_session or connection.credentials.did is None:
        connection.credentials = await connection.refresh()
    return account_did(connection)


def account_did(connection: BlueskyConnection) -> str:
    """Return the account's DID as it is known without a request."""
    return connection.credentials.did or connection.account.user_id


async def _send(
    connection: BlueskyConnection,
    method: str,
    name: str,
    credentials: BlueskyCredentials,
    *,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    path = f"/xrpc/{name}"
    if credentials.dpop_key is not None:
        bound = {"key": credentials.dpop_key, "token": credentials.access_token}
        url = f"{credentials.service}{path}"
        return json_object(await send_bound(connection.wire, method, url, at=path, headers=headers, **bound, **options))
    token = credentials.access_jwt.get_secret_value() if credentials.access_jwt else ""
    headers = {**(headers or {}), "Authorization": f"Bearer {token}"}
    return json_object(await connection.wire.send(method, path, headers=headers, **options))


USE_NONCE = "use_dpop_nonce"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NONCE_REFUSALS = frozenset({400, 401})
"""Statuses with which a server asks for a nonce; the request had no other effect."""


async def send_bound(
    wire: Wire,
    method: str,
    url: str,
    *,
    key: SecretStr,
    at: str | None = None,
    token: SecretStr | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> httpx.Response:
    """Send as `Wire.send` does, with a proof; once more if the server asks for another nonce. Raises PlatformError.

    `at` is the path or address of the request if it differs from `url`, which the proof names.
    """
    bearer, nonces = token.get_secret_value() if token else None, wire.memory.get(Nonces)
    own = {**(headers or {}), **({"Authorization": f"DPoP {bearer}"} if bearer else {})}
    for last in (False, True):
        signed = proof(key.get_secret_value(), method, url, nonce=nonces.newest(url), token=bearer)
        own["DPoP"] = signed
        response = await wire.send(method, at or url, headers=own, accept=_NONCE_REFUSALS, **options)
        nonces.remember(url, response.headers)
        if response.is_success:
            return response
        if last or not _asks_for_nonce(response):
            raise (options.get("read_error") or wire.read_error)(response)
    raise AssertionError  # the second round has returned or raised


async def ask_for_tokens(
    wire: Wire, app: App, issuer: str, url: str, form: Mapping[str, str], key: SecretStr, service: str, **options: Any
) -> dict[str, Any]:
    """Return the response of an authorization server's endpoint to an app. Raises PlatformError."""
    fields = {**form, "client_id": app.client_id}
    if app.secret:
        fields |= {
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion(app.secret, app.client_id, issuer),
        }
    sent = await send_bound(wire, "POST", url, at=place(wire, service, url), key=key, data=fields, **options)
    return json_object(sent)


async def renew_authorization(connection: BlueskyConnection) -> Renewed[BlueskyCredentials]:
    """Exchange the refresh token, which works once, for new tokens. Raises PlatformError."""
    current, wire = connection.credentials, connection.wire
    key, refresh_token = current.dpop_key, current.refresh_token
    if key is None or refresh_token is None:
        message = "Nothing is left that renews this account's authorization. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="no_refresh_token")
    issuer = current.issuer or current.service
    url = endpoint(await read_metadata(wire, current.service, issuer), "token")
    app = App(current.client_id or "", current.client_secret)
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}

    # An error about the app's metadata is no refusal of the app: the server may have failed to fetch them.
    refusal = partial(TokenEndpoint(url).grant_refusal, wire)
    answer = await ask_for_tokens(wire, app, issuer, url, form, key, current.service, read_error=refusal)
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not (isinstance(access, str) and access and is_bound(answer)):
        raise PlatformError(ErrorKind.TRANSIENT, "The Bluesky server sent no tokens.", code=UNREADABLE)
    if answer.get("sub") != current.did:
        raise another_account()
    update = {"access_token": SecretStr(access)}
    if isinstance(refresh, str) and refresh:
        update["refresh_token"] = SecretStr(refresh)
    return Renewed(current.model_copy(update=update), reported_lifetimes(answer))


async def revoke_authorization(wire: Wire, app: App, credentials: BlueskyCredentials) -> None:
    """End an authorization by its refresh token (RFC 7009). Raises PlatformError if its server cannot do that."""
    key, token = credentials.dpop_key, credentials.refresh_token or credentials.access_token
    issuer = credentials.issuer or credentials.service
    url = endpoint(await read_metadata(wire, credentials.service, issuer), "revocation")
    form = {"token": token.get_secret_value()}
    await ask_for_tokens(wire, app, issuer, url, form, key or SecretStr(""), credentials.service)


def another_account() -> PlatformError:
    """Return the error that a server's tokens are for another account than before."""
    message = "The Bluesky server now says that this is another account. Connect the account again."
    return PlatformError(ErrorKind.AUTH, message, code="another_account")


def is_bound(answer: Mapping[str, Any]) -> bool:
    """Return whether a response's tokens are bound to the key, as they must be."""
    return str(answer.get("token_type", "")).lower() == "dpop"


def _asks_for_nonce(response: httpx.Response) -> bool:
    if json_object(response).get("error") == USE_NONCE:
        return True
    return USE_NONCE in response.headers.get("www-authenticate", "")
