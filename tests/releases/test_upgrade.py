"""Upgrades from each release: its schema, roles, posts, keys and accounts continue on the present code."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from domain.schedule import parse_date_time
from sandbox.journal import FILE_NAME
from store import migrate
from store.migrate import upgrade
from store.models import Account
from store.schema.revisions import Revision, read_shape
from tests.databases import ROLES, empty_database
from tests.releases.filling import KeptPost, Product, running_product, until
from tests.releases.record import uses as present_uses
from tests.releases.trees import Release, releases
from tests.running import stack_on
from tests.store.migration_rules import Uses, broken_rules
from tests.store.versions import versions_folder
from tests.temporal import temporal_server

_FUNCTIONS = """
SELECT proname, proargnames[1:pronargs] AS names,
       ARRAY(SELECT t::regtype::text FROM unnest(proargtypes::oid[]) WITH ORDINALITY AS a (t, n) ORDER BY n) AS types
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
  AND has_function_privilege($1, oid, 'EXECUTE')
"""
_COLUMNS = """
SELECT relname, attname, atttypid::regtype::text AS type,
       has_column_privilege($1, pg_class.oid, attname, 'SELECT') AS may_read,
       has_column_privilege($1, pg_class.oid, attname, 'UPDATE') AND attgenerated = '' AS may_update,
       has_column_privilege($1, pg_class.oid, attname, 'INSERT') AND attgenerated = '' AS may_insert,
       has_table_privilege($1, pg_class.oid, 'DELETE') AS may_delete
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attnum
"""
_TARGETS = "SELECT DISTINCT ON (status) id FROM targets ORDER BY status, id"
_NEW = """'{"id": "new", "post_id": "new", "workflow_id": "new", "external_id": null}'"""
_ROWS = {
    "_post": f"(SELECT to_jsonb(p) || {_NEW} FROM posts AS p WHERE p.id = t.post_id)",
    "_targets": f"jsonb_build_array(to_jsonb(t) || {_NEW})",
    "_target_id": "t.id",
    "_post_id": "t.post_id",
    "_version": "(SELECT version FROM posts AS p WHERE p.id = t.post_id)",
    "_now": "now()",
}
"""Arguments by their names, of the row `t` of a target."""
_KEYS = ("id", "workflow_id", "external_id", "token", "key")
_PLAIN = {
    "timestamp with time zone": "timestamptz 'infinity'",
    "integer": "0",
    "boolean": "false",
    "interval": "interval '0'",
}
"""Arguments by their types; others are null."""
_RUN = """
DO $run$
DECLARE
  _statement text;
  _message text;
  _refused jsonb := '{}';
BEGIN
  FOR _statement IN SELECT jsonb_array_elements_text(current_setting('test.statements')::jsonb) LOOP
    BEGIN
      EXECUTE _statement;
      -- Undoes the statement.
      RAISE EXCEPTION 'undone';
    EXCEPTION
      WHEN insufficient_privilege THEN
        GET STACKED DIAGNOSTICS _message = MESSAGE_TEXT;
        _refused := _refused || jsonb_build_object(_statement, _message);
      WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  PERFORM set_config('test.refused', _refused::text, false);
END
$run$
"""


async def refused_statements(url: str, statements: Mapping[str, list[str]]) -> dict[str, dict[str, str]]:
    """Run the statements of each role, undo them, and return those that the database refuses for a lack of rights."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        refused = {}
        for name, of_role in statements.items():
            await connection.execute("SELECT set_config('test.statements', $1, false)", json.dumps(of_role))
            await connection.execute(f"SET ROLE {name}")
            await connection.execute(_RUN)
            await connection.execute("RESET ROLE")
            refused[name] = json.loads(await connection.fetchval("SELECT current_setting('test.refused')"))
        return refused
    finally:
        await connection.close()


