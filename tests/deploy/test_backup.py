"""The copies that deploy/postgres/backup.sh makes: what they restore is the database, its rights included."""

import os
import subprocess
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from cli.stack.postgres import programs
from store.migrate import upgrade
from tests.databases import ROLES, empty_database, new_database

SCRIPT = Path(__file__).parents[2] / "deploy/postgres/backup.sh"
_WHOLE = """
WITH rights AS (
  SELECT relname::text AS name, coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
  UNION ALL
  SELECT proname || proargtypes::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
  WHERE pronamespace = 'public'::regnamespace
)
SELECT (SELECT json_agg(w ORDER BY id) FROM workspaces AS w)::text,
       (SELECT json_agg(r ORDER BY r) FROM (SELECT name, unnest(acl)::text AS item FROM rights) AS r)::text
"""


async def read_whole(url: str) -> tuple[str, str]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    rows, rights = await connection.fetchrow(_WHOLE)
    await connection.close()
    return rows, rights


def run(server_url: str, *command: str | Path, databases: str = "") -> int:
    """Run a program of PostgreSQL's, or a script that runs some, and return its exit code."""
    env = {
        **os.environ,
        "PATH": f"{programs()}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(make_url(server_url).port),
        "PGUSER": "postgres",
        "BACKUP_DATABASES": databases,
    }
    return subprocess.run(command, env=env, check=False, capture_output=True).returncode


def make_old_copy(folder: Path) -> str:
    copy = folder / "socialsyncer-2020-01-01T00-00-00Z.dump"
    copy.touch()
    os.utime(copy, (0, 0))
    return copy.name


def copies(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix == ".dump"]


async def test_a_copy_restores_rows_and_rights_and_old_copies_go(postgres_url: str, tmp_path: Path) -> None:
    url, target = await new_database(postgres_url), await empty_database(postgres_url)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("INSERT INTO workspaces (id, name) VALUES ('ws_copy', 'copied')")
    await connection.close()
    make_old_copy(tmp_path)
    database = str(make_url(url).database)
    assert run(url, "sh", SCRIPT, tmp_path, databases=database) == 0
    (copy,) = copies(tmp_path)
    assert copy.startswith(f"{database}-20")
    restored = f"--dbname={make_url(target).database}"
    assert run(url, "pg_restore", "--exit-on-error", restored, tmp_path / copy) == 0
    assert await read_whole(target) == await read_whole(url)
    assert (await upgrade(target, ROLES)).applied == ()


def test_a_copy_that_fails_is_none_and_deletes_none(postgres_url: str, tmp_path: Path) -> None:
    old = make_old_copy(tmp_path)
    assert run(postgres_url, "sh", SCRIPT, tmp_path, databases="missing") != 0
    assert copies(tmp_path) == [old]
