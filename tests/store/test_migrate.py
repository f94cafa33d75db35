"""Migrations beside running processes: their order, their locks, and what they refuse."""

import asyncio
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from store.database import OF_REQUESTS, Database
from store.migrate import Migration, upgrade
from store.roles import Component
from store.schema.revisions import SchemaError, check_schema, fitting_revision, revisions
from tests.databases import ROLES, empty_database, new_database, url_as
from tests.store.versions import statement, versions_folder, write_migration

ADD_COLUMN = statement("ALTER TABLE posts ADD COLUMN test_note text")
FIRST = revisions()[-1].name


@pytest.fixture
async def url(postgres_url: str) -> str:
    return await new_database(postgres_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return versions_folder(tmp_path)


async def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the owner, each in a transaction of its own, and return the last one's rows."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        rows = [await connection.fetch(sql) for sql in statements][-1]
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


def names(migration: Migration) -> tuple[list[str], list[str]]:
    return [revision.name for revision in migration.applied], [revision.name for revision in migration.remaining]


async def test_a_repeated_migration_does_nothing(url: str) -> None:
    assert names(await upgrade(url)) == ([], [])


async def test_an_empty_database_gets_every_migration_and_its_states(postgres_url: str, folder: Path) -> None:
    added = write_migration(folder, ADD_COLUMN)
    removed = write_migration(
        folder, statement("ALTER TABLE posts DROP COLUMN test_note"), f'UNUSED_SINCE = "{added}"', kind="contract"
    )
    url = await empty_database(postgres_url)
    migration = await upgrade(url, folder=folder)
    assert names(migration) == ([revision.name for revision in revisions(folder)], [])
    rows = await run(url, "SELECT revision, kind FROM schema_states ORDER BY 1")
    assert rows[-2:] == [(added, "expand"), (removed, "contract")]


async def test_two_migrations_at_a_time_apply_each_change_once(url: str, folder: Path) -> None:
    added = write_migration(folder, ADD_COLUMN)
    both = await asyncio.gather(upgrade(url, folder=folder), upgrade(url, folder=folder))
    assert sorted(names(migration)[0] for migration in both) == [[], [added]]


async def test_a_change_behind_a_long_reader_refuses_no_request(url: str, folder: Path) -> None:
    write_migration(folder, ADD_COLUMN)
    reader = await asyncpg.connect(url.replace("+asyncpg", ""))
    transaction: Any = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT count(*) FROM posts")
    database = Database(url_as(url, Component.API), limits=OF_REQUESTS)
    migrating = asyncio.create_task(upgrade(url, ROLES, folder=folder))
    waits = []
    began = time.monotonic()
    try:
        while not migrating.done():
            asked_at = time.monotonic()
            # A refused request raises.
            await database.rows("SELECT id FROM posts LIMIT 1")
            waits.append(time.monotonic() - asked_at)
            if transaction is not None and time.monotonic() - began > 3:
                await transaction.rollback()
                transaction = None
            await asyncio.sleep(0.02)
        assert names(await migrating)[0] != []
    finally:
        await database.close()
        await reader.close()
    assert time.monotonic() - began > 3, "it waited for the reader"
    # Some have waited behind the change, and each only until it gave up.
    assert 1 < max(waits) < 4


async def test_a_table_that_stays_locked_is_reported(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.migrate._PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr("store.migrate._LOCK_TIMEOUT", "100ms")
    added = write_migration(folder, ADD_COLUMN)
    reader = await asyncpg.connect(url.replace("+asyncpg", ""))
    async with reader.transaction():
        await reader.fetch("SELECT count(*) FROM posts")
        with pytest.raises(SchemaError, match=f"lock that migration {added} needs, in 3 tries"):
            await upgrade(url, folder=folder)
    await reader.close()
    assert names(await upgrade(url, folder=folder)) == ([added], [])


async def test_an_index_is_built_beside_a_reader_and_writers(url: str, folder: Path) -> None:
    change = 'online.create_index(op.get_bind(), "posts_test", "posts (updated_at)")'
    added = write_migration(folder, change, "IN_TRANSACTION = False")
    reader = await asyncpg.connect(url.replace("+asyncpg", ""))
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("SELECT count(*) FROM posts")
        migrating = asyncio.create_task(upgrade(url, folder=folder))
        await asyncio.sleep(3)
        assert not migrating.done(), "it waits for the reader"
        began = time.monotonic()
        await run(url, "UPDATE posts SET content = content")
        assert time.monotonic() - began < 2
    assert names(await migrating) == ([added], [])
    await reader.close()
    assert await run(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'posts_test'::regclass") == [(True,)]


async def test_an_interrupted_index_is_built_again(url: str, folder: Path) -> None:
    change = 'online.create_index(op.get_bind(), "workspaces_test", "workspaces ((1 / length(name)))", unique=True)'
    added = write_migration(folder, change, "IN_TRANSACTION = False")
    await run(url, "INSERT INTO workspaces (id, name) VALUES ('ws_a', '')")
    with pytest.raises(Exception, match="division by zero"):
        await upgrade(url, folder=folder)
    await run(url, "DELETE FROM workspaces")
    assert names(await upgrade(url, folder=folder)) == ([added], [])


async def test_an_index_that_a_killed_migration_still_builds_is_waited_for(url: str, folder: Path) -> None:
    """The server continues to build it after its client was killed."""
    change = 'online.create_index(op.get_bind(), "posts_test", "posts (updated_at)")'
    added = write_migration(folder, change, "IN_TRANSACTION = False")
    reader = await asyncpg.connect(url.replace("+asyncpg", ""))
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("SELECT count(*) FROM posts")
        left_behind = asyncio.create_task(run(url, "CREATE INDEX CONCURRENTLY posts_test ON posts (updated_at)"))
        while not await run(url, "SELECT 1 FROM pg_indexes WHERE indexname = 'posts_test'"):  # noqa: ASYNC110 no event
            await asyncio.sleep(0.05)
        migrating = asyncio.create_task(upgrade(url, folder=folder))
        # PostgreSQL searches for a deadlock after a second.
        await asyncio.sleep(3)
    await left_behind
    assert names(await migrating) == ([added], [])
    await reader.close()
    assert await run(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'posts_test'::regclass") == [(True,)]


@pytest.mark.parametrize(
    ("kind", "constant"), [("backfill", "pass"), ("expand", "IN_TRANSACTION = False"), ("expand", "pass")]
)
async def test_a_migration_that_ended_before_it_was_recorded_is_repeated(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, constant: str
) -> None:
    added = write_migration(folder, statement("SELECT 1"), constant, kind=kind)
    with monkeypatch.context() as killed:
        killed.setattr("store.migrate._RECORD", text("SELECT 1 / 0"))
        with pytest.raises(DBAPIError, match="division by zero"):
            await upgrade(url, folder=folder)
    assert names(await upgrade(url, folder=folder)) == ([added], [])
    assert names(await upgrade(url, folder=folder)) == ([], [])


async def test_rows_are_filled_in_batches(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.schema.online.BATCH", 2)
    await run(url, "INSERT INTO workspaces (id, name) SELECT 'ws_' || n, n::text FROM generate_series(1, 5) n")
    write_migration(folder, statement("ALTER TABLE workspaces ADD COLUMN note text, ADD COLUMN batch xid8"))
    batch = (
        "UPDATE workspaces SET note = name, batch = pg_current_xact_id() WHERE id IN"
        " (SELECT id FROM workspaces WHERE note IS NULL LIMIT :batch)"
    )
    write_migration(folder, f"online.run_in_batches(op.get_bind(), {batch!r})", kind="backfill")
    await upgrade(url, folder=folder)
    counts = await run(url, "SELECT count(*) FROM workspaces WHERE note = name GROUP BY batch ORDER BY 1")
    assert counts == [(1,), (2,), (2,)], "each batch was a transaction of its own"


async def test_a_contract_is_a_step_of_its_own(url: str, folder: Path) -> None:
    added = write_migration(folder, ADD_COLUMN)
    removed = write_migration(
        folder, statement("ALTER TABLE posts DROP COLUMN test_note"), f'UNUSED_SINCE = "{added}"', kind="contract"
    )
    assert names(await upgrade(url, folder=folder)) == ([added], [removed])
    assert names(await upgrade(url, folder=folder)) == ([], [removed])
    assert names(await upgrade(url, folder=folder, contract=True)) == ([removed], [])


async def test_an_expansion_after_a_contract_needs_the_contract_first(url: str, folder: Path) -> None:
    first = write_migration(folder, ADD_COLUMN)
    contract = write_migration(
        folder, statement("ALTER TABLE posts DROP COLUMN test_note"), f'UNUSED_SINCE = "{first}"', kind="contract"
    )
    write_migration(folder, statement("ALTER TABLE posts ADD COLUMN test_other text"))
    with pytest.raises(SchemaError, match=f"{contract} must be applied first.*migrate --contract"):
        await upgrade(url, folder=folder)
    assert len(names(await upgrade(url, folder=folder, contract=True))[0]) == 3


async def test_older_code_works_on_a_newer_schema_until_a_contract(url: str, folder: Path) -> None:
    added = write_migration(folder, ADD_COLUMN)
    await upgrade(url, folder=folder)
    migration = await upgrade(url, ROLES)
    assert (names(migration), migration.newer) == (([], []), added)
    database = Database(url_as(url, Component.API))
    assert await check_schema(database) == added
    write_migration(
        folder, statement("ALTER TABLE posts DROP COLUMN tags CASCADE"), f'UNUSED_SINCE = "{added}"', kind="contract"
    )
    await upgrade(url, folder=folder, contract=True)
    with pytest.raises(SchemaError, match="has removed what version"):
        await upgrade(url)
    with pytest.raises(SchemaError, match="has removed what version"):
        await check_schema(database)
    await database.close()


async def test_a_running_process_reads_no_migrations_of_newer_files(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(url, ROLES)
    database = Database(url_as(url, Component.API))
    try:
        revision = await check_schema(database)
        write_migration(folder, ADD_COLUMN)
        monkeypatch.setattr(revisions, "__defaults__", (folder,))
        assert await check_schema(database) == revision
    finally:
        await database.close()


async def test_newer_code_refuses_an_older_schema(url: str, folder: Path) -> None:
    added = write_migration(folder, ADD_COLUMN)
    applied = [
        {"revision": revision.name, "unused_since": None, "version": "0.2.0"}
        for revision in revisions(folder)
        if revision.name != added
    ]
    with pytest.raises(SchemaError, match=f"lacks {added}. Run `socialsyncer migrate`"):
        fitting_revision(applied, revisions(folder))
    contract = write_migration(folder, "pass", f'UNUSED_SINCE = "{added}"', kind="contract")
    applied.append({"revision": added, "unused_since": None, "version": "0.2.0"})
    assert fitting_revision(applied, revisions(folder)) == added
    write_migration(folder, "pass")
    with pytest.raises(SchemaError, match=f"lacks {contract}"):
        fitting_revision(applied, revisions(folder))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("ALTER TABLE posts ADD COLUMN mine int", "posts"),
        ("ALTER TABLE posts ALTER COLUMN workflow_id DROP NOT NULL", "posts"),
        ("ALTER TABLE targets DROP COLUMN account_id CASCADE", "targets"),
        (
            "CREATE OR REPLACE FUNCTION keep_post_tags_v1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
            r"keep_post_tags_v1\(\)",
        ),
        ("DROP TABLE late_posts", "late_posts"),
    ],
)
async def test_a_schema_changed_by_hand_is_refused(url: str, change: str, name: str) -> None:
    await run(url, change)
    with pytest.raises(SchemaError, match=rf"It was changed by hand: {name}\. Undo that"):
        await upgrade(url)


async def test_indexes_and_tables_of_an_owner_are_accepted(url: str) -> None:
    await run(url, "CREATE INDEX of_the_owner ON posts (content)", "CREATE TABLE of_the_owner_too (id int)")
    await upgrade(url)


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE schema_states"],
        ["DROP TABLE alembic_version"],
        ["DELETE FROM alembic_version"],
    ],
)
async def test_tables_that_no_release_has_made_are_refused(url: str, statements: list[str]) -> None:
    await run(url, *statements)
    with pytest.raises(SchemaError, match="no released version has made"):
        await upgrade(url)


async def test_a_database_of_the_version_that_was_never_released_is_refused(url: str) -> None:
    await run(url, "UPDATE schema_states SET version = '0.1.0'")
    with pytest.raises(SchemaError, match="Export its workspaces"):
        await upgrade(url)


async def test_a_revision_that_was_edited_is_refused(url: str, folder: Path) -> None:
    first = folder / "0001_baseline.py"
    await asyncio.to_thread(first.write_text, first.read_text() + "\n# Edited.\n")
    with pytest.raises(SchemaError, match="0001 of the database's schema was made by code that was never released"):
        await upgrade(url, folder=folder)
