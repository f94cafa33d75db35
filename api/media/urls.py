"""The addresses of uploads, as answers show them."""

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.posts.addresses import api_base
from domain.upload_urls import public_url
from store.models import Upload

UPLOAD_PATH = "/media/upload/"
"""The path of addresses to which files are sent, before the secret."""


def upload_url(deps: Dependencies, request: HttpRequest, secret: str) -> str:
    """Return the address to which the bytes of an upload are sent."""
    return f"{api_base(deps, request)}{UPLOAD_PATH}{secret}"


def upload_public_url(deps: Dependencies, request: HttpRequest, upload: Upload) -> str:
    """Return the public address of an upload."""
    base = deps.media_url or api_base(deps, request)
    return public_url(base, upload.token, upload.filename, upload.content_type)
