"""`socialsyncer workspaces delete` and `deletions`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.service import RPCError

from cli.current_operator import current_operator
from cli.environment import find_environment, open_database
from cli.erasing.accounts import await_revocations, erase_accounts
from cli.erasing.rows import AGAIN, ErasedWorkspace, erase_posts, erase_rows, erase_runs, erase_uploads
from cli.errors import UserError
from cli.temporal_client import temporal_client
from domain.errors import Unavailable
from domain.schedule import rfc3339
from domain.workspaces import DeletionStep
from runtime.settings import Settings
from storage.opening import opened_storage
from store.database import Database
from store.maintenance.deletions import begin_deletion, find_deletion, finish_deletion, list_deletions, record_step
from store.maintenance.owned_tables import count_posts
from store.models import Deletion
from store.workspaces.keys import find_workspace, name_of_workspace

HEARD_AFTER_S = 5.0
"""Seconds after which every API process refuses the keys."""
REQUESTS_END_AFTER = timedelta(seconds=120)
"""How long a request can run that was accepted before: a minute for its body, 50 seconds for many posts."""


async def delete_workspace(
    workspace: str, confirm: str, data_dir: Path | None, *, revokes: bool = True
) -> AsyncIterator[str]:
    """Delete a workspace, and yield sentences about it. An interrupted deletion is continued. Raises UserError."""
    environment = find_environment(data_dir, Settings)
    async with open_database(environment) as database:
        workspace_id = await _confirmed(database, workspace, confirm)
        if workspace_id is None:
            yield f"{workspace} is deleted already; `socialsyncer workspaces deletions` says when."
            return
        try:
            async with temporal_client(environment) as client, opened_storage(environment.settings.storage) as storage:
                erased = ErasedWorkspace(database, client, storage, workspace_id, revokes)
                async for sentence in erase(erased):
                    yield sentence
        except (RPCError, RuntimeError, Unavailable) as error:
            raise UserError(f"Temporal does not answer. The deleted rows stay deleted; later {AGAIN}.") from error


async def _confirmed(database: Database, workspace: str, confirm: str) -> str | None:
    """Return the id of a workspace whose deletion is confirmed by its name; None if it is deleted already."""
    async with database.reading() as session:
        workspace_id = await find_workspace(session, workspace)
        if workspace_id is None:
            if await find_deletion(session, workspace) is None:
                raise UserError(f"There is no workspace {workspace}.")
            return None
        name = await name_of_workspace(session, workspace_id)
    if confirm != name:
        raise UserError(f"--confirm must be the name of {workspace_id}, which is {name}.")
    return workspace_id


async def erase(erased: ErasedWorkspace) -> AsyncIterator[str]:
    """Take all steps, also those that an earlier command has taken: they find nothing. Raises UserError."""
    async with erased.database.transaction() as session:
        await begin_deletion(session, erased.workspace_id, current_operator().id or "")
    yield f"{erased.workspace_id} is closed: its keys are refused, and nothing more is sent."
    await asyncio.sleep(HEARD_AFTER_S)
    steps: Sequence[tuple[DeletionStep, Callable[[ErasedWorkspace], Awaitable[str]]]] = (
        (DeletionStep.POSTS, erase_posts),
        (DeletionStep.UPLOADS, erase_uploads),
        (DeletionStep.ACCOUNTS, erase_accounts),
        (DeletionStep.ROWS, erase_rows),
        (DeletionStep.REVOCATIONS, await_revocations),
        (DeletionStep.REQUESTS, _await_requests),
        (DeletionStep.WORKFLOWS, erase_runs),
    )
    remaining: Sequence[str] = ("",)
    while remaining:
        for name, step in steps:
            async with erased.database.transaction() as session:
                await record_step(session, erased.workspace_id, name)
            yield await step(erased)
        async with erased.database.transaction() as session:
            remaining = await finish_deletion(session, erased.workspace_id, revokes=erased.revokes)
        if remaining:
            yield f"A request that was accepted before has added rows: {', '.join(remaining)}."
    yield f"{erased.workspace_id} is deleted."
    async for sentence in _unconfirmed(erased):
        yield sentence


async def _await_requests(erased: ErasedWorkspace) -> str:
    async with erased.database.reading() as session:
        deletion = await find_deletion(session, erased.workspace_id)
    if deletion is not None:
        rest = deletion.begun_at + REQUESTS_END_AFTER - datetime.now(UTC)
        await asyncio.sleep(max(rest.total_seconds(), 0))
    return "Requests: those that were accepted before have ended."


async def _unconfirmed(erased: ErasedWorkspace) -> AsyncIterator[str]:
    async with erased.database.reading() as session:
        deletion = await find_deletion(session, erased.workspace_id)
    if deletion is not None and deletion.unconfirmed:
        yield "It was not known whether these posts are public. They may be: look at the accounts."
        for target in deletion.unconfirmed:
            yield f"  {target['postId']} to {target['platform']} {target['accountId']}"


async def describe_deletions(data_dir: Path | None) -> list[dict[str, Any]]:
    """Return the deletions of workspaces and their progress, the latest first."""
    async with open_database(find_environment(data_dir, Settings)) as database, database.reading() as session:
        rows = list[dict[str, Any]]()
        for deletion in await list_deletions(session):
            rows.append(_shown(deletion, await count_posts(session, deletion.workspace_id)))
        return rows


def _shown(deletion: Deletion, posts: int) -> dict[str, Any]:
    return {
        "workspace": deletion.workspace_id,
        "begun": rfc3339(deletion.begun_at),
        "by": deletion.begun_by,
        "step": deletion.step,
        "posts": posts,
        "deleted": deletion.counts,
        "mayBePublic": deletion.unconfirmed,
        "finished": rfc3339(deletion.finished_at) if deletion.finished_at else None,
    }
