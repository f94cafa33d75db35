"""The export of a workspace: a file of JSON lines for each table, the bytes of the uploads, and a manifest."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.exporting.folder import MANIFEST, ExportFolder
from cli.workspaces import existing_workspace
from domain.schedule import rfc3339
from runtime.settings import Settings
from storage.base import ObjectMissing, Storage, StorageError
from storage.opening import opened_storage
from store.database import Database
from store.maintenance.exports import LEFT_OUT_COLUMNS, LEFT_OUT_TABLES, exported_tables, keys, read_page
from store.maintenance.owned_tables import OwnedTable, list_ready_uploads
from store.models import Upload

PAGE = 100
"""Rows of one query. A post with its targets can have some megabytes."""
_BATCH = 200
UPLOADS = "uploads"
AGAIN = "run the command again, and it continues"


async def export_workspace(workspace: str, to: Path, data_dir: Path | None) -> AsyncIterator[str]:
    """Write all rows and files of a workspace into a folder, and yield what was written. Raises UserError."""
    environment = find_environment(data_dir, Settings)
    async with open_database(environment) as database:
        async with database.reading() as session:
            workspace_id = await existing_workspace(session, workspace)
        folder = ExportFolder(to, workspace_id)
        for owned in exported_tables():
            name = f"{owned.table.name}.jsonl"
            if not folder.is_finished(name):
                await _export_table(database, folder, workspace_id, owned, name)
                yield name
        missing = await _export_uploads(database, folder, workspace_id, environment.settings.storage)
        yield UPLOADS
        facts = {
            "workspace": workspace_id,
            "exportedAt": rfc3339(datetime.now(UTC)),
            "leftOut": {"tables": dict(LEFT_OUT_TABLES), "columns": sorted(LEFT_OUT_COLUMNS)},
            "missingUploads": missing,
        }
        await asyncio.to_thread(folder.write_manifest, facts)
        yield f"{MANIFEST}: the export is complete."


async def _export_table(
    database: Database, folder: ExportFolder, workspace_id: str, owned: OwnedTable, name: str
) -> None:
    last = folder.last_row(name)
    while True:
        after = None if last is None else [str(last[key]) for key in keys(owned.table)]
        async with database.reading() as session:
            rows = await read_page(session, workspace_id, owned, after, PAGE)
        await asyncio.to_thread(folder.append, name, rows)
        if len(rows) < PAGE:
            break
        last = json.loads(rows[-1])
    folder.finish(name)


async def _export_uploads(
    database: Database, folder: ExportFolder, workspace_id: str, address: str | None
) -> list[str]:
    """Write the bytes of all uploads; return the ids of those whose bytes are not in the store."""
    missing = list[str]()
    async with opened_storage(address) as storage:
        after = ""
        while uploads := await _ready_uploads(database, workspace_id, after):
            for upload in uploads:
                name = f"{UPLOADS}/{upload.id}"
                if not folder.is_finished(name) and not await _write_upload(storage, folder, upload, name):
                    missing.append(upload.id)
            after = uploads[-1].id
    return missing


async def _ready_uploads(database: Database, workspace_id: str, after: str) -> Sequence[Upload]:
    async with database.reading() as session:
        return await list_ready_uploads(session, workspace_id, after, _BATCH)


async def _write_upload(storage: Storage | None, folder: ExportFolder, upload: Upload, name: str) -> bool:
    if storage is None:
        raise UserError(f"The workspace has uploads: set SOCIALSYNCER_STORAGE as the api has it, then {AGAIN}.")
    try:
        with folder.new_file(name) as file:
            async for piece in storage.read(upload.key, etag=upload.etag or ""):
                await asyncio.to_thread(file.write, piece)
    except ObjectMissing:
        return False
    except StorageError as error:
        raise UserError(f"The store of uploads cannot be used: {error}. Later {AGAIN}.") from error
    return True
