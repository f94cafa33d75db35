"""The deletion of posts beside a send."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import delete, text

from domain.attempts import AttemptState, AttemptStep
from domain.workspaces import DeletionStep
from store.maintenance.deletions import delete_posts, find_deletion
from store.models import Attempt, Deletion
from store.posts.changes import lock_post
from tests.stack import Stack
from tests.workspaces import new_workspace

_WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


async def _delete_all(stack: Stack, *, wait: bool) -> tuple[int, list[str]]:
    async with stack.database.transaction() as session:
        posts = await delete_posts(session, stack.workspace_id, "", 500, wait=wait)
        return posts.deleted, list(posts.moving)


async def test_a_send_that_begins_at_that_moment_is_seen(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        post = await own.save("sent in that moment", [own.accounts["plain"]])
        async with own.database.transaction() as session:
            # Its gate is open: this send has passed it before.
            session.add(Deletion(workspace_id=own.workspace_id, begun_by="a test", step=DeletionStep.POSTS))

        assert await _delete_all(own, wait=True) == (0, [post.id])

        async with own.database.transaction() as session:
            await lock_post(session, post.id)
            deleting = asyncio.create_task(_delete_all(own, wait=False))
            async with own.database.reading() as reader:
                while not await reader.scalar(_WAITS):  # noqa: ASYNC110 PostgreSQL has no event for it
                    await asyncio.sleep(0.02)
            sent = Attempt(target_id=post.targets[0].id, started_at=datetime.now(UTC))
            sent.step, sent.state = AttemptStep.PUBLISH, AttemptState.SENDING
            session.add(sent)
        assert await deleting == (1, [])
        async with own.database.transaction() as session:
            deletion = await find_deletion(session, own.workspace_id)
            assert deletion is not None
            assert [target["postId"] for target in deletion.unconfirmed] == [post.id]
            await session.execute(delete(Deletion).where(Deletion.workspace_id == own.workspace_id))
