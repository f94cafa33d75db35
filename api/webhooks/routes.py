"""The endpoints under /v1/webhooks."""

from datetime import UTC, datetime, timedelta
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId
from api.dependencies import Deps
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_request
from api.posts.answers.response import respond_privately
from api.webhooks import operations
from api.webhooks.actions import (
    NOT_FOUND,
    change_webhook,
    create_webhook,
    enable_webhook,
    require_webhook,
    rotate_webhook,
    run_test,
    view_of_row,
    webhook_view,
)
from api.webhooks.log import delivery_view, read_log_query, read_time_range, write_cursor
from api.webhooks.schemas import (
    DeletedWebhookView,
    LogView,
    RecoverBody,
    RecoveredView,
    RedeliverBody,
    RedeliveredView,
    RotateBody,
    WebhookBody,
    WebhookChangeBody,
    WebhookListView,
)
from domain.errors import InvalidRequest, NotFound, Problem
from domain.webhooks import MOST_WAITING
from store.webhooks.endpoints import count_waiting, delete_endpoint, list_endpoints
from store.webhooks.logs import read_log, recover, redeliver

_NO_DELIVERY = Problem("There is no such delivery", "not_found", "deliveryIds")


def _wait(request: HttpRequest) -> float:
    preferred = preferred_wait(request)
    return operations.LONGEST_WAIT_S if preferred is None else min(preferred, operations.LONGEST_WAIT_S)


class WebhookEndpoints(Controller):
    """The webhooks of the caller's workspace. Only workers connect to them."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_WEBHOOK)
    async def create_webhook(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a webhook."""
        await deps.restoring.require_finished()
        body = read_valid(WebhookBody, await read_request(request, partial(read_valid, WebhookBody)))
        return respond_privately(await create_webhook(deps, workspace_id, body, _wait(request)), 201)

    @serves(operations.LIST_WEBHOOKS)
    async def list_webhooks(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the webhooks."""
        read_query(request)
        async with deps.database.reading() as session:
            rows = await list_endpoints(session, workspace_id)
            waiting = await count_waiting(session, [row.id for row in rows])
        return respond_privately(WebhookListView(webhooks=[view_of_row(row, waiting) for row in rows]))

    @serves(operations.GET_WEBHOOK)
    async def get_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get a webhook."""
        read_query(request)
        return respond_privately(await webhook_view(deps, workspace_id, webhook_id))

    @serves(operations.CHANGE_WEBHOOK)
    async def change_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a webhook."""
        await deps.restoring.require_finished()
        body = read_valid(WebhookChangeBody, await read_request(request, partial(read_valid, WebhookChangeBody)))
        return respond_privately(await change_webhook(deps, workspace_id, webhook_id, body, _wait(request)))

    @serves(operations.DELETE_WEBHOOK)
    async def delete_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a webhook."""
        await deps.restoring.require_finished()
        read_query(request)
        async with deps.database.transaction() as session:
            if not webhook_id.isprintable() or not await delete_endpoint(session, workspace_id, webhook_id):
                raise NotFound(NOT_FOUND)
        return respond_privately(DeletedWebhookView(id=webhook_id, deleted=True))

    @serves(operations.ROTATE_SECRET)
    async def rotate_secret(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Replace the secret of a webhook."""
        await deps.restoring.require_finished()
        body = read_valid(RotateBody, await read_request(request, partial(read_valid, RotateBody)))
        overlap = timedelta(hours=body.overlap_hours)
        return respond_privately(await rotate_webhook(deps, workspace_id, webhook_id, overlap))

    @serves(operations.TEST_WEBHOOK)
    async def test_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Test a webhook."""
        await deps.restoring.require_finished()
        enable = read_query(request).get("enable", "false")
        if enable not in ("true", "false"):
            raise InvalidRequest(Problem("enable must be true or false", "invalid_field_value", "enable"))
        async with deps.database.reading() as session:
            await require_webhook(session, workspace_id, webhook_id)
        deps.webhook_tests.take(workspace_id)
        view = await run_test(deps, workspace_id, webhook_id, _wait(request))
        if enable == "true" and view["outcome"] == "delivered":
            await enable_webhook(deps, workspace_id, webhook_id)
        return respond_privately(view)

    @serves(operations.RECOVER_EVENTS)
    async def recover_events(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Deliver the events that a webhook missed."""
        await deps.restoring.require_finished()
        body = read_valid(RecoverBody, await read_request(request, partial(read_valid, RecoverBody)))
        since, until = read_time_range(body)
        async with deps.database.transaction() as session:
            webhook = await require_webhook(session, workspace_id, webhook_id)
            recovered = await recover(session, webhook, since, until, MOST_WAITING)
        return respond_privately(RecoveredView(recovered=recovered), 202)

    @serves(operations.LIST_DELIVERIES)
    async def list_deliveries(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List what webhooks got."""
        selection, after, limit = read_log_query(request)
        async with deps.database.reading() as session:
            entries = await read_log(session, workspace_id, selection, after, limit + 1)
        page, has_more = entries[:limit], len(entries) > limit
        cursor = write_cursor(page[-1]) if has_more else None
        return respond_privately(
            LogView(deliveries=[delivery_view(entry) for entry in page], cursor=cursor, hasMore=has_more)
        )

    @serves(operations.REDELIVER_EVENTS)
    async def redeliver_events(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Deliver events again."""
        await deps.restoring.require_finished()
        body = read_valid(RedeliverBody, await read_request(request, partial(read_valid, RedeliverBody)))
        ids = list(dict.fromkeys(body.delivery_ids))
        async with deps.database.transaction() as session:
            again = await redeliver(session, workspace_id, ids, datetime.now(UTC))
            if len(again) < len(ids):
                raise NotFound(_NO_DELIVERY)
        return respond_privately(RedeliveredView(deliveryIds=ids), 202)
