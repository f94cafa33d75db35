"""An idle process asks the database little: one statement looks for the work of all its tasks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection
from sqlalchemy import event, text

from domain.post import HoldReason
from domain.workspaces import Retention
from reconcile import late_posts
from reconcile.bulk_pace import BulkPace
from reconcile.late_posts import WATCH, LatePostWatch
from reconcile.lease_policy import _LEAD_EVERY_S, DURATION, REST_S, LeasePolicy, WorkerPolicy
from reconcile.leases import Leases, _Turns
from reconcile.readiness import Readiness
from reconcile.rounds import BackgroundTask
from runtime.background import worker_tasks
from runtime.parts import open_parts
from runtime.schema import SchemaCheck
from store.database import Database, Pool, TimeLimits
from store.dsn import Dsn
from store.due import Due, work_query
from store.maintenance.beats import beat
from store.roles import Component
from store.webhooks import notifications
from store.webhooks.notifications import endpoints_to_wake
from tests.databases import new_database, url_as
from tests.stack import Stack

_POST = """
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, tiktok_settings,
  facebook_settings, answer_bytes, version, delivered_version, created_at, updated_at)
VALUES ('p', 'w', 'p', 'scheduled', 'a post', '[]', '{}', 'UTC', '{}', '{}', 500, 2, 2, now(), now())
"""
_TARGET = """
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, due_at)
VALUES ('t', 'p', 'w', 0, 'twitter', 'a', '{}', 'pending', now() + interval '30 days')
"""
_ROWS = (
    "INSERT INTO workspaces (id, name) VALUES ('w', 'w')",
    _POST,
    _TARGET,
    """
INSERT INTO accounts (workspace_id, id, platform, user_id, username, credentials)
VALUES ('w', 'a', 'twitter', '1', 'a', '\\x01')
""",
)
"""A service with a scheduled post that is known to its workflow."""
_WORK = {
    "UPDATE posts SET version = 3": {"sweep", "watch"},
    "UPDATE posts SET version = 3, next_delivery_at = now() + interval '1 min', delivery_attempts = 0": {
        *("sweep", "bulk", "watch")
    },
    "UPDATE posts SET after_post_id = 'q'": {"chains"},
    f"UPDATE targets SET hold_reason = '{HoldReason.PAUSED}', status = 'held'": {"holds", "watch"},
    f"UPDATE targets SET hold_reason = '{HoldReason.RECONNECT}', status = 'held'": {"accounts", "watch"},
    f"UPDATE targets SET hold_reason = '{HoldReason.OPERATOR}', status = 'held'": {"accounts", "watch"},
    f"UPDATE targets SET hold_reason = '{HoldReason.CAP}', status = 'held'": {"watch"},
    "UPDATE targets SET due_at = now() + interval '3 hours'": {"preflight"},
    "UPDATE targets SET preflight_at = now()": {"preflight"},
    "UPDATE targets SET due_at = now() - interval '2 min'": {"watch"},
    "UPDATE targets SET status = 'unconfirmed'": {"watch"},
    "UPDATE accounts SET refused_at = now(), recheck_at = now()": {"accounts"},
    "UPDATE accounts SET renew_at = now()": {"renewals"},
    "INSERT INTO app_refusals (platform, app_id, code, message, refused_at, last_refused_at, probe_at)"
    " VALUES ('twitter', 'a', 'c', 'm', now(), now(), now())": {"accounts", "refusals", "watch"},
    "INSERT INTO late_posts (post_id, due_at, found_at) VALUES ('p', now(), now())": {"watch"},
}
"""Changes of its rows, and for which tasks they are work."""
_LISTENS = "webhooks.not_listened"
"""The task of the one process that listens for events of webhooks. It runs until the process ends."""
Works = dict[str, Sequence[Due]]
MOST_OF_WORKER, MOST_OF_API = 40, 30
"""Statements a minute, with those that begin and end transactions."""
MOST_OF_FOUR = 1.3
"""Times what one idle worker asks."""


class Statements:
    """The statements of some pools and of direct connections, as the driver sends them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        connect = Dsn.connect

        async def counted_connect(dsn: Dsn, *arguments: Any) -> Connection:
            return self._count(await connect(dsn, *arguments))

        monkeypatch.setattr(Dsn, "connect", counted_connect)

    def count_pool(self, pool: Pool) -> None:
        """Count all statements of a pool from now on."""
        engine = pool.engine.sync_engine
        event.listen(engine, "connect", lambda connection, _: self._count(connection.driver_connection))
        # Those of SQLAlchemy's cursors are prepared, which the driver's logger leaves out.
        event.listen(engine, "before_cursor_execute", lambda _c, _x, statement, *_: self.texts.append(statement))

    def _count(self, connection: Connection) -> Connection:
        connection.add_query_logger(lambda record: self.texts.append(record.query))
        return connection


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture
async def works(stack: Stack, tmp_path: Path) -> Works:
    """Return the due rows of all tasks of a worker, by the names of the tasks."""
    settings = stack.settings.model_copy(update={"storage": f"file:{tmp_path}"})
    async with open_parts(settings, stack.worker_database) as parts:
        watch, pace = LatePostWatch(stack.database), BulkPace(parts.bulk_starts_per_s, lambda: False)
        tasks = worker_tasks(stack.client, parts, stack.workflows, pace, watch, Retention(), WorkerPolicy())
    return {task.postponed: task.due for task in tasks if task.due}


