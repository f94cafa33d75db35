"""Waiting requests are notified after the commit, and never within a transaction of a step."""

import asyncio
import contextlib
import re
from pathlib import Path

import asyncpg
from sqlalchemy import text

from store import functions
from store.announcer import Announcer, announce
from store.database import Database
from store.publishing import sending, targets
from tests.store.publishing.sends import announcements

SERVING = ("store", "api", "activities", "accounts", "media", "reconcile", "runtime", "workflows")


def test_no_statement_of_a_step_notifies() -> None:
    statements = " ".join(
        str(value) for module in (sending, targets) for name, value in vars(module).items() if name.startswith("_")
    )
    names = set(re.findall(r"\b[a-z_]+_v\d+\b", statements))
    assert {"begin_send_v1", "settle_target_v1", "refresh_post_v1"} <= names
    while (
        new := {called for name in names for called in re.findall(r"\b[a-z_]+_v\d+\b(?=\()", functions.source(name))}
        - names
    ):
        names |= new
    assert [name for name in sorted(names) if "pg_notify" in functions.source(name)] == []


async def test_no_function_notifies(database: Database) -> None:
    async with database.transaction() as session:
        query = text("SELECT proname FROM pg_proc WHERE prosrc LIKE '%PERFORM pg_notify%' ORDER BY proname")
        names = list(await session.scalars(query))
    assert names == []


def test_only_the_announcer_notifies() -> None:
    root = Path(functions.__file__).parents[2]
    sources = (path for folder in SERVING for path in (root / folder).rglob("*.*") if path.suffix in {".py", ".sql"})
    assert [path.name for path in sources if re.search("pg_notify|NOTIFY ", path.read_text())] == ["announcer.py"]


async def test_a_rolled_back_change_is_not_announced(database: Database) -> None:
    async with announcements(database) as heard:
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction() as session:
                announce(session, "rolled back")
                raise ZeroDivisionError
        async with database.transaction() as session:
            announce(session, "committed", "with it")
    assert heard == ["committed", "with it"]


async def test_rows_that_arrive_while_a_transaction_runs_are_sent_by_the_next() -> None:
    batches: list[object] = []
    first_may_end = asyncio.Event()

    async def rows(_statement: str, _channel: str, batch: list[str]) -> None:
        batches.append(batch)
        await first_may_end.wait()

    announcer = Announcer(rows)
    announcer.add(["1"])
    await asyncio.sleep(0)
    for number in range(2, 700):
        announcer.add([str(number), "2"])
    first_may_end.set()
    await announcer.flush()
    rest = [str(number) for number in range(2, 700)]
    assert batches == [["1"], rest[:500], rest[500:]]


async def test_notifications_are_lost_while_the_database_is_away_and_sent_when_it_is_back() -> None:
    sent: list[str] = []
    answers: list[Exception | None] = [asyncpg.CannotConnectNowError("starting up"), None]

    async def rows(_statement: str, _channel: str, batch: list[str]) -> None:
        if error := answers.pop(0):
            raise error
        sent.extend(batch)

    announcer = Announcer(rows)
    announcer.add(["lost"])
    await announcer.flush()
    announcer.add(["sent"])
    await announcer.flush()
    assert sent == ["sent"]
