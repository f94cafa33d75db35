"""The address of a server that an account names, for platforms whose servers people run themselves."""

from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator


def _server(address: str) -> str:
    address = address.strip()
    parts = urlsplit(address if "://" in address else f"https://{address}")
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    whole = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or beyond or not _can_be_asked(whole):
        raise ValueError("must be the address of a server, such as https://social.example")
    return whole


def _can_be_asked(url: str) -> bool:
    """Return whether a request to an address can be made at all."""
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


ServerAddress = Annotated[str, AfterValidator(_server)]
"""A server's address as scheme, host and port only; https if its owner wrote no scheme."""


def origin(address: str) -> str | None:
    """Return scheme, host and port of a web address in one spelling for comparison; None if it is no web address."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return f"{parts.scheme}://{parts.hostname.rstrip('.')}:{port}" if parts.hostname else None
