"""The endpoints under /v1/pauses: stop the posts of a workspace or an account, and let them continue."""

from litestar import Controller, Response

from api.auth import AUTHENTICATED, request_actor
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest, preferred_wait
from api.http.parameters import PREFER_PAUSED, page
from api.http.query import Query, cut_page
from api.pauses.actions import pause, pause_view, read_gate, require_pause, resume
from api.pauses.schemas import PauseBody, PausePageView, PauseView, ResumeBody
from api.views import respond_privately
from store.models import Pause
from store.rows import newest_rows

LONGEST_WAIT_S = 10
"""How long the answer waits, by default and at most, for what was being sent when a pause began."""


class PauseEndpoints(Controller):
    """The pauses of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="POST /v1/pauses",
        answer=PauseView,
        errors=("wrongScope", "accountNotConnected"),
        status=201,
        other_status=200,
        parameters=(PREFER_PAUSED,),
    )
    async def create_pause(
        self, request: HttpRequest, body: PauseBody, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Pause a workspace or an account.

        Stops all posts of the workspace, or those to one account. It waits up to 10 seconds for `paused`. From then on
        no request that publishes a post leaves any process, until the pause ends. Nothing fails, is late or is unready
        because of a pause: posts that fall due are held, and their `publishWithin` stands still. 200 is a pause that
        was under way already. Edits and first comments of public posts are not stopped.
        """
        gate = await read_gate(deps.database, workspace_id, body)
        view, is_new = await pause(deps, workspace_id, gate, body.reason, request_actor(request), pause_wait(request))
        return respond_privately(view, 201 if is_new else 200)

    @Endpoint(route="GET /v1/pauses", errors=("wrongQuery",), parameters=page("pauses"))
    async def list_pauses(self, query: Query, workspace_id: str, deps: Dependencies) -> PausePageView:
        """List the pauses.

        Those that are under way, and those that have ended, the newest first.
        """
        async with deps.database.reading() as session:
            rows = await newest_rows(session, Pause, workspace_id, query["limit"] + 1, query["cursor"])
            pauses, cursor = cut_page(rows, query["limit"])
            views = [await pause_view(session, begun) for begun in pauses]
        return PausePageView(pauses=views, cursor=cursor, hasMore=cursor is not None)

    @Endpoint(route="GET /v1/pauses/{pauseId}", errors=("pauseNotFound",))
    async def get_pause(self, pause_id: str, workspace_id: str, deps: Dependencies) -> PauseView:
        """Get a pause.

        With what may still become public, and how many posts fell due and wait for its end.
        """
        async with deps.database.reading() as session:
            return await pause_view(session, await require_pause(session, workspace_id, pause_id))

    @Endpoint(
        route="POST /v1/pauses/{pauseId}/resume",
        errors=("missedUnsaid", "pauseNotFound"),
        body_required=False,
    )
    async def resume_pause(
        self, request: HttpRequest, pause_id: str, body: ResumeBody, workspace_id: str, deps: Dependencies
    ) -> PauseView:
        """End a pause.

        Publishes, moves or skips the posts that were missed, and ends the pause, together. With `dryRun` nothing
        changes, and `result` says what would be done. A pause that has ended answers as before.
        """
        return await resume(deps, workspace_id, pause_id, body, request_actor(request))


def pause_wait(request: HttpRequest) -> float:
    """Return how many seconds an answer waits for what was being sent when a pause began."""
    preferred = preferred_wait(request)
    return LONGEST_WAIT_S if preferred is None else min(preferred, LONGEST_WAIT_S)
