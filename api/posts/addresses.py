"""Addresses of this API, as answers show them."""

from api.dependencies import Dependencies
from api.http.headers import HttpRequest

THUMBNAIL_PATH = "/media/t/"
"""The path of thumbnails, before the token."""


def api_base(deps: Dependencies, request: HttpRequest) -> str:
    """Return the address of this API, without a slash at the end: the configured one, else that of the request."""
    return deps.public_url or str(request.base_url).rstrip("/")


def thumbnail_url(deps: Dependencies, request: HttpRequest, token: str) -> str:
    """Return the address of a thumbnail at this API itself, whose pages show no other pictures."""
    return f"{api_base(deps, request)}{THUMBNAIL_PATH}{token}.jpg"
