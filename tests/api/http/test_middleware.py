"""Middleware around every request, over a real connection."""

import asyncio
import json
import re

import httpx
import pytest
from litestar import Litestar

from api.http.middleware import HostNames
from tests.serving import listening
from tests.stack import Stack


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/posts?limit=1", 200),
        ("/v1/platforms", 200),
        ("/healthz", 200),
        ("/docs", 200),
        ("/", 200),
        ("/v1/posts/post_0", 404),
        ("/v1/posts?bogus=1", 400),
        ("/nowhere", 404),
    ],
)
async def test_head_answers_as_get_without_the_content(app: Litestar, stack: Stack, path: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}", "X-Request-Id": "same for both"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        get, head = await client.get(path), await client.head(path)
        # The connection is usable afterwards: no bytes of a body were left in it.
        assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert get.status_code == head.status_code == status
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert int(head.headers["content-length"]) == len(get.content)


async def test_each_page_for_people_leads_to_the_others(app: Litestar) -> None:
    pages = {"/", "/calendar", "/connect", "/docs"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url) as client:
        for page in pages:
            links = set(re.findall(r'href="(/[^"]*)"', (await client.get(page)).text))
            assert pages - {page} <= links, page


async def test_head_without_get_is_405(app: Litestar, stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        head = await client.head("/v1/posts/post_0/retry")
    assert (head.status_code, head.content) == (405, b"")
    assert set(head.headers["allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.thorough
async def test_idle_connections_outlive_client_pools(app: Litestar) -> None:
    """If the server closed a connection just before a request, the client could not know whether a post was created."""
    async with listening(app) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        for seconds in (5.5, 0):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(len(b'{"status":"ok"}'))
            await asyncio.sleep(seconds)
        writer.close()


@pytest.mark.parametrize("line", [b"Idempotency-Key: a\x01b", b"no header at all"])
async def test_malformed_http_gets_the_usual_error_body(app: Litestar, line: bytes) -> None:
    async with listening(app) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"POST /v1/posts HTTP/1.1\r\nHost: api\r\n" + line + b"\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\nx-request-id: " in head
    error = json.loads(body)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    assert error["errors"][0]["error"] == error["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/docs", "/v1/platforms"])
async def test_only_its_own_host_names_are_answered_to(
    app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch, path: str, host: str, status: int
) -> None:
    monkeypatch.setattr(app, "host_names", HostNames(["127.0.0.1", "localhost", "[::1]"]))
    headers = {"Authorization": f"Bearer {stack.api_key}", "Host": host}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-request-id"]
    assert "access-control-allow-origin" not in answer.headers
    if status == 421:
        assert (answer.json()["type"], answer.json()["code"]) == ("invalid_request_error", "unknown_host")
