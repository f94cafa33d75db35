"""The endpoints under /v1/webhooks."""

from datetime import UTC, datetime, timedelta
from functools import partial

from litestar import Controller, Response
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import AUTHENTICATED, WorkspaceId, request_key
from api.dependencies import Dependencies, Deps
from api.endpoint import Endpoint
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, idempotency_key, preferred_wait
from api.http.operation import Json, Operation
from api.http.parameters import KEY, cursor, limit, prefer_wait, query
from api.http.query import Query
from api.http.request import M
from api.posts.once import key_of_request, read_once
from api.views import respond_privately
from api.webhooks.actions import (
    NOT_FOUND,
    WebhookRequest,
    change_webhook,
    create_webhook,
    require_webhook,
    rotate_webhook,
    test_webhook,
    view_of_row,
    webhook_view,
)
from api.webhooks.schemas import (
    DeletedWebhookView,
    LogView,
    NewWebhookView,
    RecoverBody,
    RecoveredView,
    RedeliverBody,
    RedeliveredView,
    RotateBody,
    TestView,
    WebhookBody,
    WebhookChangeBody,
    WebhookListView,
    WebhookView,
    delivery_view,
    read_cursor,
    read_time_range,
    write_cursor,
)
from domain.errors import NotFound, Problem
from domain.ids import new_id
from domain.webhooks import MOST_ENDPOINTS, MOST_WAITING, DeliveryState, EventType
from store.webhooks.endpoints import count_waiting, delete_endpoint, list_endpoints
from store.webhooks.logs import LogFilter, read_log, recover, redeliver

LONGEST_WAIT_S = 10
"""How long an answer waits, by default and at most, for the test of an endpoint."""
_PREFER = prefer_wait("the test", default=LONGEST_WAIT_S, most=LONGEST_WAIT_S)
_KEY_OF_SECRET: Json = {
    **KEY,
    "description": (
        "Makes a repeat safe for 24 hours: the same key with the same path and body changes nothing more. The answer "
        "is the webhook as it is now, with the same secret. Send the repeat with the same API key: the API cannot read "
        "secrets, and makes this one of the API key again."
    ),
}
_KEY_OF_CHANGE: Json = {
    **KEY,
    "description": "Makes a repeat safe for 24 hours: the same key with the same path and body changes nothing more.",
}
_ERRORS = ("wrongEvent",)

_NO_DELIVERY = Problem("There is no such delivery", "not_found", "deliveryIds")


def _wait(request: HttpRequest) -> float:
    preferred = preferred_wait(request)
    return LONGEST_WAIT_S if preferred is None else min(preferred, LONGEST_WAIT_S)


async def _read(
    request: HttpRequest, workspace_id: str, deps: Dependencies, model: type[M]
) -> tuple[M, WebhookRequest]:
    body, use = await read_once(request, workspace_id, partial(read_valid, model))
    return body, WebhookRequest(deps, workspace_id, request_key(request), use)


