"""Secrets that the API hands over to the worker: the API seals them with a public key and cannot open them.

The API holds no key of the vault, and the secrets that it receives (a code, credentials) must not be in a table in
clear text, not even briefly. So the worker makes a pair of keys for each connection and keeps the private one sealed.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.secrets.secret_values import SECRETS

_PUBLIC, _NONCE = 32, 12


class HandoverError(Exception):
    """An error: a handed-over secret cannot be opened."""


def new_pair() -> tuple[bytes, bytes]:
    """Return a private and a public key (X25519)."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def seal_for(public: bytes, content: Mapping[str, Any], context: str) -> bytes:
    """Seal a JSON object for the holder of the private key; it opens only under the same `context`."""
    once, nonce = X25519PrivateKey.generate(), os.urandom(_NONCE)
    own = once.public_key().public_bytes_raw()
    key = _key(once.exchange(X25519PublicKey.from_public_bytes(public)), own + public)
    return own + nonce + AESGCM(key).encrypt(nonce, json.dumps(content).encode(), context.encode())


def open_handover(private: bytes, sealed: bytes, context: str) -> dict[str, Any]:
    """Open what `seal_for` has sealed. Raises HandoverError."""
    holder = X25519PrivateKey.from_private_bytes(private)
    own, nonce, cipher_text = sealed[:_PUBLIC], sealed[_PUBLIC : _PUBLIC + _NONCE], sealed[_PUBLIC + _NONCE :]
    try:
        shared = holder.exchange(X25519PublicKey.from_public_bytes(own))
        key = _key(shared, own + holder.public_key().public_bytes_raw())
        content: dict[str, Any] = json.loads(AESGCM(key).decrypt(nonce, cipher_text, context.encode()))
    except (InvalidTag, ValueError) as error:
        raise HandoverError("what was handed over cannot be opened") from error
    SECRETS.remember_fields(content)
    if isinstance(code := content.get("code"), str):
        SECRETS.remember(code)
    return content


def _key(shared: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"socialsyncer handover").derive(shared)
