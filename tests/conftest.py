"""Real parts for every test: one PostgreSQL, one Temporal and one running stack a session."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
import structlog
from temporalio.testing import WorkflowEnvironment

from runtime import worker
from tests.postgres import postgres_server
from tests.stack import Stack, running_stack, temporal_server

# How long one example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_FOLDER = Path(__file__).parent
_WAITING = frozenset({"cli", "reconcile", "runtime", "workflows"})
_OVER_AFTER = 0.7


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait, for whole stacks and for clocks, take turns with files that compute.

    They are over after 0.7 of the others: left for the end, they would keep one process busy and the rest without work.
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
    """Send log lines through logging: what goes on in the background must not mix into what a command prints."""
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
    """Run the whole product with one worker."""
    async with (
        running_stack(postgres_url, temporal) as stack,
        worker.factory(stack.settings, stack.worker_database) as factory,
        worker.running_workers(stack.client, factory),
    ):
        yield stack


@pytest.fixture
async def stack(running: Stack) -> AsyncIterator[Stack]:
    """Be the running product without failures, unfinished posts, or public ones that count, of the test before."""
    running.began_at = datetime.now(UTC)
    yield running
    await running.forget_unfinished()
    await running.clear_faults()


@pytest.fixture(scope="module")
async def alone(postgres_url: str) -> AsyncIterator[Stack]:
    """Run everything but a worker, on a Temporal that no worker of other tests has polled a minute ago."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        yield stack
