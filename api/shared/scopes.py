"""The scope that each operation demands of its caller's key: the one table that is checked and described."""

import re
from functools import cache

from domain.api_keys import Scope

_RULES = (
    (r"GET /v1/me", None),
    (r".* /v1/api-keys.*", Scope.KEYS),
    (r".* /v1/webhooks.*", Scope.WEBHOOKS),
    (r".* /v1/connect.*|(?!GET ).* /v1/accounts.*", Scope.ACCOUNTS),
    (r"GET .*|POST .*/(validate|preview)", Scope.READ),
    (r".*", Scope.WRITE),
)
"""Patterns of methods and paths; the first that fits decides. GET /v1/connect begins a connection."""


@cache
def required_scope(route: str) -> Scope | None:
    """Return the scope that an operation, by its method and path, demands; None if every key may use it."""
    return next(scope for pattern, scope in _RULES if re.fullmatch(pattern, route))
