"""The log of deliveries, and its query."""

from datetime import UTC, datetime
from functools import partial
from typing import cast

from api.events.schemas import EventView
from api.http.cursors import NO_CURSOR, decode_cursor, encode_cursor
from api.http.headers import HttpRequest
from api.http.moments import read_moment
from api.http.query import convert_parameter, parse_choice, parse_limit, parse_query
from api.webhooks.schemas import AttemptView, DeliveryView, RecoverBody
from domain.errors import InvalidRequest, Problem
from domain.schedule import rfc3339
from domain.webhooks import KEPT, DeliveryState, EventType
from platforms.codes import event_data
from store.webhooks.logs import LogFilter, LoggedDelivery, LogPosition

DEFAULT_LIMIT = 20


def read_log_query(request: HttpRequest) -> tuple[LogFilter, LogPosition | None, int]:
    """Return the deliveries that a request asks for, where they begin, and how many. Raises InvalidRequest."""
    query, problems = parse_query(request)
    limit = convert_parameter(query, problems, "limit", parse_limit)
    after = convert_parameter(query, problems, "cursor", _read_cursor)
    state = convert_parameter(query, problems, "status", partial(parse_choice, DeliveryState))
    event = convert_parameter(query, problems, "event", partial(parse_choice, EventType))
    if problems:
        raise InvalidRequest(problems)
    selection = LogFilter(query.get("webhookId"), state, event, query.get("eventId"), query.get("postId"))
    return selection, after, limit or DEFAULT_LIMIT


def write_cursor(logged: LoggedDelivery) -> str:
    """Return the cursor behind a delivery."""
    return encode_cursor({"e": logged.delivery.event_id, "w": logged.delivery.webhook_id})


def _read_cursor(text: str) -> LogPosition:
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
