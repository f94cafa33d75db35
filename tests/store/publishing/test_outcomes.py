"""Waiters are notified of changes; one query a second replaces lost notifications for all of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from domain.content import PostContent
from domain.ids import new_id
from domain.post import PostStatus
from store.announcer import Outcomes, Waiters, announce
from store.database import Database
from store.models import Post
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.workspaces.keys import create_workspace
from tests.store.posts.test_contents import NOW


@pytest.fixture
async def outcomes(database: Database) -> AsyncIterator[Outcomes]:
    outcomes = Outcomes(database.dsn.url.render_as_string(hide_password=False))
    await outcomes.start()
    yield outcomes
    await outcomes.close()


async def save(database: Database) -> Post:
    async with database.transaction() as session:
        workspace_id = await create_workspace(session, new_id("w"))
        post_id = new_id("post")
        content = PostContent(content="x")
        post = new_columns(
            post_id, workspace_id, post_id, content, status=PostStatus.DRAFT, due_at=None, now=NOW
        ).as_post()
    await create_post(database, post)
    return post


async def change(database: Database, post: Post) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE posts SET content = 'y' WHERE id = :id"), {"id": post.id})


class CountedChecks:
    def __init__(self, database: Database, post: Post) -> None:
        self.number = 0
        self._database = database
        self._post = post

    async def done(self) -> bool:
        self.number += 1
        async with self._database.reading() as session:
            query = text("SELECT content FROM posts WHERE id = :id")
            return bool(await session.scalar(query, {"id": self._post.id}) != "x")


async def test_a_change_whose_notification_is_lost_is_found(database: Database, outcomes: Outcomes) -> None:
    post = await save(database)
    checks = CountedChecks(database, post)
    waiting = asyncio.create_task(outcomes.wait(post.id, checks.done, 60))
    # At the beginning, and when the post was seen for the first time.
    async with asyncio.timeout(60):
        while checks.number < 2:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    await asyncio.sleep(2.2)
    assert checks.number == 2
    await change(database, post)
    async with asyncio.timeout(60):
        assert await waiting


async def test_a_deleted_post_is_found(database: Database, outcomes: Outcomes) -> None:
    post = await save(database)
    waiting = asyncio.create_task(outcomes.wait(post.id, CountedChecks(database, post).done, 60))
    await asyncio.sleep(1.2)
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM posts WHERE id = :id"), {"id": post.id})
    async with asyncio.timeout(60):
        assert await waiting


async def test_a_notification_ends_the_wait_immediately(
    database: Database, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_nothing(_: object) -> None:
        """Replace the query that finds what no notification tells, of this listener only."""

    monkeypatch.setattr(outcomes, "_poll", read_nothing)
    post = await save(database)
    checks = CountedChecks(database, post)
    waiting = asyncio.create_task(outcomes.wait(post.id, checks.done, 60))
    await asyncio.sleep(1.5)
    await change(database, post)
    async with database.transaction() as session:
        announce(session, post.id)
    async with asyncio.timeout(60):
        assert await waiting


async def test_waits_end_at_their_timeout(database: Database, outcomes: Outcomes) -> None:
    post = await save(database)
    async with asyncio.timeout(60):
        assert not await outcomes.wait(post.id, CountedChecks(database, post).done, 0.3)


async def test_a_cancellation_counts_that_comes_with_the_news() -> None:
    async def never() -> bool:
        return False

    waiters = Waiters()
    waiting = asyncio.create_task(waiters.wait("post", never, 5))
    await asyncio.sleep(0)
    waiters.wake(["post"])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
