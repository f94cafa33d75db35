"""`socialsyncer migrate` beside clients and a long reader, and killed at any moment until a run ends."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from store.migrate import upgrade
from store.roles import Component
from store.schema.revisions import revisions
from tests.databases import ROLES, new_database
from tests.releases.rolling import Clients
from tests.releases.trees import ROOT, Fleet, Tree, extended_tree
from tests.running import running_stack
from tests.store.versions import statement, write_migration
from tests.temporal import release_namespace, temporal_server

DATABASES = 6
READER_S = 8
ROWS = 600
STATES = "SELECT revision, kind, source, shape FROM schema_states ORDER BY revision"
LATEST_S = 0.8
"""The longest time from the first change of a run to its kill. The chain takes some 3 s."""
EARLY = 0.2
"""The share of runs that are killed before their first change, or at any time if they have none to apply."""


def write_chain(versions: Path) -> None:
    """Write migrations of every kind, each of which takes long enough to be killed within it."""
    pause = statement("SELECT pg_sleep(0.15)")
    slow = "CREATE FUNCTION test_slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
    body = "'BEGIN PERFORM pg_sleep(0.0005); RETURN $1; END'"
    fill = "UPDATE workspaces SET test_note = name WHERE id IN"
    batch = f"{fill} (SELECT id FROM workspaces WHERE test_note IS NULL LIMIT :batch)"
    index = 'online.create_index(op.get_bind(), "test_index", "workspaces (test_slow(test_note))")'
    in_batches = f"online.BATCH = 50\n    online.run_in_batches(op.get_bind(), {batch!r})"

    add_column = statement("ALTER TABLE workspaces ADD COLUMN test_note text")
    write_migration(versions, f"{add_column}\n    {statement(f'{slow} {body}')}\n    {pause}")
    write_migration(versions, in_batches, kind="backfill")
    write_migration(versions, index, "IN_TRANSACTION = False")
    last = write_migration(versions, f"{statement('CREATE TABLE test_table (id text PRIMARY KEY)')}\n    {pause}")
    drop = statement("ALTER TABLE targets DROP COLUMN warning")
    write_migration(versions, f"{drop}\n    {pause}", f'UNUSED_SINCE = "{last}"', kind="contract")


async def fetch(url: str, sql: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def environment(url: str, tree: Tree, temporal: WorkflowEnvironment) -> dict[str, str]:
    """Return the variables of a `migrate` of a tree, with the roles that it sets up at its end."""
    roles = {
        f"SOCIALSYNCER_{role.component.upper()}_ROLE{suffix}": value or ""
        for role in ROLES
        for suffix, value in (("", role.name), ("_PASSWORD", role.password))
    }
    return {
        **os.environ,
        **roles,
        "PYTHONPATH": str(tree.path),
        "SOCIALSYNCER_DATABASE_URL": url.replace("+asyncpg", ""),
        "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
    }


async def is_killed(tree: Tree, env: dict[str, str], chance: random.Random) -> bool:
    """Run `migrate --contract` and kill it at some time; return whether it was killed, and did not succeed before."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli.main", "migrate", "--contract"),
        env=env,
        cwd=tree.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    output = b""
    early = chance.random() < EARLY
    while not early and b"migrate.applies" not in output and (line := await process.stderr.readline()):
        output += line
    end = asyncio.create_task(process.communicate())
    await asyncio.wait({end}, timeout=chance.uniform(0, 4 * LATEST_S if early else LATEST_S))
    if not end.done():
        # It may have ended at this moment.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    _, rest = await end
    if process.returncode == -signal.SIGKILL:
        return True
    assert process.returncode == 0, (output + rest).decode()
    return False


@pytest.mark.thorough
@pytest.mark.timeout(900)
async def test_a_migration_that_is_killed_ends_right_when_it_is_run_again(
    postgres_url: str, free_namespace: WorkflowEnvironment, tmp_path: Path
) -> None:
    tree = extended_tree(tmp_path / "tree")
    versions = tree.path / "store/migrations/versions"
    write_chain(versions)
    uninterrupted = await new_database(postgres_url)
    await upgrade(uninterrupted, ROLES, contract=True, folder=versions)
    expected = await fetch(uninterrupted, STATES)
    assert [row[0] for row in expected] == [revision.name for revision in revisions(versions)]
    kills = 0
    for number in range(DATABASES):
        url, chance = await new_database(postgres_url), random.Random(number)
        await fetch(url, f"INSERT INTO workspaces (id, name) SELECT 'ws_' || n, n FROM generate_series(1, {ROWS}) n")
        await release_namespace(free_namespace.client)
        env = environment(url, tree, free_namespace)
        while await is_killed(tree, env, chance):
            kills += 1
        assert await fetch(url, STATES) == expected
        # It compares the schema with the recorded one.
        assert (await upgrade(url, ROLES, folder=versions)).applied == ()
        assert await fetch(url, "SELECT count(*) FROM workspaces WHERE test_note = name") == [(ROWS,)]
        index = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'test_index'::regclass"
        assert await fetch(url, index) == [(True,)]
    print(f"{kills} runs were killed.")  # noqa: T201
    assert kills >= DATABASES


@pytest.mark.thorough
@pytest.mark.timeout(600)
async def test_a_migration_behind_a_long_reader_costs_no_request(postgres_url: str, tmp_path: Path) -> None:
    tree, present = extended_tree(tmp_path / "tree"), Tree("the present code", ROOT)
    added = [
        write_migration(
            tree.path / "store/migrations/versions", statement(f"ALTER TABLE {table} ADD COLUMN test_note text")
        )
        for table in ("posts", "targets")
    ]
    async with temporal_server() as server, running_stack(postgres_url, server) as stack:
        fleet, clients = Fleet(stack, tmp_path / "log"), Clients(stack)
        try:
            await fleet.start(present, Component.WORKER)
            clients.urls = [(await fleet.start(present, Component.API)).url]
            sending = asyncio.create_task(clients.send_for_ever())
            reader = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
            async with reader.transaction(isolation="repeatable_read"):
                await reader.fetch("SELECT count(*) FROM posts JOIN targets ON post_id = posts.id")
                migrating = asyncio.create_task(fleet.migrate(tree))
                blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'"
                while not await fetch(stack.database_url, blocked):  # noqa: ASYNC110 PostgreSQL has no event for it
                    await asyncio.sleep(0.05)
                await asyncio.sleep(READER_S)
                assert not migrating.done()
            await reader.close()
            assert f"({', '.join(added)} applied)" in await migrating
            sending.cancel()
            await sending
            figures = await clients.count()
        finally:
            await fleet.close()
    print(figures)  # noqa: T201
    assert figures.statuses.total() > READER_S
    assert not any(figures.faults.values()), figures
