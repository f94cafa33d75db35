"""What a network answered is written down, whatever the database's connections are doing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import persist as persisting
from activities.commands import TargetCommand
from activities.persist import persist
from activities.publish import Publishing
from domain.outcome import Outcome
from domain.post import TargetStatus
from runtime import worker
from store.database import OF_STEPS, Database
from store.models import Post
from store.sending import save_handles
from tests.stack import Stack


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    """Have one connection for everything but answers, for which nobody waits long."""
    limits = replace(OF_STEPS, connection=0.3)
    database = Database(stack.database_url, pool_size=1, max_overflow=0, limits=limits)
    yield database
    await database.close()


@asynccontextmanager
async def taken(database: Database) -> AsyncIterator[None]:
    """Hold the one connection, as somebody else's slow statement does."""
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(PoolTimeout):
            await database.row("SELECT 1")
        yield


async def while_the_network_answers(stack: Stack, database: Database, post: Post, step: asyncio.Task[Outcome]) -> None:
    """Take the connection once a send is out, until its step has ended."""
    target = post.targets[0].id
    for _ in range(500):
        sent = "SELECT 1 FROM attempts WHERE target_id = $1 AND state = 'sending'"
        if await stack.database.row(sent, target):
            break
        await asyncio.sleep(0.01)
    async with taken(database):
        await asyncio.wait_for(step, 20)


ANSWERS: dict[TargetStatus, dict[str, Any]] = {
    TargetStatus.PUBLISHED: {"fault": "accept_then_delay", "seconds": 1.5},
    TargetStatus.FAILED: {"fault": "reject", "status": 403, "body": {"title": "Forbidden"}, "hold": 1.5},
    TargetStatus.UNCONFIRMED: {"fault": "drop", "hold": 1.5},
}


@pytest.mark.parametrize("status", ANSWERS)
async def test_an_answer_waits_for_no_connection(stack: Stack, database: Database, status: TargetStatus) -> None:
    post = await stack.save(f"answered while the pool is empty: {status}", [stack.accounts["plain"]])
    await stack.fault("twitter", operation="publish", **ANSWERS[status])
    async with worker.desk(stack.settings, database) as desk:
        command = TargetCommand(post_id=post.id, target_id=post.targets[0].id, platform="twitter")
        publishing = asyncio.create_task(ActivityEnvironment().run(Publishing(desk).publish, command))
        with suppress(ApplicationError):
            await while_the_network_answers(stack, database, post, publishing)
    (target,) = (await stack.read(post.id)).targets
    assert target.status == status


async def test_a_pool_without_a_connection_is_an_outage_like_any_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisting, "_LONGEST_S", 0.1)
    tries = asyncio.Semaphore(0)

    async def write() -> Any:
        tries.release()
        return await database.row("SELECT 42 AS answer")

    async with taken(database):
        writing = asyncio.create_task(persist(write))
        for _ in range(3):
            await tries.acquire()
        assert not writing.done()
    row = await writing
    assert row["answer"] == 42


async def test_what_waits_for_a_lock_is_tried_again(
    stack: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settling transaction that waits must not keep a reserved connection for long."""
    post = await stack.save("locked by somebody", [stack.accounts["plain"]])
    locking = "SELECT 1 FROM targets WHERE id = :id FOR UPDATE"
    impatient = Database(stack.database_url, limits=replace(OF_STEPS, lock=0.1))
    tries = asyncio.Semaphore(0)

    async def write() -> bool:
        tries.release()
        return await save_handles(impatient, post.targets[0].id, {"kept": True}, 0)

    async with stack.database.transaction() as session:
        await session.execute(text(locking), {"id": post.targets[0].id})
        writing = asyncio.create_task(persist(write))
        for _ in range(2):
            await tries.acquire()
    assert await writing
    await impatient.close()


async def test_a_mistake_of_ours_is_not_tried_again(database: Database) -> None:
    tries = 0

    async def write() -> Any:
        nonlocal tries
        tries += 1
        return await database.row("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await persist(write)
    assert tries == 1


async def test_a_save_whose_commit_was_not_acknowledged_is_not_another_runs(stack: Stack) -> None:
    post = await stack.save("saved twice", [stack.accounts["plain"]])
    for _ in range(2):
        assert await save_handles(stack.database, post.targets[0].id, {"media": "1"}, 0)
    assert not await save_handles(stack.database, post.targets[0].id, {"media": "2"}, 0)
