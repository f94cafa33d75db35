"""The endpoints under /v1/pauses: stop the posts of a workspace or an account, and let them continue."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Deps
from api.http.cursors import encode_cursor
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.query import read_id_page, read_query
from api.http.request import read_body
from api.pauses import operations
from api.pauses.actions import pause, pause_view, read_gate, require_pause, resume
from api.pauses.schemas import PauseBody, PausePageView, ResumeBody
from api.posts.answers.response import respond_privately
from store.pauses.pauses import list_pauses

LONGEST_WAIT_S = 10
"""How long the answer waits, by default and at most, for what was being sent when a pause began."""


class PauseEndpoints(Controller):
    """The pauses of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_PAUSE)
    async def create_pause(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Pause a workspace or an account."""
        body = await read_body(request, PauseBody)
        gate = await read_gate(deps.database, workspace_id, body)
        view, is_new = await pause(deps, workspace_id, gate, body.reason, request_actor(request), pause_wait(request))
        return respond_privately(view, 201 if is_new else 200)

    @serves(operations.LIST_PAUSES)
    async def list_pauses(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the pauses."""
        limit, before_id = read_id_page(request)
        async with deps.database.reading() as session:
            rows = await list_pauses(session, workspace_id, limit + 1, before_id)
            views = [await pause_view(session, begun) for begun in rows[:limit]]
        cursor = encode_cursor({"id": rows[limit - 1].id}) if len(rows) > limit else None
        return respond_privately(PausePageView(pauses=views, cursor=cursor, hasMore=cursor is not None))

    @serves(operations.GET_PAUSE)
    async def get_pause(
        self, request: HttpRequest, pause_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get a pause."""
        read_query(request)
        async with deps.database.reading() as session:
            return respond_privately(await pause_view(session, await require_pause(session, workspace_id, pause_id)))

    @serves(operations.RESUME_PAUSE)
    async def resume_pause(
        self, request: HttpRequest, pause_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """End a pause."""
        body = await read_body(request, ResumeBody)
        return respond_privately(await resume(deps, workspace_id, pause_id, body, request_actor(request)))


def pause_wait(request: HttpRequest) -> float:
    """Return how many seconds an answer waits for what was being sent when a pause began."""
    preferred = preferred_wait(request)
    return LONGEST_WAIT_S if preferred is None else min(preferred, LONGEST_WAIT_S)
