"""The deletion of posts beside a send, and the tables that hold rows of workspaces."""

import asyncio
import re
from datetime import UTC, datetime

from sqlalchemy import delete, text

from domain.attempts import AttemptState, AttemptStep
from domain.workspaces import DeletionStep
from store.maintenance.deletions import delete_posts, find_deletion
from store.maintenance.exports import LEFT_OUT_COLUMNS, LEFT_OUT_TABLES, exported_columns, exported_tables
from store.maintenance.owned_tables import ROOT, SHARED, children, owned_tables
from store.models import Attempt, Base, Deletion
from store.posts.changes import lock_post
from tests.stack import Stack
from tests.workspaces import new_workspace

TABLES = Base.metadata.tables
_LIKE_A_SECRET = re.compile("token|secret|sha256|digest|hash|sealed|credential|handover|handle|password|private|key$")
_NO_SECRETS = {
    # Names that clients gave their requests.
    "idempotency_keys.key",
}


def test_every_table_is_of_a_workspace_or_shared() -> None:
    owned = {owned.table.name for owned in owned_tables()}
    going_along = {child.name for table in TABLES.values() for child in children(table)}
    assert {ROOT, *SHARED, *owned, *going_along} == set(TABLES), "say in store/maintenance/owned_tables.py whose rows"
    assert not {name for name in SHARED if "workspace_id" in TABLES[name].columns} - {"deletions"}


def test_no_column_that_may_hold_a_secret_is_exported() -> None:
    exported = [owned.table for owned in exported_tables()]
    for table in exported:
        exported.extend(children(table))
    columns = {f"{table.name}.{name}" for table in exported for name in exported_columns(table)}
    assert {name for name in columns if _LIKE_A_SECRET.search(name.split(".")[1])} == _NO_SECRETS
    known = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns}
    assert known >= LEFT_OUT_COLUMNS
    assert set(LEFT_OUT_TABLES) <= set(TABLES)


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
