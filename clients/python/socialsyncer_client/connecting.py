"""The connection to the API: its address, key and headers."""

from __future__ import annotations

import os
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

TIMEOUT_S = 65.0
"""The API waits up to 60 seconds for the outcome of a post."""
_CONNECT_WITHIN_S = 10.0
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def http_options(api: str | None, key: str | None, timeout: float) -> dict[str, Any]:
    """Return the options of an HTTP client. Raises ValueError if the address or the key cannot be one."""
    # A key that is read from a file often ends with a line break.
    address = (api or os.environ.get("SOCIALSYNCER_API_URL", "")).strip()
    token = (key or os.environ.get("SOCIALSYNCER_API_KEY", "")).strip()
    if not address or not token:
        raise ValueError("Name the API's address and a key, or set SOCIALSYNCER_API_URL and SOCIALSYNCER_API_KEY.")
    if not _VISIBLE.fullmatch(token):
        # httpx would fail at each request, as if no answer came.
        raise ValueError("The key has characters that no API key has.")
    if not _is_address(address):
        raise ValueError("The API's address must be one such as https://posts.example.com.")
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


def _is_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host) and not (url.userinfo or url.query or url.fragment)


def _version() -> str:
    try:
        return version("socialsyncer-client")
    except PackageNotFoundError:
        return "unknown"
