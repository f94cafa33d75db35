"""The endpoints under /v1/webhooks."""

from datetime import UTC, datetime, timedelta
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import AUTHENTICATED, WorkspaceId
from api.dependencies import Deps
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, idempotency_key, preferred_wait
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_body, read_keyed_request
from api.posts.answers.response import respond_privately
from api.webhooks import operations
from api.webhooks.actions import (
    NOT_FOUND,
    change_webhook,
    create_webhook,
    require_webhook,
    rotate_webhook,
    test_webhook,
    view_of_row,
    webhook_view,
)
from api.webhooks.log import delivery_view, read_log_query, read_time_range, write_cursor
from api.webhooks.repeats import WebhookRequest
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
from domain.ids import new_id
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
        payload, key = await read_keyed_request(request, partial(read_valid, WebhookBody))
        body = read_valid(WebhookBody, payload)
        keyed = WebhookRequest.from_route(deps, workspace_id, request, payload, key, "POST /v1/webhooks/settings")
        view, done = await create_webhook(keyed, body, _wait(request))
        return respond_privately(view, 201, replayed=done.is_replay)

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
        body = await read_body(request, WebhookChangeBody)
        return respond_privately(await change_webhook(deps, workspace_id, webhook_id, body, _wait(request)))

    @serves(operations.DELETE_WEBHOOK)
    async def delete_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a webhook."""
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
        payload, key = await read_keyed_request(request, partial(read_valid, RotateBody))
        overlap = timedelta(hours=read_valid(RotateBody, payload).overlap_hours)
        route = f"POST /v1/webhooks/settings/{webhook_id}/rotate"
        keyed = WebhookRequest.from_route(deps, workspace_id, request, payload, key, route)
        view, done = await rotate_webhook(keyed, webhook_id, overlap)
        return respond_privately(view, replayed=done.is_replay)

    @serves(operations.TEST_WEBHOOK)
    async def test_webhook(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Test a webhook."""
        enable = read_query(request).get("enable", "false")
        if enable not in ("true", "false"):
            raise InvalidRequest(Problem("enable must be true or false", "invalid_field_value", "enable"))
        route = f"POST /v1/webhooks/settings/{webhook_id}/test?enable={enable}"
        keyed = WebhookRequest.from_route(deps, workspace_id, request, {}, idempotency_key(request), route)
        view, done = await test_webhook(keyed, webhook_id, _wait(request), enables=enable == "true")
        return respond_privately(view, replayed=done.is_replay)

    @serves(operations.RECOVER_EVENTS)
    async def recover_events(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Deliver the events that a webhook missed."""
        payload, key = await read_keyed_request(request, partial(read_valid, RecoverBody))
        since, until = read_time_range(read_valid(RecoverBody, payload))

        async def change(session: AsyncSession) -> JsonObject:
            webhook = await require_webhook(session, workspace_id, webhook_id)
            return {"recovered": await recover(session, webhook, since, until, MOST_WAITING)}

        route = f"POST /v1/webhooks/settings/{webhook_id}/recover"
        keyed = WebhookRequest.from_route(deps, workspace_id, request, payload, key, route)
        done = await keyed.do_once(webhook_id, change)
        return respond_privately(RecoveredView(recovered=done.result["recovered"]), 202, replayed=done.is_replay)

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
        payload, key = await read_keyed_request(request, partial(read_valid, RedeliverBody))
        ids = list(dict.fromkeys(read_valid(RedeliverBody, payload).delivery_ids))

        async def change(session: AsyncSession) -> JsonObject:
            if len(await redeliver(session, workspace_id, ids, datetime.now(UTC))) < len(ids):
                raise NotFound(_NO_DELIVERY)
            return {}

        route = "POST /v1/webhooks/logs/redeliver"
        keyed = WebhookRequest.from_route(deps, workspace_id, request, payload, key, route)
        done = await keyed.do_once(new_id("op"), change)
        return respond_privately(RedeliveredView(deliveryIds=ids), 202, replayed=done.is_replay)
