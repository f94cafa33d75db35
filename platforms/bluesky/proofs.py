"""Proofs of possession (DPoP) and of an app's identity, signed by ES256.

The AT Protocol binds tokens to a key of the session: each request carries a proof that its sender has the key. A server
adds a nonce, which each response reports. Source: RFC 9449, RFC 7523, atproto.com/specs/oauth.
"""

import base64
import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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
