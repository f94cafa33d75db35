"""Posts that tests send with the store's functions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import PostStatus
from store.announcer import CHANNEL
from store.database import Database
from store.models import Attempt, Post, Target
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.posts.queries import find_post
from store.publishing.sending import begin_send

ROUNDS = 60


async def save(
    database: Database, workspace: str, targets: int = 2, status: PostStatus = PostStatus.PUBLISHING
) -> Post:
    content = PostContent(
        content="text", targets=[TargetContent(platform="twitter", account_id=f"tw_{n}") for n in range(targets)]
    )
    now = datetime.now(UTC)
    post = new_columns(
        post_id := new_id("post"), workspace, post_id, content, status=status, due_at=now, now=now
    ).as_post()
    await create_post(database, post)
    return await read(database, post)


async def read(database: Database, post: Post) -> Post:
    async with database.transaction() as session:
        stored = await find_post(session, post.workspace_id, post.id)
    assert stored is not None
    return stored


async def attempts(database: Database, target: Target) -> list[Attempt]:
    async with database.transaction() as session:
        query = select(Attempt).where(Attempt.target_id == target.id).order_by(Attempt.id)
        return list(await session.scalars(query))


async def put(database: Database, target: Target, **values: object) -> None:
    async with database.transaction() as session:
        await session.execute(update(Target).where(Target.id == target.id).values(**values))


async def begin(
    database: Database,
    target: Target,
    prepared: Attempt | None = None,
    handles: tuple[int, dict[str, object] | None] = (0, None),
) -> Attempt:
    attempt = await begin_send(database, target.id, 1, prepared, *handles)
    assert isinstance(attempt, Attempt)
    return attempt


@asynccontextmanager
async def announcements(database: Database) -> AsyncIterator[list[str]]:
    """Collect the ids of the posts that were announced during the block."""
    heard: list[str] = []
    ended = asyncio.Event()

    def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        ended.set() if payload == "end" else heard.append(str(payload))

    url = make_url(database.engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    # The posts of the tests before are announced before anybody listens.
    await database.announcer.flush()
    await connection.add_listener(CHANNEL, hear)
    try:
        yield heard
        await database.announcer.flush()
        # Notifications come in the order of the commits: after this one, all are there.
        await connection.execute(f"NOTIFY {CHANNEL}, 'end'")
        async with asyncio.timeout(60):
            await ended.wait()
    finally:
        await connection.close()
