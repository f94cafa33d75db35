"""The connection to the API: its address, key and headers."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Generator
from copy import copy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import httpx

C = TypeVar("C", bound="Connections")

TIMEOUT_S = 65.0
"""The API waits up to 60 seconds for the outcome of a post."""
_CONNECT_WITHIN_S = 10.0
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class ApiKey(httpx.Auth):
    """A key whose repr does not show it: error trackers show the local variables of each frame."""

    def __init__(self, key: str | None) -> None:
        # A key that is read from a file often ends with a line break.
        self._key = (key or os.environ.get("SOCIALSYNCER_API_KEY", "")).strip()

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def __bool__(self) -> bool:
        return bool(self._key)

    @property
    def is_sendable(self) -> bool:
        """Return whether it has only characters that a key may have."""
        return _VISIBLE.fullmatch(self._key) is not None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the key with a request."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class Connections:
    """The connections of a client, which has these two methods whether it waits or not."""

    _http: Any
    _files: Any
    _generated: Any

    def __repr__(self) -> str:
        # A traceback may show a client whose address was refused.
        return f"{type(self).__name__}({str(self._http.base_url) if '_http' in vars(self) else ''!r})"

    def with_timeout(self: C, seconds: float) -> C:  # noqa: PYI019  Self is new in Python 3.11
        """Return this client with another timeout for one attempt: `client.with_timeout(5).get_post(post_id)`.

        Both share their connections, which end when either is closed.
        """
        other, http, files = copy(self), copy(self._http), copy(self._files)
        http.timeout = files.timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_WITHIN_S))
        other.__dict__.update(_http=http, _files=files, _generated=type(self._generated)(http))
        return other


def http_options(api: str | None, key: ApiKey, timeout: float, *, allow_http: bool) -> dict[str, Any]:
    """Return the options of an HTTP client. Raises ValueError if the address or the key cannot be one."""
    address = (api or os.environ.get("SOCIALSYNCER_API_URL", "")).strip()
    if not address or not key:
        raise ValueError("Name the API's address and a key, or set SOCIALSYNCER_API_URL and SOCIALSYNCER_API_KEY.")
    if not key.is_sendable:
        # httpx would fail at each request, as if no answer came.
        raise ValueError("The key has characters that no API key has.")
    if not _is_address(address):
        raise ValueError("The API's address must be one such as https://posts.example.com.")
    if not (allow_http or address.lower().startswith("https:") or _is_loopback(httpx.URL(address).host)):
        raise ValueError("The API's address must begin with https://, or the key can be read on its way (allow_http).")
    return {
        "base_url": address,
        "auth": key,
        "headers": {"User-Agent": f"socialsyncer-client-python/{_version()}"},
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _version() -> str:
    try:
        return version("socialsyncer-client")
    except PackageNotFoundError:
        return "unknown"
