"""Files that the service fetches for a person at a terminal."""

import time
from typing import Any
from urllib.parse import quote

from cli.client.api import ApiClient
from cli.errors import UserError

_EVERY_S = 1.0
_LONGEST_S = 2 * 3600
"""Longer than the service tries to fetch a file."""


def is_web_address(source: str) -> bool:
    """Return whether an argument names a file on the internet, not one of this machine."""
    return source.lower().startswith(("http://", "https://"))


def fetch_upload(client: ApiClient, url: str) -> dict[str, Any]:
    """Let the service fetch a file, and return it once it is there. Raises UserError if it cannot be fetched."""
    upload = client.change("POST", "/v1/media/fetch", json={"url": url}).body
    until = time.monotonic() + _LONGEST_S
    while upload["state"] == "fetching" and time.monotonic() < until:
        time.sleep(_EVERY_S)
        upload = client.get(f"/v1/media/{quote(upload['id'], safe='')}")
    if upload["state"] != "ready":
        raise UserError(upload["error"] or f"The service has not fetched the file yet; its upload is {upload['id']}.")
    return upload
