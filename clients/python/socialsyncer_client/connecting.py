"""The connection to the API: its address, key and headers."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

TIMEOUT_S = 65.0
"""The API waits up to 60 seconds for the outcome of a post."""
_CONNECT_WITHIN_S = 10.0


def http_options(api: str | None, key: str | None, timeout: float) -> dict[str, Any]:
    """Return the options of an HTTP client. Raises ValueError without an address or a key."""
    address, token = api or os.environ.get("SOCIALSYNCER_API_URL"), key or os.environ.get("SOCIALSYNCER_API_KEY")
    if not address or not token:
        raise ValueError("Name the API's address and a key, or set SOCIALSYNCER_API_URL and SOCIALSYNCER_API_KEY.")
    return {
        "base_url": address,
        "headers": {
            "Authorization": f"Bearer {token}",
            "User-Agent": f"socialsyncer-client-python/{_version()}",
        },
        "timeout": httpx.Timeout(timeout, connect=_CONNECT_WITHIN_S),
        # A redirect would carry the key to another address.
        "follow_redirects": False,
    }


def _version() -> str:
    try:
        return version("socialsyncer-client")
    except PackageNotFoundError:
        return "unknown"
