"""The endpoints under /v1/imports."""

import hashlib
import json
from dataclasses import asdict

from litestar import Controller, Response

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.endpoint import Endpoint
from api.http.body import LARGE_BYTES, read_large_body
from api.http.headers import HttpRequest, idempotency_key, required_key
from api.http.operation import Operation, served_operation
from api.http.parameters import KEY, cursor, page, query, required
from api.http.query import NO_CURSOR, Query, decode_cursor
from api.imports.importing import CSV, JSON, LINES, ImportRequest
from api.imports.undoing import ImportUndo
from api.imports.views import (
    NO_IMPORT,
    PAGE,
    PARAMETERS,
    ImportBody,
    ImportListView,
    ImportQuery,
    ImportUndoView,
    ImportView,
    import_list,
    import_view,
    read_import_query,
)
from api.posts.answers.rendering import answer_view, respond
from api.posts.many.checking import MOST_ROWS
from api.posts.once import keyed_request
from domain.errors import InvalidRequest, NotFound
from domain.imports import OnConflict
from store.posts.idempotency import KeyedRequest
from store.posts.imports import list_imports, read_import

_LINES = (
    '{"externalId": "bf-001", "content": "Black Friday, offer 1", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "scheduledFor": "2030-12-01T09:00"}\n'
    '{"externalId": "bf-002", "content": "Did you see it?", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "after": {"externalId": "bf-001", "delay": "PT2H"}}\n'
    '{"externalId": "bf-003", "content": "A draft", "isDraft": true}\n'
)
_CSV = (
    "externalId,content,platforms,mediaItems,scheduledFor,tags\n"
    'bf-001,"Offer 1,\ntoday",twitter:tw_456 instagram:ig_123,https://example.com/1.gif,2030-12-01T09:00,"bf, x"\n'
    "bf-002,Offer 2,twitter:tw_456,,2030-12-02T09:00,bf\n"
)


def _read_cursor(text: str) -> int:
    begin = decode_cursor(text).get("after")
    if not isinstance(begin, int) or not 0 <= begin < 2**31:
        raise ValueError(NO_CURSOR)
    return begin


class ImportEndpoints(Controller):
    """The imports of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/imports",
        description=(
            f"Up to {MOST_ROWS:,} posts and {LARGE_BYTES // 2**20} MiB, as JSON, as newline-delimited JSON or as CSV. "
            "All posts are created in one transaction, or none: if a row is wrong, nothing is, and all problems are"
            " listed by row. Rows are scheduled posts or drafts; `publishNow` is refused. A row of which no cell "
            "changed since it was last imported is left unchanged, so a corrected file can be sent again. The "
            "workflows of posts that are not due soon are started within some minutes; nothing waits for that. One "
            "import of a workspace is carried out at a time. Each row that creates or changes a post counts as a "
            "post of the workspace."
        ),
        answer=ImportView,
        errors=(
            *("wrongRow", "wrongColumn", "wrongFile", "invalidJson", "wrongQuery", "unknownQuery"),
            *("tooLargeImport", "noRows", "refusedRow", "otherImport"),
        ),
        status=201,
        other_status=200,
        body=ImportBody,
        texts={"application/x-ndjson": _LINES, "text/csv": _CSV},
        most_bytes=LARGE_BYTES,
        parameters=(required(KEY), *PARAMETERS),
    )
    async def create_import(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Import posts."""
        query, key = _read_head(request)
        # Before the body is read, because it may be large.
        async with deps.imports.take_in_turn(workspace_id):
            body = await read_large_body(request, (JSON, LINES, CSV))
            keyed = KeyedRequest(workspace_id, key, _digest(query, body.digest))
            return respond(
                await ImportRequest(deps, workspace_id, request.state.caller.key_id, keyed, query).answer(body)
            )

    @Endpoint(route="GET /v1/imports", answer=ImportListView, errors=("wrongQuery",), parameters=page("imports"))
    async def list_imports(self, query: Query, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List imports.

        The newest first, of the last 30 days, without the outcomes of their rows.
        """
        async with deps.database.reading() as session:
            rows = await list_imports(session, workspace_id, query["limit"] + 1, query["cursor"])
        return respond(answer_view(import_list(rows, query["limit"])))

    @Endpoint(
        route="GET /v1/imports/{importId}",
        answer=ImportView,
        errors=("wrongQuery", "importNotFound"),
        parameters=(cursor(),),
        readers={"cursor": _read_cursor},
    )
    async def get_import(self, query: Query, import_id: str, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """Get an import and the results of its rows.

        The outcome of each row, 1,000 an answer. It can be read for 30 days.
        """
        begin = query["cursor"] or 0
        async with deps.database.reading() as session:
            page = await read_import(session, workspace_id, import_id, begin, PAGE)
        if page is None:
            raise NotFound(NO_IMPORT)
        return respond(
            answer_view(import_view(import_id, page.created_at, page.counts, page.warnings, page.results, begin))
        )

    @Endpoint(
        route="POST /v1/imports/{importId}/undo",
        answer=ImportUndoView,
        errors=("wrongQuery", "importNotFound", "otherImport"),
        parameters=(
            KEY,
            query("dryRun", "Answer what would be done, and do nothing.", {"type": "boolean", "default": False}, True),
        ),
    )
    async def undo_import(
        self, request: HttpRequest, query: Query, import_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Undo an import.

        Deletes the posts that the import created, and restores the fields that it changed, in one transaction. A post
        whose publishing has begun stays, and so does whatever was changed since: the results name it. Possible for 30
        days; changes of posts by the newest 20 imports of the workspace only.
        """
        keyed = keyed_request(
            workspace_id, idempotency_key(request), {}, served_operation(request).route.replace("{importId}", import_id)
        )
        async with deps.imports.take_in_turn(workspace_id):
            actor = request_actor(request)
            return respond(await ImportUndo(deps, workspace_id, actor, import_id, keyed, query["dryRun"]).answer())


def _read_head(request: HttpRequest) -> tuple[ImportQuery, str]:
    """Return the query and the key of an import. Raises InvalidRequest with everything that is wrong with them."""
    query, problems = read_import_query(request)
    try:
        key = required_key(request)
    except InvalidRequest as error:
        problems = [*problems, *error.problems]
    if problems:
        raise InvalidRequest(problems)
    return query, key


def _digest(query: ImportQuery, body: bytes) -> bytes:
    """Return the digest of a request: of its body's bytes, and of how it is carried out."""
    values = asdict(query)
    if query.on_conflict is OnConflict.REFUSE:
        # As before this parameter existed, so that a repeat after an upgrade is one.
        del values["on_conflict"]
    return hashlib.sha256(f"POST /v1/imports\n{json.dumps(values)}\n".encode() + body).digest()
