"""Imports are kept for 30 days, and no workspace keeps more than its number of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.ids import first_id, new_id
from store.database import Database
from store.models import Import, ImportedRow
from store.posts.imports import (
    KEPT,
    RowBefore,
    add_import,
    delete_old_imports,
    delete_old_rows,
    delete_surplus_imports,
    find_rows_before,
    save_rows,
)
from tests.databases import add_workspace

NOW = datetime.now(UTC)


async def add(database: Database, workspace_id: str, at: datetime, results: int = 0) -> str:
    import_id = first_id("imp", at)
    values = {
        "id": import_id,
        "workspace_id": workspace_id,
        "created_at": at,
        "created_by": new_id("key"),
        "counts": {"created": results},
        "warnings": [],
    }
    async with database.transaction() as session:
        await add_import(session, values, json.dumps([{"row": row} for row in range(results)]))
    return import_id


async def stored(database: Database, workspace_id: str) -> set[str]:
    async with database.transaction() as session:
        return set(await session.scalars(select(Import.id).where(Import.workspace_id == workspace_id)))


async def test_old_imports_are_deleted(database: Database) -> None:
    workspace_id = await add_workspace(database)
    await add(database, workspace_id, NOW - KEPT - timedelta(seconds=1))
    young = await add(database, workspace_id, NOW - KEPT + timedelta(seconds=1))
    async with database.transaction() as session:
        assert await delete_old_imports(session, NOW, 10) == 1
    assert await stored(database, workspace_id) == {young}


async def test_the_newest_imports_of_each_workspace_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.posts.imports.MOST_IMPORTS", 2)
    first, second = await add_workspace(database), await add_workspace(database)
    ids = [await add(database, first, NOW + timedelta(seconds=number)) for number in range(4)]
    other = await add(database, second, NOW - timedelta(days=1))
    async with database.transaction() as session:
        assert await delete_surplus_imports(session, NOW, 10) == 2
    assert (await stored(database, first), await stored(database, second)) == (set(ids[2:]), {other})


async def test_a_deleted_post_of_a_row_is_known_for_a_year(database: Database) -> None:
    workspace_id, now = await add_workspace(database), datetime.now(UTC)
    rows = {name: RowBefore(new_id("post"), {"content": name}, {}) for name in ("old", "young", "exists")}
    async with database.transaction() as session:
        await save_rows(session, workspace_id, rows)
        for name, days in (("old", 366), ("young", 364)):
            row = await session.get(ImportedRow, (workspace_id, name))
            assert row is not None
            row.deleted_at = now - timedelta(days=days)
    async with database.transaction() as session:
        assert await delete_old_rows(session, now, 10) == 1
        known = await find_rows_before(session, workspace_id, rows)
    assert {name: row.row_cells for name, row in known.items()} == {
        "young": {"content": "young"},
        "exists": {"content": "exists"},
    }
