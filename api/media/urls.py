"""The addresses of uploads, as answers show them."""

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from domain.upload_urls import public_url
from store.models import Upload

UPLOAD_PATH = "/media/upload/"
"""The path of addresses to which files are sent, before the secret."""

THUMBNAIL_PATH = "/media/t/"
"""The path of thumbnails, before the token."""


def api_base(deps: Dependencies, request: HttpRequest) -> str:
    """Return the address of this API, without a slash at the end: the configured one, else that of the request."""
    return deps.public_url or str(request.base_url).rstrip("/")


def upload_url(deps: Dependencies, request: HttpRequest, secret: str) -> str:
    """Return the address to which the bytes of an upload are sent."""
    return f"{api_base(deps, request)}{UPLOAD_PATH}{secret}"


def upload_public_url(deps: Dependencies, request: HttpRequest, upload: Upload) -> str:
    """Return the public address of an upload."""
    base = deps.media_url or api_base(deps, request)
    return public_url(base, upload.token, upload.filename, upload.content_type)


def thumbnail_url(deps: Dependencies, request: HttpRequest, token: str | None) -> str | None:
    """Return the address of a thumbnail at this API itself, whose pages show no other pictures; None without one."""
    return f"{api_base(deps, request)}{THUMBNAIL_PATH}{token}.jpg" if token else None
