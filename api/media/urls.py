"""The addresses of uploads, as answers show them."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.media.errors import storage_errors
from api.posts.addresses import api_base
from domain.uploads import public_url
from store.models import Upload

UPLOAD_PATH = "/media/upload/"
"""The path of addresses to which files are sent, before the secret."""


async def signing_keys(deps: Dependencies) -> Sequence[bytes]:
    """Return the keys of `signed_secret`, the one that signs first. Raises Unavailable."""
    with storage_errors():
        return await deps.readiness.signing_keys()


def signed_secret(key: bytes, upload: Upload, number: int = 0) -> str:
    """Return the secret in the address of a part, or of the whole file.

    The key is in the storage, and the row has a nonce: who reads only the database can make no address.
    """
    signed = f"{upload.id}.{number}"
    signature = hmac.digest(key, signed.encode() + b"." + upload.address_nonce, "sha256")
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def upload_url(deps: Dependencies, request: HttpRequest, secret: str) -> str:
    """Return the address to which the bytes of an upload are sent."""
    return f"{api_base(deps, request)}{UPLOAD_PATH}{secret}"


def upload_public_url(deps: Dependencies, request: HttpRequest, upload: Upload) -> str:
    """Return the public address of an upload."""
    base = deps.media_url or api_base(deps, request)
    return public_url(base, upload.token, upload.filename, upload.content_type)
