"""The scopes of API keys: what the holder of a key may do through the API."""

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
