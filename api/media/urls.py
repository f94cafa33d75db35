"""The addresses of uploads, as answers show them."""

import hmac
from base64 import urlsafe_b64encode
from secrets import token_bytes

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.posts.addresses import api_base
from domain.uploads import public_url
from store.models import Upload

UPLOAD_PATH = "/media/upload/"
"""The path of addresses to which files are sent, before the secret."""


def signed_secret(upload: Upload, number: int = 0) -> str:
    """Return the secret in the address of a part, or of the whole file, signed by random bytes of the row."""
    signed = f"{upload.id}.{number}"
    signature = hmac.digest(upload.secret_hash or token_bytes(32), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def upload_url(deps: Dependencies, request: HttpRequest, secret: str) -> str:
    """Return the address to which the bytes of an upload are sent."""
    return f"{api_base(deps, request)}{UPLOAD_PATH}{secret}"


def upload_public_url(deps: Dependencies, request: HttpRequest, upload: Upload) -> str:
    """Return the public address of an upload."""
    base = deps.media_url or api_base(deps, request)
    return public_url(base, upload.token, upload.filename, upload.content_type)
