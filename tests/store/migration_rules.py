"""The rules of migrations after the first: they lock no table for long, and the last release survives them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import Engine

from store.migrate import upgrade
from store.schema.revisions import Kind, Revision

_CHANGES = re.compile(
    r"ALTER|CREATE|DROP|UPDATE|DELETE|INSERT|TRUNCATE|LOCK|DO|GRANT|REVOKE|VACUUM|CLUSTER|REINDEX|REFRESH|MERGE|WITH|COPY"
)
_OWN = re.compile(r"alembic_version|schema_states|^WITH ours AS")
_ALWAYS = {
    "it renames what the last release uses; add the new name and fill it": r"\bRENAME\b",
    "it changes a column's type, which rewrites the table; add a column": r"ALTER (COLUMN )?\w+ (SET DATA )?TYPE\b",
    "NOT NULL reads the whole table under a lock; add a CHECK NOT VALID": r"ALTER (COLUMN )?\w+ SET NOT NULL",
    "it locks the table": (
        r"^(LOCK|TRUNCATE|CLUSTER|REINDEX(?!.* CONCURRENTLY))|^VACUUM.*\bFULL\b|SET (TABLESPACE|(UN)?LOGGED)"
    ),
    "a constraint reads the whole table under a lock; add it NOT VALID": (
        r"ADD (CONSTRAINT \w+ )?(CHECK|FOREIGN KEY)(?!.*NOT VALID)"
    ),
    "a unique constraint builds its index under a lock; build it CONCURRENTLY, then USING INDEX": (
        r"ADD (CONSTRAINT \w+ )?(UNIQUE|PRIMARY KEY)(?!.*USING INDEX)"
    ),
    "a released function is never replaced; write the next _v": r"CREATE OR REPLACE FUNCTION",
}
_NEW_COLUMN = re.compile(
    r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)(\w+) ((?:'[^']*'|[^,'])*)"
)
_CONSTANT = re.compile(
    r"DEFAULT (\(?'[^']*'|\(?-?[\d.]+|\(?(true|false|null|now\(\)|current_timestamp))", re.IGNORECASE
)
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?\w+ ON (?:ONLY )?(?:public\.)?(\w+)")
_DROP = re.compile(
    r"DROP (TABLE|FUNCTION|COLUMN|CONSTRAINT|TRIGGER|INDEX|DEFAULT)\s+(CONCURRENTLY )?(?:IF EXISTS )?(?:public\.)?(\w+)"
)
_ALTERED = re.compile(r"^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?:public\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class Uses:
    """The parts of the schema that the last release uses."""

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    functions: Sequence[str] = ()
    revisions: Sequence[str] = ()


def problems(revision: Revision, statements: Sequence[str], uses: Uses) -> Iterator[str]:
    """Yield the rules that a migration breaks by its statements."""
    plain = [" ".join(statement.split()) for statement in statements]
    new_tables = {
        name for line in plain for name in re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(?:public\.)?(\w+)", line)
    }
    if revision.unused_since is not None and revision.unused_since not in uses.revisions:
        yield f"the last release uses what it removes: {revision.unused_since} is newer than it"
    for line in plain:
        altered = _ALTERED.match(line)
        if altered and altered[1] in new_tables:
            continue
        yield from _locking(line, new_tables)
        yield from (_dropping(revision, altered[1] if altered else None, line, uses))
        yield from _rows(revision, line, new_tables)


def _locking(line: str, new_tables: set[str]) -> Iterator[str]:
    yield from (reason for reason, pattern in _ALWAYS.items() if re.search(pattern, line, re.IGNORECASE))
    if line.startswith("ALTER TABLE"):
        for name, rest in _NEW_COLUMN.findall(line):
            has_default = re.search(r"\bDEFAULT\b", rest, re.IGNORECASE)
            if re.search("NOT NULL", rest, re.IGNORECASE) and not has_default:
                yield f"the column {name} is NOT NULL without a default: rows of the last release lack it"
            if has_default and not _CONSTANT.search(rest):
                yield f"the default of the column {name} is no constant, so the table is rewritten"
    if (index := _INDEX.match(line)) and not index[1] and index[2] not in new_tables:
        yield "an index without CONCURRENTLY locks its table while it is built; use online.create_index"


def _dropping(revision: Revision, table: str | None, line: str, uses: Uses) -> Iterator[str]:
    if not re.match("DROP|ALTER TABLE", line):
        return
    for kind, _, name in _DROP.findall(line):
        if kind == "INDEX" or (kind == "TRIGGER" and revision.kind is Kind.CONTRACT):
            continue
        if revision.kind is not Kind.CONTRACT:
            yield f"only a contract drops: DROP {kind} {name}"
        elif (kind == "TABLE" and name in uses.columns) or (kind == "FUNCTION" and name in uses.functions):
            yield f"the last release uses what it removes: {name}"
        elif kind == "COLUMN" and name in uses.columns.get(table or "", ()):
            yield f"the last release uses what it removes: {table}.{name}"


def _rows(revision: Revision, line: str, new_tables: set[str]) -> Iterator[str]:
    inserted = re.match(r"INSERT INTO (\w+)", line)
    if inserted and inserted[1] in new_tables:
        return
    changes = re.match("UPDATE|DELETE|INSERT|MERGE|COPY|WITH", line)
    if changes and revision.kind is not Kind.BACKFILL:
        yield "rows are changed by a backfill, in batches"
    elif changes and "LIMIT" not in line.upper():
        yield "a backfill changes rows without a LIMIT"


@contextmanager
def _changes_by_revision(url: str) -> Iterator[dict[str, list[str]]]:
    """Yield the statements by which each migration changes a database, as they are executed in the block.

    Other tests' workers, in this process, change other databases.
    """
    changes: dict[str, list[str]] = {}
    statements: list[str] = []
    database = make_url(url).database

    def record(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        line = statement.strip()
        if connection.engine.url.database != database:
            return
        if line.startswith("INSERT INTO schema_states"):
            changes[parameters[0]] = statements.copy()
            statements.clear()
        elif _CHANGES.match(line) and not _OWN.search(line):
            statements.append(line)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield changes
    finally:
        event.remove(Engine, "before_cursor_execute", record)


async def broken_rules(url: str, folder: Path, uses: Uses) -> list[str]:
    """Apply what a database lacks of a folder, and return the rules that unreleased migrations break."""
    with _changes_by_revision(url) as changes:
        migration = await upgrade(url, folder=folder, contract=True)
    assert list(changes) == [revision.name for revision in migration.applied]
    return [
        f"{revision.name}: {problem}"
        for revision in migration.applied
        if revision.name not in uses.revisions
        for problem in problems(revision, changes[revision.name], uses)
    ]
