"""Begin uploads: in one piece, by an address, in parts, or from an address that a worker fetches."""

import mimetypes
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.headers import HttpRequest, idempotency_key
from api.http.operation import served_operation
from api.media.schemas import (
    LONGEST_FILENAME,
    NO_MEDIA_TYPE,
    TOO_LARGE,
    TOO_MANY,
    FetchBody,
    MultipartBody,
    PresignBody,
    quota_exceeded,
    require_storage,
    storage_errors,
    upload_views,
)
from api.posts.answers.rendering import Answer
from api.posts.once import complete, keyed_request, once, take_key
from api.views import write_json
from domain.errors import Conflict, InvalidRequest, Problem, TooManyRequests
from domain.uploads import LARGEST_UPLOAD, MOST_WAITING_FETCHES, PARTS_WITHIN, UNUSED_FOR, UPLOAD_WITHIN
from media.sniff import may_be_accepted
from storage.base import PartPlan, SignedRequest, new_key
from store.models import IdempotencyKey, Upload
from store.posts.idempotency import KeyedRequest
from store.uploads.claims import count_fetches
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


_ANY_TYPE = "application/octet-stream"
_TOO_MANY = TooManyRequests(
    Problem(f"{MOST_WAITING_FETCHES} files of this workspace are still to be fetched; please wait", "rate_limited"),
    retry_after=10,
)


async def begin_fetch(
    deps: Dependencies, request: HttpRequest, workspace_id: str, body: FetchBody, created_by: str
) -> Answer:
    """Let a worker fetch a file, once for each key, and answer with its upload. Raises PostsError."""
    require_storage(deps)
    payload = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    keyed = keyed_request(workspace_id, idempotency_key(request), payload, served_operation(request).route)

    async def work() -> Answer:
        _refuse_local(deps, body.url)
        filename = body.filename or _filename(body.url)
        upload = NewUpload(
            workspace_id=workspace_id,
            key=new_key(),
            filename=filename,
            content_type=mimetypes.guess_type(filename)[0] or _ANY_TYPE,
            size=None,
            sha256=None,
            reserved=0,
            expires_at=datetime.now(UTC) + UNUSED_FOR,
            created_by=created_by,
            source_url=body.url,
        )
        async with deps.database.transaction() as session:
            # Its lock holds up other uploads of the workspace, so the number below is exact.
            begun = await add_upload(deps, session, upload)
            if await count_fetches(session, workspace_id) > MOST_WAITING_FETCHES:
                raise _TOO_MANY
            await take_key(session, keyed, begun.id)
            (view,) = await upload_views(deps, request, session, [begun])
            return await complete(session, keyed, Answer(202, write_json(view)))

    return await once(deps, keyed, "", work, is_costly=True)


def _refuse_local(deps: Dependencies, url: str) -> None:
    """Raise InvalidRequest for an address that no worker will fetch, as its host alone shows."""
    if (host := deps.local_hosts.refused_host(url)) is not None:
        raise InvalidRequest(Problem(f"{host} is not on the public internet", "invalid_field_value", "url"))


def _filename(url: str) -> str:
    """Return the name at the end of an address, or one that tells nothing."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return name[-LONGEST_FILENAME:] if name.isprintable() and name else "file"
