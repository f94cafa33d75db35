"""The HTTP endpoints of a worker: what a process manager, a rollout and a monitor need to know."""

from types import SimpleNamespace
from typing import Any, cast

import httpx

from cli.stack.ports import free_port
from reconcile.readiness import Readiness
from runtime.health import serving_health
from store.database import Database
from tests.stack import Stack


async def statuses(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        return {path: (await client.get(path)).status_code for path in ("/healthz", "/readyz", "/statusz")}


async def test_a_worker_is_ready_by_itself_and_its_status_names_all_parts(alone: Stack) -> None:
    settings = alone.settings.model_copy(update={"worker_health_port": free_port()})
    url = f"http://127.0.0.1:{settings.worker_health_port}"
    own = SimpleNamespace(is_running=True)
    workers = [cast("Any", own)]
    async with serving_health(settings, Readiness(alone.worker_database, alone.workflows.queues), workers):
        # No worker has polled the queue: a new worker that waits for it would never replace an old one.
        assert await statuses(url) == {"/healthz": 200, "/readyz": 200, "/statusz": 503}
        own.is_running = False
        assert await statuses(url) == {"/healthz": 503, "/readyz": 503, "/statusz": 503}

    away = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none")
    own.is_running = True
    async with serving_health(settings, Readiness(away, alone.workflows.queues), workers):
        assert await statuses(url) == {"/healthz": 200, "/readyz": 503, "/statusz": 503}
    await away.close()
