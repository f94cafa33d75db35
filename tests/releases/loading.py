"""Loading of the rows of a release into a new database and a new sandbox, with all times moved to now."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from domain.schedule import parse_date_time
from sandbox.journal import FILE_NAME
from tests.databases import ROLES, empty_database
from tests.releases.folders import Release

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
