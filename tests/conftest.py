"""Real parts for every test: one PostgreSQL, one Temporal and one running stack a session."""

import asyncio
import faulthandler
import gc
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import structlog
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import _worker
from temporalio.worker._workflow import _WorkflowWorker

from activities import options, publish
from platforms.registry import platforms
from reconcile.account_rechecks import recheck_task, refusals_task
from reconcile.app_setup import announce_task
from reconcile.rounds import BackgroundTask, running_tasks
from runtime import worker
from runtime.parts import WorkerParts, open_parts
from store.database import Database
from store.due import work_query
from store.roles import Component
from store.secrets.vault import Vault
from store.webhooks.endpoints import keep_handover_key
from tests.databases import add_workspace, initialize_once, new_database, url_as
from tests.leftovers import watch
from tests.postgres import initialize, postgres_folder
from tests.running import running_stack
from tests.selection import description, import_by_turns, in_order, narrow, runs
from tests.stack import Stack
from tests.temporal import describe_posts_queue, release_namespace, temporal_server
from tests.workspaces import new_workspace

_PROCESSES_OF_FEW_TESTS = 3

# The time that an example takes depends on the machine's load.
hypothesis.settings.register_profile("thorough", deadline=None)
hypothesis.settings.register_profile("short", deadline=None, max_examples=10)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for more tests, as CI runs them, and for fewer."""
    parser.addoption(
        "--thorough", action="store_true", help="run tests marked as thorough too, and searches at full size"
    )
    parser.addoption(
        "--changed", action="store_true", help="run the tests nearest to what differs from main, for less than a minute"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Use fewer processes with `--changed`: each takes seconds until its first test."""
    if config.getoption("changed"):
        config.option.numprocesses = min(config.option.numprocesses or 0, _PROCESSES_OF_FEW_TESTS)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the number of hypothesis's examples, and with `--changed` the test modules; watch what tests start."""
    hypothesis.settings.load_profile("thorough" if config.getoption("thorough") else "short")
    if config.getoption("changed"):
        narrow(config)
    if hasattr(config, "workerinput") or not config.option.numprocesses:
        watch()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what runs and what does not."""
    return f"runs: {description(config)}"


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Return whether each test runs at its full size."""
    return bool(pytestconfig.getoption("thorough"))


def pytest_collection(session: pytest.Session) -> None:
    """Import the test modules before they are collected."""
    import_by_turns(session.config)


def pytest_collection_finish() -> None:
    """Exclude all collected tests from garbage collection, which would visit them, and let it run rarely."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of this run, and order their files."""
    config.hook.pytest_deselected(items=[item for item in items if not runs(config, item)])
    items[:] = in_order([item for item in items if runs(config, item)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a test that waited too long what this process does, and who takes tasks from Temporal."""
    report = yield
    if call.excinfo and call.excinfo.errisinstance(TimeoutError):
        with tempfile.TemporaryFile("w+") as file:
            faulthandler.dump_traceback(file)
            file.seek(0)
            report.sections.append((f"Threads of {item.name}", file.read()))
        clients = {value.client for value in getattr(item, "funcargs", {}).values() if isinstance(value, Stack)}
        for client in clients:
            report.sections.append((f"Tasks of {item.name}", describe_posts_queue(client)))
    return report


@pytest.fixture
def no_read_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let platforms show posts at once, as the sandbox does: after a refusal, the platform's own wait counts."""
    for platform in platforms().values():
        monkeypatch.setattr(type(platform), "read_lag", timedelta(0))


@pytest.fixture(autouse=True)
def _refused_posts_are_looked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a refused post at once: the sandbox's reads do not lag, and each retry would take seconds longer."""
    monkeypatch.setattr(publish, "look_in", lambda *_: timedelta(0))


@pytest.fixture(scope="session", autouse=True)
def _log_lines_are_no_output() -> None:
    """Send log lines through logging: lines of background tasks must not mix into the output of a command."""
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())


@pytest.fixture(scope="session", autouse=True)
def _workflows_may_wait_for_a_processor() -> Iterator[None]:
    """Let workflows of a test's own workers compute for a minute: on a busy machine the SDK's two seconds are too few.

    The product's workers have a limit of their own (`runtime.worker`). Without an id, the first worker compiles all
    test modules to hash them.
    """
    initialize_worker = _WorkflowWorker.__init__

    def initialize(self: _WorkflowWorker, **options: Any) -> None:
        initialize_worker(self, **options)
        self._deadlock_timeout_seconds = 60

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_WorkflowWorker, "__init__", initialize)
        patch.setattr(_worker, "_default_build_id", "tests")
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands_collect_no_garbage() -> Iterator[None]:
    """Let commands end without a garbage collection, which would visit the objects of all tests of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.temporal_client.gc", SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Run PostgreSQL; the URL names no database."""
    with postgres_folder() as server:
        if worker_id == "master":
            initialize(server)
        else:
            initialize_once(server, tmp_path_factory.getbasetemp().parent / "postgres")
        server.start()
        yield server.url


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """Yield a migrated database of the module's own."""
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture
async def workspace(database: Database) -> str:
    """Return a workspace of the test's own in the module's database."""
    return await add_workspace(database)


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """Run Temporal."""
    async with temporal_server() as environment:
        yield environment


