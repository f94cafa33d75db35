"""After a promotion, posts that were created since then are not confirmed: nothing of them can be lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, text

from domain.audit import WORKER
from store.database import Database
from store.maintenance.restores import (
    begin_restore,
    confirm_if_older_than_restore,
    confirm_the_next_first,
    finish_restore,
)
from store.maintenance.servers import trust_server
from store.models import Attempt, Post, Restore, Target
from store.posts.changes import lock_post
from store.workspaces.keys import create_workspace
from tests.databases import new_database
from tests.standby import replicated_server
from tests.store.publishing.sends import save

_PROMOTE = "UPDATE trusted_server SET timeline = '00000000'"


@dataclass(frozen=True)
class Promotion:
    """Statements that make rows look as after a promotion, and what was restored."""

    after_it: str = "SELECT"
    """After the second post was created."""
    before_it: str = _PROMOTE
    temporal: bool = False


@pytest.fixture(autouse=True)
async def restores(database: Database) -> AsyncIterator[None]:
    """Trust the server of the tests afterwards, and delete its restores."""
    yield
    async with database.transaction() as session:
        await trust_server(session)
        await session.execute(delete(Restore))


async def confirmed_posts(database: Database, posts: list[Post], *, temporal: bool = False) -> list[Post]:
    """Handle a restore, and return the posts among these that are confirmed before they are sent."""
    now = datetime.now(UTC)
    async with database.transaction() as session:
        restore = await begin_restore(session, now - timedelta(minutes=1), now, database=True, temporal=temporal)
    async with database.transaction() as session:
        await confirm_the_next_first(session, restore.id, WORKER, now, 1000, ())
        await finish_restore(session, restore.id, now)
        query = select(Target.post_id).join(Attempt, Attempt.target_id == Target.id)
        confirmed = set(await session.scalars(query))
    return [post for post in posts if post.id in confirmed]


@pytest.mark.parametrize(
    ("promotion", "leaves_out"),
    {
        "promoted": (Promotion(), True),
        "trusted": (Promotion(before_it="SELECT"), False),
        "trusted before the command": (Promotion(after_it="UPDATE trusted_server SET timeline = 'T'"), False),
        "promoted twice": (Promotion(after_it="UPDATE posts SET untrusted_timeline = '00000009'"), False),
        "copied": (Promotion(after_it="UPDATE trusted_server SET identity = 'another server'"), False),
        "a server that tells nothing": (Promotion("UPDATE trusted_server SET identity = NULL, timeline = NULL"), False),
        "temporal, too": (Promotion(temporal=True), False),
    }.values(),
)
async def test_posts_of_the_promoted_server_are_not_confirmed(
    database: Database, workspace: str, promotion: Promotion, *, leaves_out: bool
) -> None:
    older = await save(database, workspace)
    await execute(database, promotion.before_it)
    newer = await save(database, workspace)
    async with database.reading() as session:
        timeline = await session.scalar(text("SELECT timeline FROM server_position_v1()"))
    await execute(database, promotion.after_it.replace("'T'", f"'{timeline}'"))
    confirmed = await confirmed_posts(database, [older, newer], temporal=promotion.temporal)
    assert confirmed == ([older] if leaves_out else [older, newer])


async def test_a_post_after_another_is_not_confirmed_if_it_was_created_since(
    database: Database, workspace: str
) -> None:
    older = await save(database, workspace)
    await execute(database, _PROMOTE)
    newer = await save(database, workspace)
    assert newer not in await confirmed_posts(database, [older, newer])
    async with database.transaction() as session:
        post = await lock_post(session, newer.id)
        assert post is not None
        await confirm_if_older_than_restore(session, post, post.created_at)
        assert not list(await session.scalars(select(Attempt.id).where(Attempt.target_id == newer.targets[0].id)))


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))


@pytest.mark.thorough
async def test_posts_created_on_a_promoted_standby_are_not_confirmed() -> None:
    with replicated_server(synchronous=True) as servers:
        url = servers.url(await new_database(servers.primary.url))
        primary, promoted = Database(url), Database(url)
        try:
            async with primary.transaction() as session:
                workspace = await create_workspace(session, "promoted")
            older = await save(primary, workspace)
            servers.primary.kill()
            servers.promote()
            newer = await save(promoted, workspace)
            assert await confirmed_posts(promoted, [older, newer]) == [older]
        finally:
            await primary.close()
            await promoted.close()
