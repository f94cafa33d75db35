"""The keys of objects. They are random and tell nothing, and no other name reaches a store."""

import re
import secrets

_KEY = re.compile(r"[0-9a-f]{32}")
_ROOT = "objects"


def new_key() -> str:
    """Return a key that no object has."""
    return secrets.token_hex(16)


def object_path(key: str) -> str:
    """Return the object's path in its store, the same in each kind of store. Raises ValueError if it is no key."""
    if not _KEY.fullmatch(key):
        raise ValueError("not a key of the store")
    return f"{_ROOT}/{key[:2]}/{key}"


def is_key(text: str) -> bool:
    """Return whether a name in a store is a key."""
    return _KEY.fullmatch(text) is not None
