"""Steps of a deletion that delete rows, files and workflows: posts, uploads, the other tables, runs."""

import asyncio
from dataclasses import dataclass

from temporalio.client import Client

from cli.errors import UserError
from storage.base import Storage, StorageError
from store.database import Database
from store.maintenance.deletions import LAST_TABLES, count_deleted, delete_posts, delete_rows
from store.maintenance.owned_tables import list_uploads, list_webhooks, owned_tables
from store.models import Account, Post, Series, Upload
from workflows.client.erasing import delete_runs, delete_webhook_runs

AGAIN = "run the command again, and it continues"
BATCH = 500
"""Rows of a transaction: no other one waits long for their locks."""
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class ErasedWorkspace:
    """The workspace that is being deleted. `revokes`: its accounts' authorizations are ended at their platforms."""

    database: Database
    client: Client
    storage: Storage | None
    workspace_id: str
    revokes: bool = True


PATIENCE_S = 120.0
"""How long the outcome of posts is waited for that are being sent. Then they are recorded as unconfirmed."""
_BY_OTHER_STEPS = frozenset({Post.__tablename__, Upload.__tablename__, Account.__tablename__})


async def erase_posts(erased: ErasedWorkspace) -> str:
    """Delete series first, because they make posts, then posts; wait for those that are being sent."""
    await _delete_table(erased, Series.__tablename__)
    loop = asyncio.get_running_loop()
    number, patient_until = 0, loop.time() + PATIENCE_S
    while True:
        last_id: str | None = ""
        any_moving = False
        while last_id is not None:
            async with erased.database.transaction() as session:
                waits = loop.time() < patient_until
                posts = await delete_posts(session, erased.workspace_id, last_id, BATCH, wait=waits)
            number, last_id = number + posts.deleted, posts.last_id
            any_moving = any_moving or bool(posts.moving)
        if not any_moving:
            return f"Posts: {number:,} deleted."
        await asyncio.sleep(POLL_S)


async def erase_uploads(erased: ErasedWorkspace) -> str:
    """Delete the bytes of each upload first, then its row: after a kill between, its bytes are deleted again."""
    number = 0
    while True:
        async with erased.database.reading() as session:
            uploads = await list_uploads(session, erased.workspace_id, BATCH)
        if not uploads:
            return f"Uploads: {number:,} deleted."
        if erased.storage is None:
            raise UserError(f"The workspace has uploads: set SOCIALSYNCER_STORAGE as the api has it, then {AGAIN}.")
        try:
            for upload in uploads:
                await _delete_bytes(erased.storage, upload)
        except StorageError as error:
            raise UserError(f"The store of uploads cannot be used: {error}. Later {AGAIN}.") from error
        async with erased.database.transaction() as session:
            for upload in uploads:
                await session.delete(upload)
            await count_deleted(session, erased.workspace_id, Upload.__tablename__, len(uploads))
        number += len(uploads)


async def _delete_bytes(storage: Storage, upload: Upload) -> None:
    if upload.multipart_id is not None:
        await storage.abort_multipart(upload.key, upload.multipart_id)
    await storage.delete(upload.key)


async def erase_rows(erased: ErasedWorkspace) -> str:
    """Delete the rows of all other tables that hold rows of the workspace."""
    async with erased.database.reading() as session:
        webhook_ids = await list_webhooks(session, erased.workspace_id)
    await delete_webhook_runs(erased.client, erased.workspace_id, webhook_ids)
    names = [owned.table.name for owned in owned_tables()]
    number = 0
    for name in names:
        if name not in _BY_OTHER_STEPS | LAST_TABLES:
            number += await _delete_table(erased, name)
    return f"Other rows: {number:,} deleted."


async def _delete_table(erased: ErasedWorkspace, name: str) -> int:
    """Delete the workspace's rows of a table; return how many there were."""
    owned = next(owned for owned in owned_tables() if owned.table.name == name)
    number = 0
    while True:
        async with erased.database.transaction() as session:
            deleted = await delete_rows(session, erased.workspace_id, owned, BATCH)
        number += deleted
        if deleted < BATCH:
            return number


async def erase_runs(erased: ErasedWorkspace) -> str:
    """Delete the workflows of posts and campaigns, with their histories."""
    number = 0
    while deleted := await delete_runs(erased.client, erased.workspace_id):
        number += deleted
        await asyncio.sleep(POLL_S)
    return f"Workflows: {number:,} deleted."
