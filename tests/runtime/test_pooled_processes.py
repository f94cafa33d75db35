"""The API and a worker reach PostgreSQL through PgBouncer."""

import asyncio
import dataclasses
import statistics
import time
from pathlib import Path

import pytest

from runtime.app import create_app_from_env
from store.migrate import upgrade
from store.roles import Component
from tests.api.conftest import Client, make_client
from tests.databases import ROLES, url_as
from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import postgres_server
from tests.running import running_stack
from tests.runtime.conftest import configured
from tests.runtime.processes import worker_process
from tests.serving import started
from tests.stack import Stack
from tests.temporal import temporal_server

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
_POSTS = 20
_POLLED_S = 0.9
"""A request that hears no notification reads its row once a second."""


def settings(stack: Stack, bouncer: PgBouncer, component: Component) -> dict[str, str]:
    """Return the settings of a process that uses PgBouncer."""
    url = url_as(stack.database_url, component)
    return {
        "SOCIALSYNCER_DATABASE_URL": bouncer.url(url),
        "SOCIALSYNCER_DATABASE_DIRECT_URL": url,
        "SOCIALSYNCER_DATABASE_POOLER": "transaction",
    }


async def publish_now(client: Client, stack: Stack, number: int) -> float:
    """Publish a post and return how many seconds it took."""
    began = time.monotonic()
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    response = await client.send_post(
        {"content": f"Through a pooler, {number}", "platforms": [target], "publishNow": True}
    )
    assert (response.status_code, response.json()["status"]) == (201, "published"), response.text
    return time.monotonic() - began


async def test_posts_are_published_through_a_pooler_and_after_its_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres_server() as server, pgbouncer(server) as bouncer:
        async with temporal_server() as temporal, running_stack(server, temporal) as stack:
            await upgrade(stack.database_url, [dataclasses.replace(role, has_limits=True) for role in ROLES])
            worker = settings(stack, bouncer, Component.WORKER)
            with configured(stack, monkeypatch):
                for name, value in settings(stack, bouncer, Component.API).items():
                    monkeypatch.setenv(name, value)
                async with (
                    worker_process(stack, tmp_path, grace_s=5, platforms="twitter", settings=worker),
                    started(create_app_from_env()) as app,
                    make_client(app, stack.api_key) as client,
                ):
                    seconds = [await publish_now(client, stack, number) for number in range(_POSTS)]
                    await asyncio.to_thread(bouncer.stop)
                    await asyncio.to_thread(bouncer.start)
                    seconds += [await publish_now(client, stack, _POSTS + number) for number in range(_POSTS)]
    assert statistics.median(seconds) < _POLLED_S