@pytest.fixture
async def free_namespace(temporal: WorkflowEnvironment) -> AsyncIterator[WorkflowEnvironment]:
    """Take the installation's mark off the namespace of this test process, before and after the test."""
    await release_namespace(temporal.client)
    yield temporal
    await release_namespace(temporal.client)


@pytest.fixture(scope="session")
async def running(postgres_url: str, temporal: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """Run the whole product with one worker.

    The worker has a database client of its own, as a process has: the locks of renewals are held over its only
    connection for them, and tests with a step of their own need another. Of its background tasks only those run that
    announce apps and recheck refused accounts. Others would deliver, recover, renew, move, delete or check the rows of
    a test that is about to do so.
    """
    async with running_stack(postgres_url, temporal) as stack:
        database = Database(url_as(stack.database_url, Component.WORKER))
        async with database.transaction() as session:
            await keep_handover_key(session, Vault(stack.settings.encryption_keys))
        async with (
            open_parts(stack.settings, database) as parts,
            _polling(stack, parts),
            running_tasks(
                _only_if_needed(database, recheck_task(parts.database, parts.accounts, stack.workflows)),
                refusals_task(parts.apps),
                announce_task(database, parts.accounts.registered_apps, parts.redirect_urls),
            ),
        ):
            async with asyncio.timeout(60):
                # Temporal knows a worker only from its first poll on.
                while not (await stack.workflows.queues.posts()).polled:  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.02)
            yield stack
        await database.close()


def _only_if_needed(database: Database, task: BackgroundTask) -> BackgroundTask:
    """Return a task whose rounds ask one question if there is nothing to do, as under the leases of a worker."""

    async def work() -> None:
        if await database.row(f"SELECT 1 WHERE {work_query({'task': task.due})} <> '{{}}'"):
            await task.work()

    return replace(task, work=work)


@asynccontextmanager
async def _polling(stack: Stack, parts: WorkerParts) -> AsyncIterator[None]:
    """Run the stack's own workers."""
    group = worker.worker_group(stack.client, parts, platforms())
    stack.workers = group.workers
    async with worker.polling(group, parts):
        yield


@pytest.fixture
async def stack(running: Stack) -> AsyncIterator[Stack]:
    """Yield the running product; failures and posts of earlier tests have no effect."""
    running.require_workers()
    running.began_at = datetime.now(UTC)
    yield running
    running.require_workers()
    await running.forget_unfinished()
    await running.clear_faults()


@pytest.fixture
async def own(stack: Stack) -> AsyncIterator[Stack]:
    """Yield the running product in a new workspace with two accounts of X and one of Instagram."""
    async with new_workspace(stack) as own:
        yield own


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[WorkerParts]:
    """Yield the parts of a worker, for tests that run its steps themselves."""
    async with open_parts(stack.settings, stack.worker_database) as parts:
        yield parts


@pytest.fixture
def early_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirm a send whose answer is lost after a tenth of a second for the first time, instead of a second."""
    monkeypatch.setattr(options, "FIRST_CONFIRM_WAITS", (timedelta(seconds=0.1), *options.FIRST_CONFIRM_WAITS[1:]))


@pytest.fixture(scope="module")
async def alone(postgres_url: str) -> AsyncIterator[Stack]:
    """Run everything except a worker, on a new Temporal server: no worker of other tests has polled it."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        yield stack
