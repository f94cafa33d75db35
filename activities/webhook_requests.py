"""The request that delivers an event to an endpoint: signed, bounded, and to public addresses only."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from domain.schedule import rfc3339
from domain.shares import Exhausted, Shares
from domain.webhooks import ANSWER_WITHIN_S, LARGEST_RESPONSE, Answer, sign
from platforms.codes import event_data
from platforms.http.addresses import parse_url
from platforms.http.guard import AddressForbidden, PortForbidden
from platforms.http.shared_transport import MOST_REQUESTS, wait_for_share
from store.models import Event

_USER_AGENT = "SocialSyncerAPI-Webhooks/1"
_TIMEOUTS = httpx.Timeout(ANSWER_WITHIN_S).as_dict()
_FAILURES: Sequence[tuple[type[Exception], str]] = (
    (PortForbidden, "its port is not called: only 80, 443, and 1024 and above"),
    (AddressForbidden, "its address is not on the public internet"),
    (TimeoutError, f"no answer within {ANSWER_WITHIN_S:g} s"),
    (httpx.TimeoutException, f"no answer within {ANSWER_WITHIN_S:g} s"),
    (httpx.ConnectError, "no connection to it can be made"),
    (httpx.HTTPError, "the connection ended before it had answered"),
    (httpx.InvalidURL, "its address cannot be read"),
)


def write_body(event: Event) -> bytes:
    """Return the body of an event: the same for each attempt and each endpoint."""
    body = {"id": event.id, "event": event.type, "timestamp": rfc3339(event.at), "data": event_data(event.data)}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


class NoConnection(Exception):
    """Error: endpoints of the workspace that are slow have its share of the connections. Nothing was sent."""


class WebhookSender:
    """A sender of events to endpoints, over guarded connections, of which each workspace has a share."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        # No client: its redirects, cookies and logs are not wanted, and cost more than all the rest of a request.
        self._transport = transport
        self._connections = Shares(MOST_REQUESTS)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def send(
        self, workspace_id: str, url: str, event: Event, secrets: Sequence[str], headers: dict[str, str]
    ) -> Answer:
        """Send an event and return the answer, or why there was none. Redirects are not followed.

        Raises NoConnection.
        """
        try:
            connection = await wait_for_share(self._connections, workspace_id)
        except Exhausted as error:
            raise NoConnection from error
        with connection:
            return await self._exchange(workspace_id, url, event, secrets, headers)

    async def _exchange(
        self, workspace_id: str, url: str, event: Event, secrets: Sequence[str], headers: dict[str, str]
    ) -> Answer:
        body, began = write_body(event), time.monotonic()
        signed = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            **sign(secrets, event.id, datetime.now(UTC), body),
            **headers,
        }
        try:
            request = httpx.Request(
                *("POST", parse_url(url)),
                content=body,
                headers=signed,
                extensions={"workspace": workspace_id, "timeout": _TIMEOUTS},
            )
            deadline = asyncio.get_running_loop().time() + ANSWER_WITHIN_S
            async with asyncio.timeout_at(deadline):
                response = await self._transport.handle_async_request(request)
            try:
                beginning = await _beginning(response, deadline)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Answer(_since(began), None, next(text for kind, text in _FAILURES if isinstance(error, kind)))
        status = response.status_code
        error_text = None if response.is_success else _why(status)
        return Answer(_since(began), status, error_text, beginning, _retry_after(response.headers.get("retry-after")))


async def _beginning(response: httpx.Response, deadline: float) -> str:
    """Return the beginning of an answer as text; the rest of a long answer is not read."""
    raw = b""
    # However the body ends: its status has arrived, so the event has, too.
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) >= LARGEST_RESPONSE:
                    break
    return raw[:LARGEST_RESPONSE].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}: redirects are not followed"
    return f"it answered {status}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _retry_after(text: str | None) -> timedelta | None:
    """Return what Retry-After says: seconds, or a date."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**6))
    try:
        return max(parsedate_to_datetime(text) - datetime.now(UTC), timedelta(0))
    except (TypeError, ValueError, OverflowError):
        return None
