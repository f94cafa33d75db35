"""The endpoints under /v1/connect: begin to connect an account, take what the platform sent back, choose.

A worker does what needs secrets. Either the client takes what the platform sends back, or this service does (`hosted`,
see `api.connect.hosted`).
"""

from datetime import UTC, datetime
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.connect import operations
from api.connect.begin import begin
from api.connect.outcomes import connected_accounts, selection_options
from api.connect.page import replace_page, show_page
from api.connect.receive import connect, read_connect, select
from api.connect.schemas import ConnectPageBody, SelectBody, SelectedView
from api.connect.views import connected_view, progress_view, selection_view
from api.dependencies import Deps
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest
from api.http.operation import serves
from api.http.query import known_platform, read_query
from api.http.request import read_body, read_request
from api.posts.answers.response import respond_privately
from domain.errors import NotFound, Problem
from store.accounts.connected import find_accounts
from store.accounts.pending_connections import find_connection

_UNKNOWN = Problem("This workspace has no such connection; it is forgotten a day after it has ended", "not_found")


class ConnectEndpoints(Controller):
    """Connect accounts to the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.GET_PAGE)
    async def get_connect_page(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Get the look of the page on which people connect accounts."""
        read_query(request)
        return respond_privately(await show_page(deps.database, workspace_id))

    @serves(operations.SET_PAGE)
    async def set_connect_page(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Set the look of the page on which people connect accounts."""
        body = await read_body(request, ConnectPageBody)
        return respond_privately(await replace_page(deps.database, workspace_id, body))

    @serves(operations.BEGIN_CONNECTION)
    async def begin_connection(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Begin to connect an account."""
        await deps.restoring.require_finished()
        return respond_privately(await begin(deps, workspace_id, known_platform(platform), request))

    @serves(operations.GET_CONNECTION)
    async def get_connection(
        self,
        request: HttpRequest,
        platform: FromPath[str],
        connection_id: FromPath[str],
        workspace_id: WorkspaceId,
        deps: Deps,
    ) -> Response[bytes]:
        """Get the state of a connection."""
        read_query(request)
        async with deps.database.reading() as session:
            row = await find_connection(session, connection_id) if connection_id.isprintable() else None
            if row is None or (row.workspace_id, row.platform) != (workspace_id, known_platform(platform)):
                raise NotFound(_UNKNOWN)
            known = await find_accounts(
                session, workspace_id, [option["account_id"] for option in selection_options(row) or ()]
            )
        return respond_privately(progress_view(row, known, datetime.now(UTC)))

    @serves(operations.CONNECT_ACCOUNT)
    async def connect_account(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Connect an account."""
        payload = await read_request(request, partial(read_connect, platform=platform))
        row = await connect(deps, workspace_id, known_platform(platform), payload, request_actor(request))
        if (selection := selection_options(row)) is not None:
            async with deps.database.reading() as session:
                known = await find_accounts(session, workspace_id, [option["account_id"] for option in selection])
            return respond_privately(selection_view(row, known))
        account = connected_accounts(row)[0]
        return respond_privately(connected_view(row.platform, account), 201 if account["created"] else 200)

    @serves(operations.SELECT_ACCOUNTS)
    async def select_accounts(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Choose which accounts to connect."""
        row = await select(
            deps, workspace_id, known_platform(platform), await read_request(request, partial(read_valid, SelectBody))
        )
        accounts = [connected_view(row.platform, account) for account in connected_accounts(row)]
        first = connected_accounts(row)[0]
        view = SelectedView(
            platform=row.platform, accountId=first["account_id"], username=first["username"], accounts=accounts
        )
        return respond_privately(view, 201)