async def role_statements(url: str) -> dict[str, list[str]]:
    """Return, by role, the statements for which each role has the rights in a database as it is."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        statements = {role.name: await _statements(connection, role.name) for role in ROLES}
    finally:
        await connection.close()
    refused = await refused_statements(url, statements)
    return {name: [row for row in rows if row not in refused[name]] for name, rows in statements.items()}


async def _statements(connection: asyncpg.Connection, role: str) -> list[str]:
    columns = await connection.fetch(_COLUMNS, role)
    types = {row["attname"]: row["type"] for row in columns if row["relname"] == "targets" and row["may_read"]}
    statements = []
    targets = [row["id"] for row in await connection.fetch(_TARGETS)]
    for function in await connection.fetch(_FUNCTIONS, role):
        arguments = [
            _ROWS.get(name)
            or (f"t.{name[1:]}" if types.get(name[1:]) == type_ else _PLAIN.get(type_, f"NULL::{type_}"))
            for name, type_ in zip(function["names"] or (), function["types"], strict=True)
        ]
        call = f"SELECT f.* FROM targets AS t, {function['proname']}({', '.join(arguments)}) AS f WHERE t.id = "
        statements += [f"{call}'{target}'" for target in targets]
    for table in sorted({row["relname"] for row in columns}):
        of_table = [row for row in columns if row["relname"] == table]
        readable = [f'"{row["attname"]}"' for row in of_table if row["may_read"]]
        if readable:
            statements.append(f"SELECT {', '.join(readable)} FROM {table}")
        statements += [
            f'UPDATE {table} SET "{row["attname"]}" = "{row["attname"]}"'
            for row in of_table
            if row["may_update"] and row["may_read"]
        ]
        inserted = [
            row
            for row in of_table
            if row["may_insert"] and row["may_read"] and (row["attname"], row["type"]) != ("id", "bigint")
        ]
        values = [
            f"\"{row['attname']}\" || '_new'" if row["attname"] in _KEYS else f'"{row["attname"]}"' for row in inserted
        ]
        names = ", ".join(f'"{row["attname"]}"' for row in inserted)
        if inserted:
            statements.append(f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table} LIMIT 1")
        if of_table[0]["may_delete"]:
            statements.append(f"DELETE FROM {table}")
    return statements


_TIMES = """
SELECT format('UPDATE %I SET %s', relname, string_agg(format('%1$I = %1$I + $1', attname), ', '))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND atttypid = 'timestamptz'::regtype
  AND NOT attisdropped
