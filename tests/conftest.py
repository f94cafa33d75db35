"""Real parts for every test: one PostgreSQL, one Temporal and one running stack a session."""

import asyncio
import gc
import math
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from temporalio.testing import WorkflowEnvironment

from runtime import worker
from store.database import Database
from store.roles import Component
from tests.databases import url_as
from tests.postgres import postgres_server
from tests.stack import Stack, running_stack
from tests.temporal import temporal_server

# The time that an example takes depends on the machine's load.
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.register_profile("short", deadline=None, max_examples=10)

_FOLDER = Path(__file__).parent
_WAITING = frozenset({"cli", "docs", "reconcile", "runtime", "workflows"})
_OVER_AFTER = 0.7


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which CI runs every test at its full size."""
    parser.addoption(
        "--thorough", action="store_true", help="run tests marked as thorough too, and searches at full size"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of hypothesis's examples."""
    hypothesis.settings.load_profile("thorough" if config.getoption("thorough") else "short")


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Return whether each test runs at its full size."""
    return bool(pytestconfig.getoption("thorough"))


def pytest_collection() -> None:
    """Collect no garbage while tests are collected: all that is imported stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Exclude all collected tests from garbage collection, which would visit them in each full run."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that only a thorough run makes if it is not asked for, and order the files."""
    if not config.getoption("thorough"):
        left_out = {item for item in items if item.get_closest_marker("thorough")} | _not_sampled(items)
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    _order(items)


def _not_sampled(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the cases of tests marked as `one_in(n)` that are not in their sample, which is always the same one."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("one_in"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out: set[pytest.Item] = set()
    for test, of_test in cases.items():
        marker = of_test[0].get_closest_marker("one_in")
        assert marker
        # A fixed stride would meet the same value of a second parameter each time.
        sample = random.Random(test).sample(of_test, math.ceil(len(of_test) / marker.args[0]))
        left_out |= set(of_test) - set(sample)
    return left_out


def _order(items: list[pytest.Item]) -> None:
    """Alternate files that wait, for whole stacks and for clocks, with files that compute.

    The waiting files are spread over the first 0.7 of the order. At the end, they would keep one process busy while the
    others are idle.
    """
    files = list(dict.fromkeys(item.path for item in items))
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for file in files:
        kinds[file.relative_to(_FOLDER).parts[0] not in _WAITING].append(file)
    places = {
        file: place / len(kind) * share
        for kind, share in zip(kinds, (_OVER_AFTER, 1), strict=True)
        for place, file in enumerate(kind)
    }
    items.sort(key=lambda item: places[item.path])


@pytest.fixture(scope="session", autouse=True)
def _log_lines_are_no_output() -> None:
    """Send log lines through logging: lines of background tasks must not mix into the output of a command."""
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Run PostgreSQL; the URL names no database."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """Run Temporal."""
    async with temporal_server() as environment:
        yield environment


@pytest.fixture(scope="session")
async def running(postgres_url: str, temporal: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """Run the whole product with one worker.

    The worker has a database client of its own, as a process has: the locks of renewals are held over its only
    connection for them, and tests with a step of their own need another. Its background tasks that run twice a minute
    do not run: they would renew, delete or check the rows of a test that is about to do so.
    """

    async def wait(*_: Any) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as idle:
        for task in ("expire_forever", "preflight_forever", "renew_forever"):
            idle.setattr(worker, task, wait)
        async with _stack_with_worker(postgres_url, temporal) as stack:
            yield stack


@asynccontextmanager
async def _stack_with_worker(postgres_url: str, temporal: WorkflowEnvironment) -> AsyncIterator[Stack]:
    async with running_stack(postgres_url, temporal) as stack:
        database = Database(url_as(stack.database_url, Component.WORKER))
        async with (
            worker.factory(stack.settings, database) as factory,
            worker.running_workers(stack.client, factory),
        ):
            async with asyncio.timeout(30):
                # Temporal knows a worker only from its first poll on.
                while not (await stack.workflows.queues.posts()).polled:  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.02)
            yield stack
        await database.close()


@pytest.fixture
async def stack(running: Stack) -> AsyncIterator[Stack]:
    """Yield the running product; failures and posts of earlier tests have no effect."""
    running.began_at = datetime.now(UTC)
    yield running
    await running.forget_unfinished()
    await running.clear_faults()


@pytest.fixture(scope="module")
async def alone(postgres_url: str) -> AsyncIterator[Stack]:
    """Run everything except a worker, on a new Temporal server: no worker of other tests has polled it."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        yield stack
