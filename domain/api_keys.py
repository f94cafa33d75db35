"""API keys: their text, random with a checksum that shows a key which is mistyped or cut off, and their scopes.

A key is `sk_`, 43 random letters and digits (256 bits), and the CRC-32 of all before it in six of them. Scanners of
leaked secrets can check it offline. Keys of version 0.1 have 43 characters of base64url and
no checksum; they stay valid.
"""

import re
import secrets
import string
import zlib
from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """A part of the API that a key opens."""

    READ = "read"
    """Read everything, and validate posts."""
    WRITE = "write"
    """Create, change, delete, retry and pause posts, campaigns and what belongs to them."""
    ACCOUNTS = "accounts"
    """Connect and remove accounts."""
    WEBHOOKS = "webhooks"
    """Create, change, test and delete webhooks."""
    KEYS = "keys"
    """List, create and revoke keys that may do no more than the key itself."""


ALL_SCOPES = tuple(Scope)
OPERATOR_SCOPES = (Scope.READ, Scope.WRITE, Scope.ACCOUNTS, Scope.WEBHOOKS)
"""The scopes of a key that an operator creates without a choice: all but the one that creates further keys."""


def in_order(scopes: Collection[str]) -> list[Scope]:
    """Return scopes in the order in which they are documented, each once. Raises ValueError for an unknown one."""
    chosen = {Scope(scope) for scope in scopes}
    return [scope for scope in Scope if scope in chosen]


_PREFIX = "sk_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 43, 6
_NEW = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}")
_OLD = re.compile(rf"{_PREFIX}[0-9A-Za-z_-]{{{_RANDOM}}}")
SHOWN = len(_PREFIX) + 6
"""Characters of a key that are kept in clear. More than 220 of its random bits stay secret."""


def new_key_text() -> str:
    """Return a new key."""
    key = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return key + _checksum(key)


def is_key_text(text: str) -> bool:
    """Return whether a text can be a key at all: the checksum shows a typo without asking the database."""
    if _NEW.fullmatch(text):
        return text[-_CHECKSUM:] == _checksum(text[:-_CHECKSUM])
    return _OLD.fullmatch(text) is not None


def _checksum(key: str) -> str:
    number, digits = zlib.crc32(key.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
