"""The operations on webhooks, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Json, Operation
from api.http.parameters import KEY, cursor, prefer_wait, query
from api.http.query import MAX_LIMIT
from api.webhooks.schemas import (
    DeletedWebhookView,
    LogView,
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
)
from domain.events import EventType
from domain.webhooks import MOST_ENDPOINTS, DeliveryState

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
_ERRORS = ("wrongEvent", *WITH_BODY)

CREATE_WEBHOOK = Operation(
    route="POST /v1/webhooks/settings",
    description=(
        "Events are sent to `url` from now on, signed with `secret`, which only this request is answered. A "
        "`webhook.test` is sent at once, and its outcome is in `test`; the endpoint is created in any case. A "
        f"workspace may have {MOST_ENDPOINTS} endpoints."
    ),
    answer=WebhookView,
    errors=(*_ERRORS, "tooManyWebhooks", "keyReused", "webhookDeletedSince", "secretOfOtherKey"),
    status=201,
    body=WebhookBody,
    parameters=(_KEY_OF_SECRET, _PREFER),
)
LIST_WEBHOOKS = Operation(
    route="GET /v1/webhooks/settings",
    description="All endpoints of the workspace, the oldest first, without their secrets.",
    answer=WebhookListView,
    errors=("unknownQuery",),
)
GET_WEBHOOK = Operation(
    route="GET /v1/webhooks/settings/{webhookId}",
    description="With how many events wait, and since when it fails.",
    answer=WebhookView,
    errors=("unknownQuery", "webhookNotFound"),
)
CHANGE_WEBHOOK = Operation(
    route="PATCH /v1/webhooks/settings/{webhookId}",
    description=(
        "A new `url` is tested at once. `enabled: true` delivers what waits, with a clean record; `recover` delivers "
        "the events of the time in which it was off."
    ),
    answer=WebhookView,
    errors=(*_ERRORS, "webhookNotFound"),
    body=WebhookChangeBody,
    parameters=(_PREFER,),
)
DELETE_WEBHOOK = Operation(
    route="DELETE /v1/webhooks/settings/{webhookId}",
    description="Nothing is sent to it any more, except requests that have begun.",
    answer=DeletedWebhookView,
    errors=("unknownQuery", "webhookNotFound"),
)
ROTATE_SECRET = Operation(
    route="POST /v1/webhooks/settings/{webhookId}/rotate",
    description=(
        "Only this request is answered the new secret. Until the overlap ends, `webhook-signature` has a signature "
        "by each, and `X-SocialSyncerAPI-Signature` stays with the older one."
    ),
    answer=WebhookView,
    errors=(*WITH_BODY, "webhookNotFound", "keyReused", "secretOfOtherKey"),
    body=RotateBody,
    body_required=False,
    parameters=(_KEY_OF_SECRET,),
)
TEST_WEBHOOK = Operation(
    route="POST /v1/webhooks/settings/{webhookId}/test",
    description=(
        "Sends a `webhook.test`, also to an endpoint that is off or fails. With `enable`, an endpoint that takes it is "
        "switched on."
    ),
    answer=TestView,
    errors=("unknownQuery", "webhookNotFound", "keyReused"),
    parameters=(
        _KEY_OF_CHANGE,
        query("enable", "Whether to switch the endpoint on if it takes the test.", {"type": "boolean"}, True),
        _PREFER,
    ),
)
RECOVER_EVENTS = Operation(
    route="POST /v1/webhooks/settings/{webhookId}/recover",
    description=(
        "Delivers the events of a time that the endpoint did not get: because it was off, because its attempts were "
        "over, or because it did not exist yet. Each is delivered once; those that were delivered are not."
    ),
    answer=RecoveredView,
    errors=("wrongTime", *WITH_BODY, "webhookNotFound", "keyReused"),
    status=202,
    body=RecoverBody,
    parameters=(_KEY_OF_CHANGE,),
)
LIST_DELIVERIES = Operation(
    route="GET /v1/webhooks/logs",
    description="What endpoints got and did not get in the last 30 days, with each request and its answer.",
    answer=LogView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=(
        query("webhookId", "Only to this endpoint.", {"type": "string"}, "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        query(
            "status",
            "Only deliveries in this state.",
            {"type": "string", "enum": list(DeliveryState)},
            DeliveryState.EXHAUSTED.value,
        ),
        query("event", "Only of this event.", {"type": "string", "enum": list(EventType)}, "post.published"),
        query("eventId", "Only of the event with this id.", {"type": "string"}, "evt_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        query("postId", "Only events of this post.", {"type": "string"}, "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        query(
            "limit",
            "The most deliveries to return.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 20},
            20,
        ),
        cursor(),
    ),
)
REDELIVER_EVENTS = Operation(
    route="POST /v1/webhooks/logs/redeliver",
    description="Delivers events again, with all their attempts; also those that were delivered.",
    answer=RedeliveredView,
    errors=(*WITH_BODY, "deliveryNotFound", "keyReused"),
    status=202,
    body=RedeliverBody,
    parameters=(_KEY_OF_CHANGE,),
)
