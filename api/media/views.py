"""Files of a workspace as answers show them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.media.errors import MediaRejected
from api.media.schemas import UploadStateName, UploadView
from api.media.urls import upload_public_url
from api.posts.addresses import thumbnail_url
from domain.codes import UploadErrorCode
from domain.schedule import rfc3339
from domain.uploads import UploadState
from store.models import Upload
from store.uploads.rows import UploadUses, posts_naming, read_uses
from store.uploads.thumbnails import thumbnail_tokens


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
