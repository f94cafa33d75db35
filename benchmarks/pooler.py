"""The cost of PgBouncer for publishNow: `uv run python -m benchmarks.pooler`.

The API and a worker publish posts one after the other, directly and through PgBouncer in transaction mode, in turns.
Needs Debian's package pgbouncer.
"""

import asyncio
import contextlib
import dataclasses
import statistics
import time
from collections.abc import AsyncIterator
from unittest import mock

from benchmarks.campaigns.measure import HEAD, Bar, Figure, IdleShare
from runtime import worker
from runtime.app import create_app_from_env
from runtime.parts import open_parts
from store.database import Database
from store.migrate import upgrade
from store.roles import Component
from tests.api.conftest import Client, make_client
from tests.databases import ROLES, url_as
from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import postgres_server
from tests.running import running_stack
from tests.serving import started
from tests.stack import Stack
from tests.temporal import temporal_server

_POSTS, _ROUNDS, _UNMEASURED = 20, 2, 5
_MOST_RATIO = 1.3


@contextlib.asynccontextmanager
async def _product(stack: Stack, bouncer: PgBouncer | None) -> AsyncIterator[Client]:
    """Run an API and a worker, both through PgBouncer or both directly; yield a client."""
    urls = {component: url_as(stack.database_url, component) for component in Component}
    pooled = {component: bouncer.url(url) if bouncer else url for component, url in urls.items()}
    environment = {
        "SOCIALSYNCER_DATABASE_URL": pooled[Component.API],
        "SOCIALSYNCER_DATABASE_DIRECT_URL": urls[Component.API],
        "SOCIALSYNCER_DATABASE_POOLER": "transaction" if bouncer else "",
        "SOCIALSYNCER_LOG_LEVEL": "error",
        "TEMPORAL_ADDRESS": str(stack.client.service_client.config.target_host),
    }
    database = Database(
        pooled[Component.WORKER], direct_url=urls[Component.WORKER], is_pooled=bouncer is not None, purpose="worker"
    )
    async with open_parts(stack.settings, database) as parts:
        group = worker.worker_group(stack.client, parts, ["twitter"])
        with mock.patch.dict("os.environ", environment):
            async with (
                worker.polling(group, parts),
                started(create_app_from_env()) as app,
                make_client(app, stack.api_key) as client,
            ):
                yield client
    await database.close()


async def _publish(client: Client, stack: Stack, text: str) -> float:
    """Publish a post and return the milliseconds that it took. Raises RuntimeError if it is not public then."""
    began = time.perf_counter()
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    response = await client.send_post({"content": text, "platforms": [target], "publishNow": True})
    if response.status_code != 201 or response.json()["status"] != "published":
        raise RuntimeError(f"A post was not published: {response.text}")
    return (time.perf_counter() - began) * 1000


async def _measure(stack: Stack, bouncer: PgBouncer) -> Figure:
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(_ROUNDS):
        for is_pooled in (False, True):
            async with _product(stack, bouncer if is_pooled else None) as client:
                texts = [f"Round {number}, {is_pooled}, post {place}" for place in range(_UNMEASURED + _POSTS)]
                times[is_pooled] += [await _publish(client, stack, text) for text in texts][_UNMEASURED:]
    pooled, direct = (statistics.median(times[is_pooled]) for is_pooled in (True, False))
    return Figure("publishNow through PgBouncer, p50", pooled, "ms", direct, Bar(most_ratio=_MOST_RATIO))


async def main() -> None:
    """Measure, and print a table."""
    with postgres_server() as server, pgbouncer(server) as bouncer:
        async with temporal_server() as temporal, running_stack(server, temporal) as stack:
            await upgrade(stack.database_url, [dataclasses.replace(role, has_limits=True) for role in ROLES])
            share = IdleShare()
            figure = await _measure(stack, bouncer)
            print(HEAD, figure.row(share.take()), sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
