"""Files of a workspace, and their addresses, as answers show them."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.media.errors import MediaRejected, storage_errors
from api.media.schemas import UploadStateName, UploadView
from api.posts.addresses import api_base, thumbnail_url
from domain.codes import UploadErrorCode
from domain.schedule import rfc3339
from domain.uploads import UploadState, public_url
from store.models import Upload
from store.uploads.rows import UploadUses, posts_naming, read_uses
from store.uploads.thumbnails import thumbnail_tokens

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


async def upload_views(
    deps: Dependencies, request: HttpRequest, session: AsyncSession, uploads: Sequence[Upload]
) -> list[UploadView]:
    """Return files as answers show them."""
    ids = [upload.id for upload in uploads]
    posts = await posts_naming(session, ids)
    uses = await read_uses(session, ids)
    tokens = await thumbnail_tokens(session, ids)
    now = datetime.now(UTC)

    return [
        _view(deps, request, upload, uses[upload.id], now, posts[upload.id], tokens.get(upload.id))
        for upload in uploads
    ]


def _view(
    deps: Dependencies,
    request: HttpRequest,
    upload: Upload,
    uses: UploadUses,
    now: datetime,
    posts: list[str],
    thumbnail_token: str | None,
) -> UploadView:
    state, expires_at = upload.state_at(now), _expires_at(deps, upload, uses)
    code, error = upload.error_code, upload.error
    if state is UploadState.REJECTED and code is None:
        (problem,) = MediaRejected(upload.sniffed_type).problems
        code, error = problem.code, problem.error
    is_fetched = state.is_open and upload.fetch_at is not None
    return UploadView(
        id=upload.id,
        publicUrl=upload_public_url(deps, request, upload),
        filename=upload.filename,
        state="fetching" if is_fetched else cast("UploadStateName", state.value),
        contentType=upload.sniffed_type or upload.content_type,
        size=upload.size,
        sha256=upload.sha256.hex() if upload.sha256 else None,
        usedBy=posts,
        expiresAt=rfc3339(expires_at) if expires_at else None,
        createdAt=rfc3339(upload.created_at),
        errorCode=cast("UploadErrorCode | None", code),
        error=error,
        thumbnailUrl=thumbnail_url(deps, request, thumbnail_token) if thumbnail_token else None,
    )


def _expires_at(deps: Dependencies, upload: Upload, uses: UploadUses) -> datetime | None:
    if uses.is_held:
        return None
    times = [upload.expires_at, uses.rested_at + deps.media_kept if uses.rested_at else None]
    return max((time for time in times if time), default=None)
