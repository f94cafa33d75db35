"""Uploads from an address: the row is begun here, and a worker fetches the file. This process connects nowhere."""

import mimetypes
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from api.dependencies import Dependencies
from api.http.headers import HttpRequest, idempotency_key
from api.http.operation import served_operation
from api.media.beginning import add_upload
from api.media.errors import require_storage
from api.media.schemas import LONGEST_FILENAME, FetchBody
from api.media.views import upload_views
from api.posts.answers.answer import Answer
from api.posts.once import complete, keyed_request, once, take_key
from api.views import write_json
from domain.errors import InvalidRequest, Problem, TooManyRequests
from domain.uploads import MOST_WAITING_FETCHES, UNUSED_FOR
from storage.base import new_key
from store.uploads.claims import count_fetches
from store.uploads.rows import NewUpload

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
