"""Credentials in clear text, for the vault alone."""

from typing import Any

from pydantic import BaseModel


def plain(credentials: BaseModel) -> dict[str, Any]:
    """Return credentials as JSON with their secrets in clear text; only the vault may get this."""
    dumped: dict[str, Any] = {}
    for name, value in credentials:
        if value is not None:
            dumped[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return dumped
