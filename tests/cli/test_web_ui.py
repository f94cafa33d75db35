"""The Web UI of Temporal accepts requests of its own pages on this machine, and of no page of another origin."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cli.stack.ports import free_port
from cli.stack.temporal import Temporal
from cli.stack.web_ui import app
from workflows.search_attributes import REGISTRY


@asynccontextmanager
async def served(asgi: Any) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(asgi, lifespan="off", log_level="warning"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Ui:
    """A fake Web UI that records its requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = dict(scope["headers"])
        self.asked.append(
            (scope["method"], scope["raw_path"], scope["query_string"], body, headers.get(b"x-csrf-token"))
        )
        answer_headers = [(b"content-type", b"text/css"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 201, "headers": answer_headers})
        for piece in (b"one ", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def ui() -> AsyncIterator[tuple[Ui, httpx.AsyncClient]]:
    behind = Ui()
    async with served(behind) as hidden, served(app(hidden)) as url, httpx.AsyncClient(base_url=url) as client:
        yield behind, client


async def test_requests_of_its_own_pages_are_passed_on(ui: tuple[Ui, httpx.AsyncClient]) -> None:
    behind, client = ui
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": "t"}
    answer = await client.post("/api/v1/a%2Fb?query=x%20y&z", content=b"signal", headers=own)
    assert behind.asked == [("POST", b"/api/v1/a%2Fb", b"query=x%20y&z", b"signal", b"t")]
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (201, "one two", "text/css")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (await client.get("/", headers={"Host": f"localhost:{client.base_url.port}"})).status_code == 201


async def test_the_names_of_a_proxy_in_front_are_accepted() -> None:
    behind = Ui()
    async with (
        served(behind) as hidden,
        served(app(hidden, ["temporal.example.com"])) as url,
        httpx.AsyncClient() as client,
    ):
        for host, origin, status in (
            ("temporal.example.com", "https://temporal.example.com", 201),
            ("temporal.example.com", "https://evil.example", 403),
            ("evil.example", "https://evil.example", 403),
        ):
            assert (await client.post(url, headers={"Host": host, "Origin": origin})).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8233"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_requests_of_foreign_pages_are_refused(
    ui: tuple[Ui, httpx.AsyncClient], headers: dict[str, str], method: str
) -> None:
    behind, client = ui
    answer = await client.request(method, "/api/v1/namespaces", headers=headers)
    assert (answer.status_code, behind.asked) == (403, [])
    assert "The Web UI" in answer.json()["error"]
    assert "access-control-allow-origin" not in answer.headers


async def test_a_body_without_end_is_refused(ui: tuple[Ui, httpx.AsyncClient]) -> None:
    behind, client = ui
    assert (await client.post("/", content=bytes(5 * 2**20))).status_code == 413
    assert behind.asked == []


async def test_a_stopped_ui_is_reported_unavailable() -> None:
    async with served(app(f"http://127.0.0.1:{free_port()}")) as url, httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert (answer.status_code, "does not run" in answer.text) == (502, True)


def test_ui_listens_at_a_hidden_address(tmp_path: Path) -> None:
    several = [Temporal(tmp_path / "temporal.db", 1, 8233, REGISTRY) for _ in range(3)]
    urls = {httpx.URL(ui.hidden_ui_url) for ui in several}
    assert len(urls) == 3
    assert all(ip_address(url.host).is_loopback and url.port != 8233 for url in urls)
    assert {ui.ui_url for ui in several} == {"http://127.0.0.1:8233"}
