"""Begin uploads: in one piece, by an address, or in parts."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.media.errors import NO_MEDIA_TYPE, TOO_LARGE, TOO_MANY, quota_exceeded, require_storage, storage_errors
from api.media.schemas import MultipartBody, PresignBody
from api.posts.answers.answer import Answer
from api.posts.once import once, take_key
from domain.errors import Conflict, Problem
from domain.uploads import LARGEST_UPLOAD, PARTS_WITHIN, UPLOAD_WITHIN
from media.sniff import may_be_accepted
from storage.base import PartPlan, SignedRequest, new_key
from store.models import IdempotencyKey, Upload
from store.posts.idempotency import KeyedRequest
from store.uploads.rows import NewUpload, TooManyUploads, begin_upload, find_upload, lock_quota

_DELETED = Problem("The upload of this Idempotency-Key was deleted; a new one needs a new key", "conflict")

_WRITTEN_AGAIN = Answer(200, b"{}", to_keep=False)
"""In place of the answer, which is written again for a repeat, because it has secrets and what has come since."""


async def begin(
    deps: Dependencies,
    workspace_id: str,
    body: PresignBody | MultipartBody,
    created_by: str,
    *,
    within: timedelta = UPLOAD_WITHIN,
    plan: PartPlan | None = None,
    multipart_id: str | None = None,
    key: str | None = None,
    keyed: KeyedRequest | None = None,
) -> Upload:
    """Add the row of a file that is to come. Raises PayloadTooLarge, Unprocessable, KeyTakenError."""
    if (body.size or 0) > LARGEST_UPLOAD:
        raise TOO_LARGE
    if not may_be_accepted(body.content_type.lower()):
        raise NO_MEDIA_TYPE
    upload = NewUpload(
        workspace_id=workspace_id,
        key=key or new_key(),
        filename=body.filename,
        content_type=body.content_type.lower(),
        size=body.size,
        sha256=bytes.fromhex(body.sha256) if body.sha256 else None,
        reserved=body.size or 0,
        expires_at=datetime.now(UTC) + within,
        created_by=created_by,
        part_size=plan.part_size if plan else None,
        multipart_id=multipart_id,
    )
    async with deps.database.transaction() as session:
        begun = await add_upload(deps, session, upload)
        await take_key(session, keyed, begun.id)
    return begun


async def begin_once(
    deps: Dependencies, keyed: KeyedRequest | None, start: Callable[[], Awaitable[Upload]]
) -> tuple[Upload, bool]:
    """Return the upload that `start` begins, or that an earlier request with this key has begun, and whether one has.

    Raises PostsError.
    """
    uploads: list[Upload] = []

    async def work() -> Answer:
        uploads.append(await start())
        return _WRITTEN_AGAIN

    async def follow(use: IdempotencyKey) -> Answer:
        async with deps.database.reading() as session:
            upload = await find_upload(session, use.workspace_id, use.post_id)
        if upload is None:
            raise Conflict(_DELETED)
        uploads.append(upload)
        return _WRITTEN_AGAIN

    answer = await once(deps, keyed, "", work, follow, is_costly=True)
    return uploads[-1], answer.replayed


async def add_upload(deps: Dependencies, session: AsyncSession, upload: NewUpload) -> Upload:
    """Add the row of a file if its workspace has room for it. Raises Unprocessable."""
    try:
        room = await lock_quota(session, upload.workspace_id, deps.upload_quota)
    except TooManyUploads as error:
        raise TOO_MANY from error
    # Nothing is reserved for a size that is not known: the upload itself does that.
    if room < (upload.size or 1):
        raise quota_exceeded(room)
    return await begin_upload(session, upload)


async def sign(deps: Dependencies, row: Upload) -> SignedRequest | None:
    """Return the request by which a client stores a file itself; None if it sends the bytes to this API.

    The storage binds their number only if it is known, and no digest: those files come through this API.
    """
    if row.size is None or row.sha256 is not None:
        return None
    with storage_errors():
        return await require_storage(deps).sign_put(
            row.key, row.content_type, row.size, int(UPLOAD_WITHIN.total_seconds())
        )


async def begin_parts(
    deps: Dependencies, workspace_id: str, body: MultipartBody, created_by: str, keyed: KeyedRequest | None
) -> Upload:
    """Begin an upload in parts. Raises PayloadTooLarge, Unprocessable, Unavailable, KeyTakenError."""
    storage = require_storage(deps)
    if body.size > LARGEST_UPLOAD:
        raise TOO_LARGE
    plan, key = PartPlan.for_size(body.size), new_key()
    with storage_errors():
        multipart_id = await storage.begin_multipart(key, body.content_type.lower(), plan)
    try:
        return await begin(
            deps,
            workspace_id,
            body,
            created_by,
            within=PARTS_WITHIN,
            plan=plan,
            multipart_id=multipart_id,
            key=key,
            keyed=keyed,
        )
    except BaseException:
        with storage_errors():
            await storage.abort_multipart(key, multipart_id)
        raise