GROUP BY relname
"""
_EPOCH = (1.5e9, 2.5e9)
"""Numbers between these are times of the sandbox, in seconds since 1970."""


async def load(release: Release, server_url: str, sandbox: Path) -> str:
    """Load a release's schema, rows and sandbox, with all times moved to now; return the database's URL."""
    age = datetime.now(UTC) - parse_date_time(release.read("stored.json")["recordedAt"])
    url = await empty_database(server_url)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for role in ROLES:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role.name):
                await connection.execute(f"CREATE ROLE {role.name}")
        await connection.execute(release.schema)
        # The rows are as they were: no trigger and no foreign key is asked again.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(release.rows)
        await connection.execute("SET search_path = public")
        for (statement,) in await connection.fetch(_TIMES):
            await connection.execute(statement, age)
    finally:
        await connection.close()
    _write_journal(release, sandbox, age)
    return url


def _write_journal(release: Release, sandbox: Path, age: timedelta) -> None:
    sandbox.mkdir()
    lines = gzip.decompress(release.path.joinpath("sandbox.jsonl.gz").read_bytes()).decode().splitlines()
    moved = [json.dumps(_moved(json.loads(line), age)) for line in lines]
    (sandbox / FILE_NAME).write_text("\n".join(moved) + "\n")


def _moved(value: Any, age: timedelta) -> Any:
    if isinstance(value, list):
        return [_moved(item, age) for item in value]
    if isinstance(value, dict):
        return {name: _moved(item, age) for name, item in value.items()}
    is_time = isinstance(value, float) and _EPOCH[0] < value < _EPOCH[1]
    return value + age.total_seconds() if is_time else value


RELEASES = releases()
_RIGHTS = text(
    "SELECT grantee, table_name, column_name, privilege_type FROM information_schema.column_privileges"
    " WHERE grantee LIKE 'socialsyncer%' UNION ALL"
    " SELECT grantee, table_name, '*', privilege_type FROM information_schema.table_privileges"
    " WHERE grantee LIKE 'socialsyncer%'"
)
ENDS_WITHIN_S = 100


async def shape(url: str) -> dict[str, str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        present = await connection.run_sync(read_shape)
    await engine.dispose()
    return present


async def rights(url: str) -> set[tuple[Any, ...]]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        present = {tuple(row) for row in await connection.execute(_RIGHTS)}
    await engine.dispose()
    return present


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_an_upgraded_schema_is_that_of_a_new_database(
    postgres_url: str, tmp_path: Path, release: Release
) -> None:
    upgraded, new = await load(release, postgres_url, tmp_path / "sandbox"), await empty_database(postgres_url)
    before = await rights(upgraded)
    await upgrade(upgraded, ROLES)
    # Processes of the release need what it has granted them, until a contract.
    assert before <= await rights(upgraded)
    await upgrade(upgraded, ROLES, contract=True)
    await upgrade(new, ROLES)
    assert await shape(upgraded) == await shape(new)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_after_every_migration_the_roles_of_the_release_may_do_what_they_did(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: Release
) -> None:
    url = await load(release, postgres_url, tmp_path / "sandbox")
    statements = await role_statements(url)
    assert all(len(of_role) > 100 for of_role in statements.values())
    apply, refused = migrate._apply, {}

    async def apply_and_try(engine: AsyncEngine, revision: Revision, *rest: Any) -> None:
        await apply(engine, revision, *rest)
        refused[revision.name] = await refused_statements(url, statements)

    monkeypatch.setattr(migrate, "_apply", apply_and_try)
    await upgrade(url, ROLES)
    assert {name: by_role for name, by_role in refused.items() if any(by_role.values())} == {}


async def test_unreleased_migrations_keep_the_rules(postgres_url: str, tmp_path: Path) -> None:
    uses = Uses(**(RELEASES[-1].read("uses.json") if RELEASES else present_uses()))
    assert await broken_rules(await empty_database(postgres_url), versions_folder(tmp_path), uses) == []


@pytest.mark.thorough
@pytest.mark.timeout(400)
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_every_stored_post_ends_as_it_must(postgres_url: str, tmp_path: Path, release: Release) -> None:
    stored = release.read("stored.json")
    url = await load(release, postgres_url, tmp_path / "sandbox")
    await upgrade(url, ROLES)
    on = {"encryption_key": stored["encryptionKey"], "sandbox_folder": tmp_path / "sandbox"}
    # A server of its own: in this process, a worker of other tests may serve the same queues of theirs.
    async with temporal_server() as temporal, stack_on(url, temporal, **on) as stack:
        stack.workspace_id, stack.api_key = stored["workspaceId"], stored["apiKey"]
        async with stack.database.reading() as session:
            for name, account_id in stored["accounts"].items():
                account = await session.get(Account, (stack.workspace_id, account_id))
                assert account is not None
                stack.accounts[name] = account
        async with running_product(stack) as product:
            posts = [KeptPost(**post) for post in stored["posts"]]
            shown = {post.id: await product.read(post.id) for post in posts}
            assert {post.text: shown[post.id]["content"] for post in posts if post.text != "before its edit"} == {
                post.text: post.text for post in posts if post.text != "before its edit"
            }
            await product.recover()
            await act_as_people(product, posts)
            await asyncio.gather(*(ends(product, post) for post in posts))
            await nothing_is_lost_or_doubled(product, posts)
            await keys_and_accounts_work(product, posts)


async def act_as_people(product: Product, posts: list[KeptPost]) -> None:
    """Reconnect the account, and retry the posts, that wait for a person."""
    await product.stack.reconnect(product.stack.accounts["refused"])
    for post in posts:
        if post.after == "retry":
            response = await product.api.post(f"/v1/posts/{post.id}/retry", headers={"Prefer": "wait=0"})
            assert response.is_success, response.text


async def ends(product: Product, post: KeptPost) -> None:
    shown: dict[str, Any] = {}

    async def has_ended() -> bool:
        nonlocal shown
        shown = await product.read(post.id)
        return bool(shown["status"] == post.ends)

    assert await until(has_ended, ENDS_WITHIN_S), f"{post.text} ended otherwise: {shown}"


async def nothing_is_lost_or_doubled(product: Product, posts: list[KeptPost]) -> None:
    public = (await product.stack.control("GET", "posts"))["posts"]
    texts = [shown["text"] for shown in public if not shown["deleted"] and not shown["supersededBy"]]
    counts = {
        post.text: texts.count("after its edit" if post.text == "before its edit" else post.text) for post in posts
    }
    assert counts == {post.text: post.public for post in posts}


async def keys_and_accounts_work(product: Product, posts: list[KeptPost]) -> None:
    """A repeated request gets the stored post, and new posts go to the accounts of the release."""
    scheduled = next(post for post in posts if post.text == "a draft")
    repeated = await product.create("a draft", *scheduled.accounts)
    assert repeated["id"] == scheduled.id
    health = {
        account["accountId"]: account["health"]
        for account in (await product.api.get("/v1/accounts")).json()["accounts"]
    }
    assert "needs_reconnect" not in health.values()
    new = await product.create("after the upgrade", "plain", publishNow=True)
    await product.reaches(new["id"], "published")
