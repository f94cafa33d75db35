"""Encryption of credentials at rest with AES-256-GCM; to rotate keys, a new key is put first.

All credentials that this process uses are opened here, so their secrets are registered for the log's masks here.
"""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from store.secrets.secret_values import SECRETS

KEY_ID = 8
"""Bytes at the beginning of a sealed value that name its key."""
_NONCE = 12
"""Bytes: what NIST SP 800-38D recommends for GCM."""


class VaultError(Exception):
    """An error: stored credentials cannot be decrypted with any key of this process."""


def new_key() -> str:
    """Return a new random 32-byte key as base64url text."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Vault:
    """A vault that encrypts with the first key and decrypts with any key. Raises ValueError for an invalid key."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        ciphers: dict[bytes, AESGCM] = {}
        for key in keys:
            SECRETS.remember(key.get_secret_value())
            raw = base64.urlsafe_b64decode(key.get_secret_value())
            if len(raw) != 32:
                raise ValueError("an encryption key must be 32 bytes in base64url")
            ciphers[hashlib.sha256(raw).digest()[:KEY_ID]] = AESGCM(raw)
        if not ciphers:
            raise ValueError("at least one encryption key is needed")
        self._ciphers = ciphers
        self._current = next(iter(ciphers))

    @property
    def key_ids(self) -> list[bytes]:
        """Return the ids of the keys, that of the encrypting key first."""
        return list(self._ciphers)

    def seal(self, content: dict[str, Any], context: str) -> bytes:
        """Encrypt a JSON object; it opens only under the same `context`, so rows cannot be swapped."""
        SECRETS.remember_fields(content)
        nonce = os.urandom(_NONCE)
        plain = json.dumps(content).encode()
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> dict[str, Any]:
        """Decrypt a sealed value. Raises VaultError."""
        key_id, nonce, cipher_text = sealed[:KEY_ID], sealed[KEY_ID : KEY_ID + _NONCE], sealed[KEY_ID + _NONCE :]
        try:
            plain = self._ciphers[key_id].decrypt(nonce, cipher_text, context.encode())
        except (KeyError, InvalidTag) as error:
            raise VaultError("credentials are encrypted with a key that is not configured") from error
        content: dict[str, Any] = json.loads(plain)
        SECRETS.remember_fields(content)
        return content
