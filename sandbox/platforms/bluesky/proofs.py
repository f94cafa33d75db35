"""Proofs of possession (RFC 9449) and assertions of apps (RFC 7523), verified by their keys."""

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox.authorization import OAuthError
from sandbox.wire import Request

NONCE_SECONDS = 180
SKEW_SECONDS = 60
_KEPT = 10_000


class UseNonce(Exception):
    """An error: the proof lacks the nonce that the server requires."""


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
