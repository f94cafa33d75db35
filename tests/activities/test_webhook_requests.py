"""Requests to endpoints: bounded in time and size, without redirects, and to public addresses only."""

import asyncio
import json
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from activities import webhook_requests
from activities.webhook_requests import NoConnection, WebhookSender
from domain.webhooks import LARGEST_RESPONSE, Answer, new_secret
from platforms.http import shared_transport
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from store.models import Event
from tests.activities.receivers import Behave, Receiver, answer, drip, drop, flood, hang, receiving

SECRET = new_secret()
DATA = {"postId": "post_1", "platform": "twitter", "status": "published"}
EVENT = Event(id="evt_1", type="post.published", at=datetime(2030, 12, 3, 10, tzinfo=UTC), data=DATA)


@asynccontextmanager
async def sender(*allowed: str, names: Any = None) -> AsyncIterator[WebhookSender]:
    async with GuardedTransport(AllowedHosts(allowed), names=names) as transport:
        webhooks = WebhookSender(transport)
        try:
            yield webhooks
        finally:
            await webhooks.close()


async def sent(behave: Behave) -> tuple[Answer, Receiver]:
    async with receiving(behave) as receiver, sender(receiver.host) as webhooks:
        return await webhooks.send("ws_1", receiver.url, EVENT, [SECRET], {"X-SocialSyncerAPI-Attempt": "1"}), receiver


async def test_a_request_has_the_event_and_its_signatures() -> None:
    result, receiver = await sent(answer(204, b""))
    assert (result.is_delivered, result.http_status) == (True, 204)
    (request,) = receiver.requests
    Webhook(SECRET).verify(request.body, request.headers)
    assert json.loads(request.body) == {
        "id": "evt_1",
        "event": "post.published",
        "timestamp": "2030-12-03T10:00:00Z",
        "data": DATA,
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "SocialSyncerAPI-Webhooks/1"
    assert request.headers["x-socialsyncerapi-attempt"] == "1"
    assert request.headers["webhook-id"] == "evt_1"


@pytest.mark.parametrize(
    ("behave", "status", "error"),
    [
        (answer(500), 500, "it answered 500"),
        (answer(410), 410, "it answered 410"),
        (answer(302, b"", Location="http://127.0.0.1/"), 302, "it answered 302: redirects are not followed"),
        (drop, None, "the connection ended before it had answered"),
    ],
)
async def test_an_answer_that_is_none_of_success_is_a_failure(behave: Behave, status: int | None, error: str) -> None:
    result, receiver = await sent(behave)
    assert (result.http_status, result.error, result.is_gone) == (status, error, status == 410)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("behave", [hang, drip])
async def test_an_endpoint_has_a_limited_time(behave: Behave, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_requests, "ANSWER_WITHIN_S", 0.5)
    began = time.monotonic()
    result, _ = await sent(behave)
    assert (result.http_status, result.error) == (None, "no answer within 15 s")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("ends", [True, False])
async def test_a_status_counts_although_the_body_never_ends(ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event was taken: another attempt would deliver it twice."""
    monkeypatch.setattr(webhook_requests, "ANSWER_WITHIN_S", 0.5)

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(0.1 if ends else 60)
        # Closing resets the connection now.
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    result, _ = await sent(behave)
    assert (result.http_status, result.error, result.response) == (200, None, "ok")


async def test_of_a_large_answer_only_the_beginning_is_read() -> None:
    tracemalloc.start()
    began = time.monotonic()
    result, _ = await sent(flood)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.is_delivered
    assert len(result.response or "") == LARGEST_RESPONSE
    assert time.monotonic() - began < 5
    # The receiver, in this process, writes 1 MiB at a time.
    assert peak < 16 * 2**20


async def test_the_answer_is_kept_as_text() -> None:
    result, _ = await sent(answer(400, b"no\0pe \xff"))
    assert result.response == "no\N{REPLACEMENT CHARACTER}pe \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("120", 120, 120),
        ("Tue, 01 Jan 2019 00:00:00 GMT", 0, 0),
        ("9" * 40, 10**6, 10**6),
    ],
)
async def test_retry_after_is_read(text: str, least: int, most: int) -> None:
    result, _ = await sent(answer(429, Retry_After=text))
    assert result.retry_after is not None
    assert least <= result.retry_after.total_seconds() <= most


async def test_retry_after_may_be_a_date() -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    result, _ = await sent(answer(503, Retry_After=at.strftime("%a, %d %b %Y %H:%M:%S GMT")))
    assert result.retry_after is not None
    assert timedelta(minutes=58) < result.retry_after <= timedelta(hours=1)


@pytest.mark.parametrize("text", ["soon", "-5", "1.5"])
async def test_a_retry_after_that_cannot_be_read_counts_as_none(text: str) -> None:
    result, _ = await sent(answer(429, Retry_After=text))
    assert result.retry_after is None


async def test_an_address_that_is_private_is_not_called() -> None:
    async with receiving() as receiver, sender() as webhooks:
        result = await webhooks.send("ws_1", receiver.url, EVENT, [SECRET], {})
    assert (result.error, receiver.requests) == ("its address is not on the public internet", [])


@pytest.mark.parametrize("url", ["https://xn--/", "https://xn--a.example.com/", "https://[::1", "file:///etc/passwd"])
async def test_an_address_that_cannot_be_read_is_a_failure_of_the_endpoint(url: str) -> None:
    async with sender() as webhooks:
        result = await webhooks.send("ws_1", url, EVENT, [SECRET], {})
    assert (result.is_delivered, result.http_status) == (False, None)


async def test_a_name_that_becomes_private_is_not_called() -> None:
    class Names:
        """A resolver whose name is public first, and then this machine."""

        answers: Sequence[str] = ("192.0.2.1",)

        async def resolve(self, _host: str) -> Sequence[str]:
            answers, self.answers = self.answers, ("127.0.0.1",)
            return answers

        def forget(self, _host: str) -> None:
            pass

    async with receiving() as receiver, sender(names=Names()) as webhooks:
        url = f"http://rebinding.test:{receiver.port}/hook"
        for _ in range(2):
            result = await webhooks.send("ws_1", url, EVENT, [SECRET], {})
            assert result.error == "its address is not on the public internet"
    assert receiver.requests == []


async def test_endpoints_that_hang_leave_connections_to_other_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no connection was not sent: it is no failure of its endpoint."""
    monkeypatch.setattr(webhook_requests, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(shared_transport, "_TIMEOUT_S", 0.1)
    async with receiving(hang) as dead, receiving() as healthy, sender(dead.host, healthy.host) as webhooks:
        hanging = [asyncio.create_task(webhooks.send("ws_1", dead.url, EVENT, [SECRET], {})) for _ in range(120)]
        while len(dead.requests) < 20:  # noqa: ASYNC110 the receiver has no event
            await asyncio.sleep(0.01)
        assert (await webhooks.send("ws_2", healthy.url, EVENT, [SECRET], {})).is_delivered
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    unsent = [outcome for outcome in outcomes if isinstance(outcome, NoConnection)]
    assert len(unsent) + len(dead.requests) == 120
    assert len(dead.requests) <= shared_transport.MOST_REQUESTS // 2
