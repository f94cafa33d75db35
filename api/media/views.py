"""Files of a workspace as answers show them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.media.schemas import UploadStateName, UploadView
from api.media.urls import upload_public_url
from domain.schedule import rfc3339
from store.models import Upload
from store.uploads.uses import posts_naming, read_uses


async def upload_views(
    deps: Dependencies, request: HttpRequest, session: AsyncSession, uploads: Sequence[Upload]
) -> list[UploadView]:
    """Return files as answers show them."""
    ids = [upload.id for upload in uploads]
    posts = await posts_naming(session, ids)
    uses = await read_uses(session, ids)
    now = datetime.now(UTC)

    def expires_at(upload: Upload) -> datetime | None:
        use = uses[upload.id]
        if use.is_held:
            return None
        times = [upload.expires_at, use.rested_at + deps.media_kept if use.rested_at else None]
        return max((time for time in times if time), default=None)

    return [
        UploadView(
            id=upload.id,
            publicUrl=upload_public_url(deps, request, upload),
            filename=upload.filename,
            state=cast("UploadStateName", upload.state_at(now).value),
            contentType=upload.sniffed_type or upload.content_type,
            size=upload.size,
            sha256=upload.sha256.hex() if upload.sha256 else None,
            usedBy=posts[upload.id],
            expiresAt=rfc3339(end) if (end := expires_at(upload)) else None,
            createdAt=rfc3339(upload.created_at),
        )
        for upload in uploads
    ]