class WebhookEndpoints(Controller):
    """The webhooks of the caller's workspace. Only workers connect to them."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/webhooks/settings",
        description=(
            "Events are sent to `url` from now on, signed with `secret`, which only this request is answered. A "
            "`webhook.test` is sent at once, and its outcome is in `test`; the endpoint is created in any case. A "
            f"workspace may have {MOST_ENDPOINTS} endpoints."
        ),
        answer=NewWebhookView,
        errors=(*_ERRORS, "tooManyWebhooks", "webhookDeletedSince", "secretOfOtherKey"),
        status=201,
        body=WebhookBody,
        parameters=(_KEY_OF_SECRET, _PREFER),
    )
    async def create_webhook(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a webhook."""
        body, keyed = await _read(request, workspace_id, deps, WebhookBody)
        view, done = await create_webhook(keyed, body, _wait(request))
        return respond_privately(view, 201, replayed=done.is_replay)

    @Endpoint(
        route="GET /v1/webhooks/settings",
    )
    async def list_webhooks(self, workspace_id: str, deps: Dependencies) -> WebhookListView:
        """List the webhooks.

        All endpoints of the workspace, the oldest first, without their secrets.
        """
        async with deps.database.reading() as session:
            rows = await list_endpoints(session, workspace_id)
            waiting = await count_waiting(session, [row.id for row in rows])
        return WebhookListView(webhooks=[view_of_row(row, waiting) for row in rows])

    @Endpoint(route="GET /v1/webhooks/settings/{webhookId}", errors=("webhookNotFound",))
    async def get_webhook(self, webhook_id: str, workspace_id: str, deps: Dependencies) -> WebhookView:
        """Get a webhook.

        With how many events wait, and since when it fails.
        """
        return await webhook_view(deps, workspace_id, webhook_id)

    @Endpoint(
        route="PATCH /v1/webhooks/settings/{webhookId}",
        errors=(*_ERRORS, "webhookNotFound"),
        parameters=(_PREFER,),
    )
    async def change_webhook(
        self, request: HttpRequest, webhook_id: str, body: WebhookChangeBody, workspace_id: str, deps: Dependencies
    ) -> WebhookView:
        """Change a webhook.

        A new `url` is tested at once. `enabled: true` delivers what waits, with a clean record; `recover` delivers the
        events of the time in which it was off.
        """
        return await change_webhook(deps, workspace_id, webhook_id, body, _wait(request))

    @Endpoint(route="DELETE /v1/webhooks/settings/{webhookId}", errors=("webhookNotFound",))
    async def delete_webhook(self, webhook_id: str, workspace_id: str, deps: Dependencies) -> DeletedWebhookView:
        """Delete a webhook.

        Nothing is sent to it any more, except requests that have begun.
        """
        async with deps.database.transaction() as session:
            if not webhook_id.isprintable() or not await delete_endpoint(session, workspace_id, webhook_id):
                raise NotFound(NOT_FOUND)
        return DeletedWebhookView(id=webhook_id, deleted=True)

    @Operation(
        route="POST /v1/webhooks/settings/{webhookId}/rotate",
        answer=NewWebhookView,
        errors=("webhookNotFound", "secretOfOtherKey"),
        body=RotateBody,
        body_required=False,
        parameters=(_KEY_OF_SECRET,),
    )
    async def rotate_secret(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Replace the secret of a webhook.

        Only this request is answered the new secret. Until the overlap ends, `webhook-signature` has a signature by
        each, and `X-SocialSyncerAPI-Signature` stays with the older one.
        """
        body, keyed = await _read(request, workspace_id, deps, RotateBody)
        view, done = await rotate_webhook(keyed, webhook_id, timedelta(hours=body.overlap_hours))
        return respond_privately(view, replayed=done.is_replay)

    @Endpoint(
        route="POST /v1/webhooks/settings/{webhookId}/test",
        answer=TestView,
        errors=("webhookNotFound",),
        parameters=(
            _KEY_OF_CHANGE,
            query("enable", "Whether to switch the endpoint on if it takes the test.", {"type": "boolean"}, True),
            _PREFER,
        ),
    )
    async def test_webhook(
        self, request: HttpRequest, query: Query, webhook_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Test a webhook.

        Sends a `webhook.test`, also to an endpoint that is off or fails. With `enable`, an endpoint that takes it is
        switched on.
        """
        enable = bool(query["enable"])
        # With another choice it is another request.
        use = key_of_request(request, workspace_id, idempotency_key(request), {"enable": enable})
        keyed = WebhookRequest(deps, workspace_id, request_key(request), use)
        view, done = await test_webhook(keyed, webhook_id, _wait(request), enables=enable)
        return respond_privately(view, replayed=done.is_replay)

    @Operation(
        route="POST /v1/webhooks/settings/{webhookId}/recover",
        answer=RecoveredView,
        errors=("wrongTime", "webhookNotFound"),
        status=202,
        body=RecoverBody,
        parameters=(_KEY_OF_CHANGE,),
    )
    async def recover_events(
        self, request: HttpRequest, webhook_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Deliver the events that a webhook missed.

        Delivers the events of a time that the endpoint did not get: because it was off, because its attempts were over,
        or because it did not exist yet. Each is delivered once; those that were delivered are not.
        """
        body, keyed = await _read(request, workspace_id, deps, RecoverBody)
        since, until = read_time_range(body)

        async def change(session: AsyncSession) -> JsonObject:
            webhook = await require_webhook(session, workspace_id, webhook_id)
            return {"recovered": await recover(session, webhook, since, until, MOST_WAITING)}

        done = await keyed.do_once(webhook_id, change)
        return respond_privately(RecoveredView(recovered=done.result["recovered"]), 202, replayed=done.is_replay)

    @Endpoint(
        route="GET /v1/webhooks/logs",
        errors=("wrongQuery",),
        parameters=(
            query("webhookId", "Only to this endpoint.", {"type": "string"}, "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
            query(
                "status",
                "Only deliveries in this state.",
                {"type": "string", "enum": list(DeliveryState)},
                DeliveryState.EXHAUSTED.value,
            ),
            query("event", "Only of this event.", {"type": "string", "enum": list(EventType)}, "post.published"),
            query(
                "eventId", "Only of the event with this id.", {"type": "string"}, "evt_019bc10f27c07a7d4e9a54c1d9e3f0a1"
            ),
            query("postId", "Only events of this post.", {"type": "string"}, "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
            limit("deliveries", default=20),
            cursor(),
        ),
        readers={"cursor": read_cursor},
    )
    async def list_deliveries(self, query: Query, workspace_id: str, deps: Dependencies) -> LogView:
        """List what webhooks got.

        The deliveries of the last 30 days, also those that failed, with each request and its response.
        """
        most, names = query["limit"], ("webhookId", "status", "event", "eventId", "postId")
        selection = LogFilter(*(query[name] for name in names))
        async with deps.database.reading() as session:
            entries = await read_log(session, workspace_id, selection, query["cursor"], most + 1)
        page, has_more = entries[:most], len(entries) > most
        next_cursor = write_cursor(page[-1]) if has_more else None
        return LogView(deliveries=[delivery_view(entry) for entry in page], cursor=next_cursor, hasMore=has_more)

    @Operation(
        route="POST /v1/webhooks/logs/redeliver",
        answer=RedeliveredView,
        errors=("deliveryNotFound",),
        status=202,
        body=RedeliverBody,
        parameters=(_KEY_OF_CHANGE,),
    )
    async def redeliver_events(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Deliver events again.

        Delivers events again, with all their attempts; also those that were delivered.
        """
        body, keyed = await _read(request, workspace_id, deps, RedeliverBody)
        ids = list(dict.fromkeys(body.delivery_ids))

        async def change(session: AsyncSession) -> JsonObject:
            if len(await redeliver(session, workspace_id, ids, datetime.now(UTC))) < len(ids):
                raise NotFound(_NO_DELIVERY)
            return {}

        done = await keyed.do_once(new_id("op"), change)
        return respond_privately(RedeliveredView(deliveryIds=ids), 202, replayed=done.is_replay)
