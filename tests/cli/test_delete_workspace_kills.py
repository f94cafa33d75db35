"""`socialsyncer workspaces delete` as a process that is killed again and again: it continues, and nothing is left."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from domain.workspaces import DeletionStep
from store.models import AuditEvent, Deletion, Post
from tests.cli.commands import bare, production
from tests.stack import Stack
from tests.store.maintenance.filled_workspace import tables_with
from tests.workspaces import new_workspace

__all__ = ["bare", "production"]

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
POSTS = 3_000
_COPIES = text("""
INSERT INTO posts SELECT (jsonb_populate_record(posts, jsonb_build_object(
  'id', 'post_' || lpad(to_hex(number), 32, '0'), 'workflow_id', workspace_id || '/' || number))).*
FROM posts CROSS JOIN generate_series(1, :most) AS number WHERE id = :id
""")


async def delete_workspace(workspace_id: str) -> Process:
    """Begin the command; its name is that of the workspace."""
    command = (sys.executable, "-m", "cli.main", "workspaces", "delete", workspace_id, "--confirm", "killed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        *command, "--without-revoking", env=environment, stdout=PIPE, stderr=DEVNULL
    )


async def count(stack: Stack, table: type[Post] | type[AuditEvent]) -> int:
    async with stack.database.reading() as session:
        own = select(func.count()).where(table.workspace_id == stack.workspace_id)
        return await session.scalar(own) or 0


async def test_a_deletion_that_is_killed_continues(production: Stack) -> None:
    async with new_workspace(production) as own:
        async with own.database.transaction() as session:
            await session.execute(
                text("UPDATE workspaces SET name = 'killed' WHERE id = :id"), {"id": own.workspace_id}
            )
        post = await own.save("copied", [own.accounts["plain"]], due_in=timedelta(days=30))
        async with own.database.transaction() as session:
            await session.execute(_COPIES, {"most": POSTS, "id": post.id})
        for table, fraction in ((Post, 0.75), (Post, 0.3), (AuditEvent, 0.6), (AuditEvent, 0.2)):
            process = await delete_workspace(own.workspace_id)
            async with asyncio.timeout(60):
                # The trail of the posts' creation is written when they are deleted.
                while table is AuditEvent and await count(own, Post):  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.02)
                while await count(own, table) > POSTS * fraction:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            process.kill()
            assert await process.wait() < 0, "the command had ended"
            async with own.database.transaction() as session:
                # Requests of before have ended.
                ended = {"begun_at": func.now() - timedelta(hours=1)}
                await session.execute(update(Deletion).values(**ended))
        process = await delete_workspace(own.workspace_id)
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        assert await tables_with(own.database, [own.workspace_id]) == {"deletions"}
        async with own.database.reading() as session:
            deletion = await session.get_one(Deletion, own.workspace_id)
        assert (deletion.step, deletion.counts["posts"]) == (DeletionStep.DONE, POSTS + 1)