async def rates(
    tasks: Iterable[BackgroundTask], watch: LatePostWatch, statements: Statements, policy: LeasePolicy
) -> dict[str, float]:
    """Count a round of each task after its first one, and return its statements a minute in an idle process.

    A worker that rests does only the rounds of tasks that need no lease.
    """
    by_task = dict[str, float]()
    # By its leases a worker leads or rests.
    for task in sorted(tasks, key=lambda task: task.postponed != "leases.not_renewed"):
        if policy.rests and isinstance(turns := getattr(task.turn, "__self__", None), _Turns) and turns._names:
            continue
        if task.postponed == _LISTENS:
            by_task[_LISTENS] = 60 / notifications._EVERY_IDLE_S
            continue
        await task.work()
        watch._saved_at = float("-inf")
        statements.texts.clear()
        await task.work()
        every_s = task.every_s() if callable(task.every_s) else task.every_s
        every_s = max(every_s, task.rests_s) if task.due else every_s
        every_s = late_posts._SAVED_EVERY_S if task.postponed == "state.not_kept" else every_s
        every_s = policy.pause_s if task.postponed == "leases.not_renewed" else every_s
        by_task[task.postponed] = by_task.get(task.postponed, 0) + 60 * len(statements.texts) / every_s
    return by_task


def let_time_pass(policy: WorkerPolicy) -> None:
    """Let a worker have begun a while ago."""
    policy._active_until = float("-inf")


def open_counted(url: str, component: Component, statements: Statements) -> Database:
    """Return a process's database, whose statements are counted."""
    database = Database(url_as(url, component))
    for pool in (database, database.answers, database.locks):
        statements.count_pool(pool)
    return database


async def test_an_idle_process_asks_little(
    stack: Stack, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database.dsn.url.render_as_string(hide_password=False)
    statements = Statements(monkeypatch)
    settings = stack.settings.model_copy(update={"storage": f"file:{tmp_path}"})
    own = open_counted(url, Component.WORKER, statements)
    async with open_parts(settings, own) as parts:
        watch = LatePostWatch(own, readiness=Readiness(own, stack.workflows.queues, storage=parts.storage))
        pace = BulkPace(parts.bulk_starts_per_s, lambda: False)
        policies, of_workers = [WorkerPolicy(), WorkerPolicy()], list[dict[str, float]]()
        for policy in policies:
            let_time_pass(policy)
            tasks = worker_tasks(stack.client, parts, stack.workflows, pace, watch, Retention(), policy)
            of_workers.append(await rates(tasks, watch, statements, policy))
            async with database.transaction() as session:
                await session.execute(text("UPDATE leases SET until = now() + interval '1 min' WHERE name = 'lead'"))
    await own.close()
    assert [policy.rests for policy in policies] == [False, True]
    assert policies[1].pause_s >= REST_S[0]
    of_worker, of_further = of_workers
    assert of_worker["state.not_kept"] == 60 / late_posts._SAVED_EVERY_S

    own = open_counted(url, Component.API, statements)
    watch = LatePostWatch(own, readiness=Readiness(own, stack.workflows.queues))
    schema, api_policy = SchemaCheck(own), LeasePolicy()
    leases = Leases(own, watch.hear, schema.hear, policy=api_policy)
    watching = [leases.leased(task, WATCH) for task in watch.tasks()]
    of_api = await rates([*watching, leases.task(), schema.task()], watch, statements, api_policy)
    await own.close()
    further = sum(of_further.values())
    # An API may have the state's lease. Then the lead renews its leases more often.
    without = of_worker | {"state.not_kept": 0, "watch.postponed": 0, "leases.not_renewed": 60 / _LEAD_EVERY_S}
    for lead in (of_worker, without):
        one = sum(lead.values())
        assert one <= MOST_OF_WORKER, lead
        assert one + 3 * further <= MOST_OF_FOUR * one, (lead, of_further)
    assert sum(of_api.values()) <= MOST_OF_API, of_api


async def test_a_listener_without_endpoints_asks_once_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moves on the place from which events are read all the same."""
    monkeypatch.setattr(notifications, "_EVERY_S", 0.01)
    statements = Statements(monkeypatch)
    async with database.transaction() as session:
        await session.execute(text("UPDATE delivery_progress SET at = '2020-01-01'"))
    async with aclosing(endpoints_to_wake(database, 0)) as news:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await anext(news)
    assert len([query for query in statements.texts if "make_deliveries" in query]) == 1
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT at > now() - interval '1 min' FROM delivery_progress"))


async def test_an_idle_service_has_no_work(database: Database, works: Works) -> None:
    answer = await beat(database, "", (), DURATION, works)
    assert answer.work == set()


async def test_leases_do_not_wait_for_a_table_that_is_locked(database: Database, works: Works) -> None:
    impatient = Database(
        database.dsn.url.render_as_string(hide_password=False), limits=TimeLimits(statement=5, lock=0.05)
    )
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE posts, campaigns IN ACCESS EXCLUSIVE MODE"))
        answer = await beat(impatient, "me", ["sweep"], DURATION, works)
    assert (answer.leases, answer.work) == (frozenset({"sweep"}), frozenset())
    await impatient.close()


async def test_changes_are_work_for_their_tasks(database: Database, works: Works) -> None:
    async with database.transaction() as session:
        for row in _ROWS:
            await session.execute(text(row))
    assert (await beat(database, "", (), DURATION, works)).work == set()
    for change, names in _WORK.items():
        async with database.transaction() as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text(change))
            work = await session.scalar(text(f"SELECT {work_query(works)}"))
            assert {name.partition(".")[0] for name in work} == names, change
            await session.rollback()
