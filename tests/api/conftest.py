"""The real app over the real stack."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from api.dependencies import Dependencies
from api.shared.request_limits import RequestLimits
from domain.request_limits import Policy, requests_policy
from media.local_hosts import LocalHosts
from storage.directory import DirectoryStorage
from tests.api.documented import check_documented
from tests.serving import app_over
from tests.stack import Stack
from tests.statements import Statement, noting_statements
from tests.uploads import sign_with_storage

PUBLIC_URL = "http://127.0.0.1:8000"
"""The API's address for the sandbox's platforms, each of which redirects people back to any port of this machine."""


@pytest.fixture(scope="session")
async def app(running: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Litestar]:
    """Serve the session's stack."""
    storage = DirectoryStorage(tmp_path_factory.mktemp("media"), least_free=0)
    await storage.prepare()
    deps = Dependencies.assemble(
        running.api_database,
        running.workflows,
        running.outcomes,
        public_url=PUBLIC_URL,
        webhook_hosts=LocalHosts(running.settings.private_webhook_hosts),
        storage=storage,
        verification_files={"tiktok4Mx.txt": "tiktok-developers-site-verification=4Mx"},
    )
    await sign_with_storage(running.database, deps.readiness)
    async with app_over(deps) as app:
        yield app
    await storage.close()


ANY_NUMBER = requests_policy(0)


@asynccontextmanager
async def limited_app(
    stack: Stack, requests: Policy = ANY_NUMBER, posts: Policy = ANY_NUMBER
) -> AsyncIterator[Litestar]:
    """Serve the stack with limits of requests; without, tests have none."""
    limits = RequestLimits(stack.api_database, requests, posts)
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes, request_limits=limits)
    async with app_over(deps) as app:
        yield app


class Client(httpx.AsyncClient):
    """An in-process client of one workspace."""

    workspace_id: str = ""

    async def send_post(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.post("/v1/posts", json=body, headers=headers)


def make_client(app: Litestar, api_key: str | None) -> Client:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    transport = httpx.ASGITransport(app=cast("Any", app))
    hooks = {"response": [check_documented]}
    return Client(transport=transport, base_url="http://api.test", headers=headers, timeout=90, event_hooks=hooks)


async def create(api: Client, body: dict[str, Any], expected: int = 201) -> Any:
    """Create a post, and return it if the answer has this status."""
    return read_answer(await api.send_post(body), expected)


async def draft(api: Client, content: str, *platforms: str, **more: Any) -> dict[str, Any]:
    """Save a draft for accounts of these platforms, which need not be connected."""
    targets = [{"platform": name, "accountId": f"{name}_{number}"} for number, name in enumerate(platforms)]
    return read_answer(await api.send_post({"content": content, "isDraft": True, "platforms": targets, **more}), 201)


async def patch(api: Client, post: Any, expected: int = 200, /, **change: Any) -> Any:
    """Change a post, and return it if the answer has this status."""
    return read_answer(await api.patch(f"/v1/posts/{post['id']}", json=change), expected)


def read_answer(response: httpx.Response, status: int = 200) -> dict[str, Any]:
    """Return the body of an answer that must have this status."""
    assert response.status_code == status, response.text
    answer: dict[str, Any] = response.json()
    return answer


def problems(response: httpx.Response) -> list[dict[str, Any]]:
    """Return everything an error says is wrong."""
    entries: list[dict[str, Any]] = response.json()["errors"]
    return entries


async def end_pauses(api: Client) -> None:
    """End all pauses of a client's workspace, which other tests share."""
    for pause in (await api.get("/v1/pauses")).json()["pauses"]:
        if pause["endedAt"] is None:
            await api.post(f"/v1/pauses/{pause['id']}/resume", json={"missed": "skip"})


@pytest.fixture
async def api(app: Litestar, stack: Stack) -> AsyncIterator[Client]:
    """Yield a client of the workspace that has the stack's accounts."""
    async with make_client(app, stack.api_key) as client:
        client.workspace_id = stack.workspace_id
        yield client


@pytest.fixture
async def no_pause_remains(api: Client) -> AsyncIterator[None]:
    """End the pauses that other tests have left in the stack's workspace, and those of this test."""
    await end_pauses(api)
    yield
    await end_pauses(api)


@pytest.fixture
async def stranger(app: Litestar, stack: Stack) -> AsyncIterator[Client]:
    """Yield a client of a new workspace without accounts."""
    workspace_id, key = await stack.new_workspace()
    async with make_client(app, key) as client:
        client.workspace_id = workspace_id
        yield client


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """Record every statement of every part."""
    with noting_statements(monkeypatch) as noted:
        yield noted
