"""The bodies and answers of webhooks, and the query of their log."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NotRequired, cast

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from api.events.schemas import EventView
from api.http.moments import read_moment
from api.http.query import NO_CURSOR, decode_cursor, encode_cursor
from api.posts.bodies.schemas import RequestModel
from api.views import HasMore, Moment, NextCursor, ValueOf, described, example, view
from domain.errors import InvalidRequest, Problem
from domain.schedule import rfc3339
from domain.webhooks import (
    EVERY,
    KEPT,
    LONGEST_OVERLAP,
    DeliveryCause,
    DeliveryState,
    DisabledReason,
    EventType,
    WebhookStatus,
)
from platforms.codes import event_data
from store.webhooks.logs import LoggedDelivery, LogPosition

LONGEST_NAME, LONGEST_URL, MOST_REDELIVERED = 100, 2_048, 100
EVENT_NAMES = (EVERY, *(event.value for event in EventType if event is not EventType.WEBHOOK_TEST))
EventName = Annotated[
    str,
    Field(max_length=100),
    WithJsonSchema({"type": "string", "enum": list(EVENT_NAMES), "examples": ["post.published"]}),
]
_URL = f"Where events are sent: an https address on the public internet, at most {LONGEST_URL} characters."
_EVENTS = f"The events that it gets; `{EVERY}` is every event but `post.scheduled`, which an import makes by thousands."
_HOOK = "https://hooks.example.com/socialsyncer"


class WebhookBody(RequestModel):
    """A new endpoint."""

    model_config = ConfigDict(title="CreateWebhook")

    url: str = Field(min_length=1, max_length=LONGEST_URL, description=_URL, examples=[_HOOK])
    events: list[EventName] = Field(
        min_length=1, max_length=50, description=_EVENTS, examples=[["post.published", "post.failed"]]
    )
    name: str | None = Field(None, max_length=LONGEST_NAME, description="A name for people.", examples=["CMS"])
    secret: str | None = Field(None, max_length=100, examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    """A secret of yours: `whsec_` and 24 to 64 bytes in base64. Otherwise one is made."""
    enabled: bool = Field(True, description="Whether it gets events.", examples=[True])


class WebhookChangeBody(RequestModel):
    """Changes of an endpoint; what is left out stays."""

    model_config = ConfigDict(title="ChangeWebhook")

    url: str | None = Field(None, min_length=1, max_length=LONGEST_URL, description=_URL, examples=[_HOOK])
    events: list[EventName] | None = Field(None, min_length=1, max_length=50, description=_EVENTS, examples=[["*"]])
    name: str | None = Field(None, max_length=LONGEST_NAME, description="A name for people.", examples=["CMS"])
    enabled: bool | None = Field(None, examples=[True])
    """False: it gets no events. True: what waits is delivered, and `recover` delivers what it missed."""


class RotateBody(RequestModel):
    """The time in which both secrets are used."""

    model_config = ConfigDict(title="RotateSecret")

    overlap_hours: int = Field(24, ge=0, le=int(LONGEST_OVERLAP.total_seconds() // 3600), examples=[24])
    """For how many hours requests are signed with the older secret, too."""


class RecoverBody(RequestModel):
    """The time whose events are delivered."""

    model_config = ConfigDict(title="RecoverEvents")

    since: str = Field(max_length=40, examples=["2030-12-03T10:00:00Z"])
    """Its beginning, an ISO 8601 date and time; in UTC without an offset."""
    until: str | None = Field(None, max_length=40, examples=["2030-12-03T11:00:00Z"])
    """Its end; now if it is left out."""


class RedeliverBody(RequestModel):
    """The deliveries to repeat."""

    model_config = ConfigDict(title="RedeliverEvents")

    delivery_ids: list[Annotated[str, Field(max_length=100)]] = Field(
        min_length=1, max_length=MOST_REDELIVERED, examples=[["dlv_019bc10f27c07a7d4e9a54c1d9e3f0a1"]]
    )
    """Ids of the log."""


@view("WebhookTest")
class TestView(TypedDict):
    """The outcome of a request that tests an endpoint."""

    outcome: Literal["delivered", "failed", "unchecked"]
    """`unchecked`: no worker has sent it in the time that the request waited; the log has it later."""
    deliveryId: Annotated[str, described("Its entry in the log.", "dlv_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    httpStatus: Annotated[int | None, described("The status that the endpoint answered.", 200)]
    error: Annotated[str | None, described("Why it failed.", "it answered 500")]


@view("Webhook")
class WebhookView(TypedDict):
    """An endpoint, without its secret."""

    id: Annotated[str, described("The endpoint's id.", "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    name: Annotated[str | None, described("A name for people.", "CMS")]
    url: Annotated[str, described("Where events are sent.", _HOOK)]
    events: Annotated[list[str], described("The events that it gets.", ["post.published", "post.failed"])]
    enabled: Annotated[bool, described("Whether it gets events.", True)]
    status: Annotated[Annotated[str, ValueOf(WebhookStatus)], example("active")]
    """`unchecked`: nothing was delivered yet. `failing`: its last request failed; after five in a row only one event at
    a time is sent, to find out whether it works again."""
    disabledReason: Annotated[str, ValueOf(DisabledReason)] | None
    """`request`: a client has switched it off. `gone`: it has answered 410. `failing`: it failed for 5 days."""
    disabledAt: Annotated[Moment | None, described("Since when it gets no events.")]
    failingSince: Annotated[Moment | None, described("Since when every request fails.")]
    lastFailure: Annotated[str | None, described("Why the last one failed.", None)]
    lastDeliveredAt: Annotated[Moment | None, described("When an event was last delivered.")]
    waiting: Annotated[int, described("How many events wait for it; more than 10,000 are not counted.", 0)]
    olderSecretUntil: Annotated[Moment | None, described("Until when the older secret is used beside the new one.")]
    createdAt: Annotated[Moment, described("When it was created.")]
    test: NotRequired[TestView]


@view("NewWebhook")
class NewWebhookView(WebhookView):
    """An endpoint with the secret that the request has made."""

    secret: Annotated[str, example("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    """The secret that signs requests: only in the answer to the request that makes it, and to repeats of it with its
    Idempotency-Key."""


@view("WebhookList")
class WebhookListView(TypedDict):
    """All endpoints of the workspace."""

    webhooks: Annotated[list[WebhookView], described("The oldest first.")]


@view("DeletedWebhook")
class DeletedWebhookView(TypedDict):
    """An endpoint that was deleted."""

    id: Annotated[str, described("The endpoint's id.", "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    deleted: Annotated[Literal[True], described("It gets nothing any more.", True)]


@view("DeliveryAttempt")
class AttemptView(TypedDict):
    """A request to an endpoint."""

    at: Annotated[Moment, described("When it was sent.")]
    ms: Annotated[int, described("Milliseconds until the answer.", 120)]
    httpStatus: Annotated[int | None, described("The status of the answer.", 200)]
    error: Annotated[str | None, described("Why it failed.", None)]
    response: Annotated[str | None, described("The beginning of the answer, at most 4 KiB.", "ok")]


@view("Delivery")
class DeliveryView(TypedDict):
    """An event for an endpoint."""

    id: Annotated[str, described("The id of the delivery.", "dlv_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    webhookId: Annotated[str, described("The endpoint.", "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    status: Annotated[Annotated[str, ValueOf(DeliveryState)], example("delivered")]
    """`exhausted`: its ten attempts are over. `dropped`: more than 100,000 events waited. Both can be delivered
    again."""
    cause: Annotated[Annotated[str, ValueOf(DeliveryCause)], described("Why it is delivered.", "event")]
    nextAttemptAt: Moment | None
    """When it is sent next by its schedule; later if the endpoint fails."""
    event: EventView
    attempts: Annotated[list[AttemptView], described("The requests, the first one first.")]


@view("DeliveryLog")
class LogView(TypedDict):
    """One page of the log."""

    deliveries: Annotated[list[DeliveryView], described("Those of the newest events first.")]
    cursor: NextCursor
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("Redelivered")
class RedeliveredView(TypedDict):
    """The deliveries that are repeated."""

    deliveryIds: Annotated[list[str], example(["dlv_019bc10f27c07a7d4e9a54c1d9e3f0a1"])]
    """The deliveries that wait now."""


@view("Recovered")
class RecoveredView(TypedDict):
    """The effect of a recovery."""

    recovered: Annotated[int, example(312)]
    """How many events are delivered now; at most 100,000. Those that were delivered are not."""


def write_cursor(logged: LoggedDelivery) -> str:
    """Return the cursor behind a delivery."""
    return encode_cursor({"e": logged.delivery.event_id, "w": logged.delivery.webhook_id})


def read_cursor(text: str) -> LogPosition:
    """Return the place that a cursor names. Raises ValueError."""
    content = decode_cursor(text)
    event_id, webhook_id = content.get("e"), content.get("w")
    for part in (event_id, webhook_id):
        if not isinstance(part, str) or not part.isprintable():
            raise ValueError(NO_CURSOR)
    return LogPosition(cast("str", event_id), cast("str", webhook_id))


def read_time_range(body: RecoverBody) -> tuple[datetime, datetime]:
    """Return the time whose events are to be recovered. Raises InvalidRequest."""
    now = datetime.now(UTC)
    problems: list[Problem] = []
    # A webhook has no zone.
    begin = read_moment("since", body.since, "UTC", problems)
    end = None if body.until is None else read_moment("until", body.until, "UTC", problems)
    since, until = begin.instant if begin else None, end.instant if end else now
    if since and since < now - KEPT:
        problems.append(Problem(f"since may be at most {KEPT.days} days ago", "invalid_field_value", "since"))
    if since and since >= until:
        problems.append(Problem("since must be before until", "invalid_field_value", "since"))
    if problems or since is None:
        raise InvalidRequest(problems)
    return since, until


def delivery_view(logged: LoggedDelivery) -> DeliveryView:
    """Return a delivery as clients read it."""
    delivery, event = logged.delivery, logged.event
    is_waiting = delivery.state == DeliveryState.WAITING
    return DeliveryView(
        id=delivery.id,
        webhookId=delivery.webhook_id,
        status=delivery.state,
        cause=delivery.cause,
        nextAttemptAt=rfc3339(delivery.next_at) if is_waiting else None,
        event=EventView(id=event.id, event=event.type, timestamp=rfc3339(event.at), data=event_data(event.data)),
        attempts=[
            AttemptView(
                at=rfc3339(attempt.at),
                ms=attempt.ms,
                httpStatus=attempt.http_status,
                error=attempt.error,
                response=attempt.response,
            )
            for attempt in logged.attempts
        ],
    )
