"""The Python client repeats what is safe, reports each error by one exception, and reads answers of other versions."""

import base64
import json
import socket
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.clients.building import ROOT
from tests.clients.prepared import KEY, BrokenStream, Server, answered, client, error, post

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400), pytest.mark.usefixtures("client_package", "waits")]

DRAFT = {"content": "x"}
TIMES = {"createdAt": "2030-01-01T00:00:00Z", "updatedAt": "2030-01-01T00:00:00Z"}
CAMPAIGN = {"id": "cmp_1", "name": "Spring", "status": "active", "version": 1, **TIMES}
IMPORTED = httpx.Response(200, json={"id": "imp_1", "total": 1, "updated": 1, "results": [], "warnings": [], **TIMES})


def test_a_post_is_created_once_whatever_happens_to_the_answers(waits: list[float]) -> None:
    server = Server(httpx.ConnectError("x"), error(503), httpx.Response(201, stream=BrokenStream()), answered(201))
    assert client(server).create_post(DRAFT).id == "post_1"
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1
    assert server.keys[0]
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert server.requests[0].headers["User-Agent"].startswith("socialsyncer-client-python/")
    assert [0.25 * 2**attempt <= wait <= 0.75 * 2**attempt for attempt, wait in enumerate(waits)] == [True] * 3


def test_a_key_of_the_caller_is_used_and_each_call_has_another() -> None:
    server = Server(answered(), answered(), answered())
    with client(server) as api:
        api.create_post(DRAFT, idempotency_key="mine")
        api.create_post(DRAFT)
        api.create_post(DRAFT)
    assert server.keys[0] == "mine"
    assert len(set(server.keys)) == 3


def test_a_request_without_a_key_is_never_sent_twice(waits: list[float]) -> None:
    from socialsyncer_client import ConnectionFailed, RateLimited, ServerFailed

    body = {"name": "x"}
    table: list[tuple[httpx.Response | Exception, type[Exception]]] = [
        (error(503), ServerFailed),
        (error(429, "rate_limited"), RateLimited),
        (httpx.ReadError("x"), ConnectionFailed),
    ]
    for answer, expected in table:
        server = Server(answer, answered())
        with pytest.raises(expected):
            client(server).create_queue(body)
        assert len(server.requests) == 1
    assert waits == []


def test_a_read_is_repeated_as_often_as_asked_for() -> None:
    from socialsyncer_client import ServerFailed

    server = Server(*(error(503) for _ in range(6)))
    with pytest.raises(ServerFailed) as caught:
        client(server, attempts=6).get_post("post_1")
    assert len(server.requests) == 6
    assert caught.value.code == "unavailable"


