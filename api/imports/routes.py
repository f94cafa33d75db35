"""The endpoints under /v1/imports."""

import hashlib
import json
from dataclasses import asdict

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Deps
from api.http.body import read_no_body
from api.http.cursors import NO_CURSOR, decode_cursor
from api.http.headers import HttpRequest, idempotency_key, required_key
from api.http.large_body import read_large_body
from api.http.operation import serves
from api.http.query import convert_parameter, parse_flag, parse_query, read_id_page
from api.imports import operations
from api.imports.importing import CSV, JSON, LINES, ImportRequest
from api.imports.query import ImportQuery, read_import_query
from api.imports.results import NO_IMPORT, PAGE, import_list, import_view
from api.imports.undoing import ImportUndo
from api.posts.answers.answer import answer_view
from api.posts.answers.response import respond
from api.posts.changes.idempotency import keyed_request
from domain.errors import InvalidRequest, NotFound
from domain.imports import OnConflict
from store.posts.idempotency import KeyedRequest
from store.posts.imports import list_imports, read_import


class ImportEndpoints(Controller):
    """The imports of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_IMPORT)
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

    @serves(operations.LIST_IMPORTS)
    async def list_imports(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List imports."""
        limit, before_id = read_id_page(request)
        async with deps.database.reading() as session:
            rows = await list_imports(session, workspace_id, limit + 1, before_id)
        return respond(answer_view(import_list(rows, limit)))

    @serves(operations.GET_IMPORT)
    async def get_import(
        self, request: HttpRequest, import_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get an import and the results of its rows."""
        values, problems = parse_query(request)
        begin = convert_parameter(values, problems, "cursor", _read_cursor) or 0
        if problems:
            raise InvalidRequest(problems)
        async with deps.database.reading() as session:
            page = await read_import(session, workspace_id, import_id, begin, PAGE)
        if page is None:
            raise NotFound(NO_IMPORT)
        return respond(
            answer_view(import_view(import_id, page.created_at, page.counts, page.warnings, page.results, begin))
        )

    @serves(operations.UNDO_IMPORT)
    async def undo_import(
        self, request: HttpRequest, import_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Undo an import."""
        values, problems = parse_query(request)
        dry_run = convert_parameter(values, problems, "dryRun", parse_flag) or False
        if problems:
            raise InvalidRequest(problems)
        key = idempotency_key(request)
        await read_no_body(request)
        keyed = keyed_request(workspace_id, key, {}, operations.UNDO_IMPORT.route.replace("{importId}", import_id))
        async with deps.imports.take_in_turn(workspace_id):
            actor = request_actor(request)
            return respond(await ImportUndo(deps, workspace_id, actor, import_id, keyed, dry_run).answer())


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


def _read_cursor(text: str) -> int:
    begin = decode_cursor(text).get("after")
    if not isinstance(begin, int) or not 0 <= begin < 2**31:
        raise ValueError(NO_CURSOR)
    return begin