def test_the_service_says_when_to_come_back(waits: list[float]) -> None:
    from socialsyncer_client import RateLimited

    server = Server(error(429, "rate_limited", **{"Retry-After": "7"}), answered())
    client(server).get_post("post_1")
    assert waits == [7.0]
    server = Server(error(429, "rate_limited", **{"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        client(server).get_post("post_1")
    assert caught.value.retry_after == 3600
    assert waits == [7.0]


def test_a_client_that_has_used_up_its_limit_waits_before_the_next_request(waits: list[float]) -> None:
    policy = {"RateLimit-Policy": '"requests";q=20;w=60, "posts";q=6000;w=60'}
    left = {"RateLimit": '"requests";r=1;t=57, "posts";r=0;t=60'}
    none_left = {"RateLimit": '"requests";r=0;t=60, "posts";r=10;t=50'}
    headers: list[dict[str, str]] = [{**policy, **left}, {**policy, **none_left}, {}]
    with client(Server(*(httpx.Response(200, json=post(), headers=sent) for sent in headers))) as api:
        for _ in headers:
            api.get_post("post_1")
    assert len(waits) == 1
    assert 2.5 < waits[0] <= 3


def test_requests_side_by_side_begin_one_by_one_once_a_limit_is_used_up() -> None:
    from socialsyncer_client.retries import LONGEST_WAIT_S, LimitPace

    def answer(remaining: int) -> httpx.Response:
        headers = {"RateLimit": f'"requests";r={remaining};t=9', "RateLimit-Policy": '"requests";q=20;w=60'}
        return httpx.Response(200, headers=headers)

    pace = LimitPace()
    assert [pace.wait_s(100.0) for _ in range(3)] == [0, 0, 0]
    pace.learn(answer(0), 100.0)
    assert [pace.wait_s(100.0) for _ in range(3)] == [3, 6, 9]
    pace.learn(answer(0), 101.0)
    assert pace.wait_s(101.0) == 11
    # Those that would wait for too long are sent, and refused by the service.
    waits = [pace.wait_s(101.0) for _ in range(30)]
    assert max(waits) <= LONGEST_WAIT_S
    assert waits[-1] == 0
    pace.learn(answer(5), 300.0)
    assert [pace.wait_s(300.0) for _ in range(3)] == [0, 0, 0]


def test_a_client_with_one_attempt_or_a_bound_does_not_wait(waits: list[float]) -> None:
    from socialsyncer_client import RateLimited

    headers = {"RateLimit": '"requests";r=0;t=60', "RateLimit-Policy": '"requests";q=1;w=60'}
    for options in ({"attempts": 1}, {"max_wait": 5}):
        with client(Server(*(httpx.Response(200, json=post(), headers=headers) for _ in range(2))), **options) as api:
            api.get_post("post_1")
            api.get_post("post_1")
    with pytest.raises(RateLimited):
        client(Server(error(429, "rate_limited", **{"Retry-After": "6"})), max_wait=5).get_post("post_1")
    assert [wait for wait in waits if wait] == []


def test_an_answer_without_its_id_or_any_required_field_is_an_error() -> None:
    from socialsyncer_client import SocialSyncerError

    table: list[tuple[str, list[str], dict[str, Any]]] = [
        ("get_post", ["post_1"], {"posts": [], "cursor": None, "hasMore": False}),
        ("get_webhook", ["wh_1"], {"name": "x"}),
        ("list_posts", [], {}),
    ]
    for method, ids, body in table:
        with pytest.raises(SocialSyncerError, match="required fields are missing"):
            getattr(client(Server(httpx.Response(200, json=body))), method)(*ids)


def test_a_call_says_how_long_to_wait_and_logs_its_repeats(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(error(503), answered())
    with caplog.at_level("INFO", logger="socialsyncer_client"):
        client(server).create_post({"content": "x"}, wait=0)
    assert [request.headers["Prefer"] for request in server.requests] == ["wait=0"] * 2
    (message,) = caplog.messages
    assert message.startswith("POST /v1/posts is repeated in ")


def test_each_of_many_posts_has_an_id_that_repeats_keep() -> None:
    result = {"succeeded": 1, "failed": 0, "results": []}
    server = Server(error(503), *(httpx.Response(200, json=result) for _ in range(2)))
    with client(server) as api:
        posts = [{"content": "a"}, {"content": "b", "externalId": "b-1"}, {"content": "c", "idempotencyKey": "c-1"}]
        api.create_posts({"posts": posts})
        api.create_posts({"posts": posts}, idempotency_key="mine")
    first, again, named = ([dict(post) for post in json.loads(request.content)["posts"]] for request in server.requests)
    assert first == again
    assert first[0]["idempotencyKey"] == f"{server.keys[0]}/0"
    assert [post.get("idempotencyKey") for post in named] == ["mine/0", None, "c-1"]
    assert posts[0] == {"content": "a"}


def close_one(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_traceback_with_local_variables_does_not_show_the_key() -> None:
    from socialsyncer_client import Client, ConnectionFailed

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=close_one, args=(server,), daemon=True).start()
        with Client(address, KEY, attempts=1) as api, pytest.raises(ConnectionFailed) as lost:
            api.create_post(DRAFT)
    with pytest.raises(ConnectionFailed) as unreached, Client(address, KEY, attempts=1) as api:
        api.get_post("post_1")
    with pytest.raises(ValueError, match="https") as refused:
        Client("http://posts.example.com", KEY)
    for caught in (lost, unreached, refused):
        shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        # The frame of this test itself has the name of the constant, and not its value.
        assert KEY not in shown


def test_the_page_names_each_exception() -> None:
    import socialsyncer_client

    page = (ROOT / "docs/clients.md").read_text().split("\n## Python\n")[1].split("\n## ")[0]
    exported = {name: getattr(socialsyncer_client, name) for name in socialsyncer_client.__all__}
    exceptions = {name for name, item in exported.items() if isinstance(item, type) and issubclass(item, Exception)}
    rows = page.split("| exception | when |")[1].split("### ")[0]
    assert {name for name in exceptions if f"`{name}`" not in rows} == set()


def test_each_status_has_its_exception_and_none_shows_the_key() -> None:
    import socialsyncer_client as package

    table = {
        400: package.InvalidRequest,
        401: package.AuthenticationFailed,
        403: package.PermissionDenied,
        404: package.NotFound,
        409: package.Conflict,
        410: package.CursorExpired,
        422: package.InvalidRequest,
        429: package.RateLimited,
        500: package.ServerFailed,
    }
    for status, expected in table.items():
        with pytest.raises(package.ResponseError) as caught:
            client(Server(error(status)), attempts=1).get_post("post_1")
        assert type(caught.value) is expected
        shown = caught.value
        assert (shown.status, shown.code, shown.param, shown.request_id) == (status, "unavailable", "content", "req_1")
        assert [problem["code"] for problem in shown.errors] == ["unavailable"]
        assert str(shown) == "Not now"
    with pytest.raises(package.ConnectionFailed) as lost:
        client(Server(httpx.ReadError(KEY)), attempts=1).create_post(DRAFT)
    assert lost.value.sent
    api = client(Server())
    for text in (repr(api), str(api), repr(lost.value), str(lost.value), repr(vars(api))):
        assert KEY not in text
    with pytest.raises(package.ServerFailed):
        client(Server(httpx.Response(502, text="<html>Bad gateway</html>")), attempts=1).get_post("post_1")


def test_answers_of_a_newer_and_of_an_older_service_are_read() -> None:
    newer = post(
        status="archived",
        waitsFor="moon",
        warnings=[{"error": "x", "code": "new_code", "param": None, "new": 1}],
        platforms=[{"platform": "newnet", "accountId": "nn_1", "status": "glowing", "attempts": [1]}],
        newField={"a": 1},
        createdAt="2030-11-28T08:00:00.120Z",
    )
    server = Server(httpx.Response(200, json=newer), answered(), httpx.Response(200, json={"id": "post_1"}))
    with client(server) as api:
        read = api.get_post("post_1")
        assert (read.status, read.platforms[0].platform, read.platforms[0].status) == ("archived", "newnet", "glowing")
        assert read.created_at.isoformat() == "2030-11-28T08:00:00.120000+00:00"
        older = api.get_post("post_1")
        assert not older.created_at
        assert not older.timezone
        assert api.get_post("post_1").platforms == []


def test_pages_are_read_as_they_are_needed() -> None:
    def page(number: int, cursor: str | None) -> httpx.Response:
        posts = [post(id=f"post_{number}")]
        return httpx.Response(200, json={"posts": posts, "cursor": cursor, "hasMore": bool(cursor)})

    server = Server(page(1, "c1"), page(2, "c2"), page(3, None))
    posts = client(server).iterate_posts(status=["draft"])
    assert next(posts).id == "post_1"
    assert len(server.requests) == 1
    assert [later.id for later in posts] == ["post_2", "post_3"]
    assert [request.url.params.get("cursor") for request in server.requests] == [None, "c1", "c2"]
    assert {request.url.params["status"] for request in server.requests} == {"draft"}


def test_events_continue_where_a_program_has_stopped() -> None:
    def feed(cursor: str, *numbers: int) -> httpx.Response:
        events = [{"id": f"evt_{number}", "event": "post.published", "data": {"postId": "1"}} for number in numbers]
        page = {"events": events, "cursor": cursor, "hasMore": False, "since": "2030-01-01T00:00:00Z"}
        return httpx.Response(200, json=page)

    server = Server(feed("c0"), feed("c1", 1, 2), feed("c2", 3))
    events = client(server).follow_events()
    assert next(events).id == "evt_1"
    assert events.cursor == "c0"
    assert [next(events).id, next(events).id] == ["evt_2", "evt_3"]
    assert events.cursor == "c1"
    assert [request.url.params.get("after") for request in server.requests] == [None, "c0", "c1"]
    assert {request.headers["Prefer"] for request in server.requests} == {"wait=25"}


def test_waiting_for_a_post_ends() -> None:
    from socialsyncer_client import WaitTimeout
    from socialsyncer_client import client as module

    paused: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "sleep", paused.append)
        states = ("scheduled", "publishing", "partial")
        server = Server(*(httpx.Response(200, json=post(status=state)) for state in states))
        assert client(server).wait_for("post_1").status == "partial"
        assert paused == [1.0, 1.5]
    due = "2999-01-01T00:00:00Z"
    with pytest.raises(WaitTimeout) as caught:
        client(Server(httpx.Response(200, json=post(status="scheduled", scheduledFor=due)))).wait_for(
            "post_1", timeout=5
        )
    assert caught.value.post.id == "post_1"
    with pytest.raises(ValueError, match="is a draft"):
        client(Server(answered())).wait_for("post_1")


def test_requests_of_webhooks_are_verified() -> None:
    from socialsyncer_client import WebhookVerificationError, verify_webhook

    secret, other = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
    body = json.dumps({"id": "evt_1", "event": "post.published", "data": {"text": "Zürich"}})
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("evt_1", now, body)
    headers = {"Webhook-Id": "evt_1", "Webhook-Timestamp": str(int(now.timestamp())), "Webhook-Signature": signature}
    assert verify_webhook(body.encode(), headers, secret)["id"] == "evt_1"
    assert verify_webhook(body, headers, [other, secret])["id"] == "evt_1"
    two = {**headers, "Webhook-Signature": f"v1a,x v1,%%% v1,AAAA {signature}"}
    assert verify_webhook(body, two, secret)["data"] == {"text": "Zürich"}
    at = now.timestamp()
    wrong: list[tuple[str, dict[str, str], str, float]] = [
        (body, headers, other, at),
        (body + " ", headers, secret, at),
        (body, headers, secret, at + 400),
        (body, headers, secret, at - 400),
        (body, {**headers, "Webhook-Id": "evt_2"}, secret, at),
        (body, {**headers, "Webhook-Timestamp": f"{int(at)}.5"}, secret, at),
        (body, {**headers, "Webhook-Timestamp": "٣"}, secret, at),
        (body, {**headers, "Webhook-Signature": ""}, secret, at),
        (body, {}, secret, at),
    ]
    for sent, signed, known, when in wrong:
        with pytest.raises(WebhookVerificationError):
            verify_webhook(sent, signed, known, now=when)
    with pytest.raises(ValueError, match="no secret"):
        verify_webhook(body, headers, "whsec_%%%")


def test_a_file_without_external_ids_is_no_campaign(tmp_path: Path) -> None:
    file = tmp_path / "week.csv"
    file.write_text("content;platforms\nx;twitter:tw_1\n")
    with pytest.raises(ValueError, match="externalId"):
        client(Server()).campaign_from_csv(file, {"name": "x"})
    with pytest.raises(ValueError, match="must end with"):
        client(Server()).import_file(tmp_path / "week.xlsx")


def test_a_file_that_is_again_as_it_was_is_imported_again(tmp_path: Path) -> None:
    file = tmp_path / "spring.csv"
    server = Server(*[httpx.Response(201, json=CAMPAIGN), IMPORTED, httpx.Response(200, json=CAMPAIGN)] * 3)
    with client(server) as api:
        for text in ("first", "corrected", "first"):
            file.write_text(f"externalId,content\na,{text}\n")
            api.campaign_from_csv(file, {"name": "Spring"})
        # The third file has the bytes of the first, and must not be answered with what that one did.
        assert len(set(server.keys[1::3])) == 3
        assert len(set(server.keys[::3])) == 1


async def test_the_async_client_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from socialsyncer_client import AsyncClient, NotFound, transports

    async def no_wait(seconds: float) -> None:
        """Return at once."""

    with monkeypatch.context() as patch:
        patch.setattr(transports, "sleep_async", no_wait)
        page = {"posts": [post()], "cursor": None, "hasMore": False}
        server = Server(httpx.ConnectError("x"), error(503), answered(201), httpx.Response(200, json=page), error(404))
        async with AsyncClient("https://api.test", KEY, transport=httpx.MockTransport(server.answer)) as api:
            assert (await api.create_post(DRAFT)).id == "post_1"
            assert [read.id async for read in api.iterate_posts()] == ["post_1"]
            with pytest.raises(NotFound):
                await api.get_post("post_1")
            assert KEY not in repr(api)
    assert len(set(server.keys[:3])) == 1
