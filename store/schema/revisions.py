"""The migrations as their modules declare them, and the check whether a database has the schema that code needs."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path

import asyncpg
from sqlalchemy import Connection, text

from store.database import Pool

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_FUNCTIONS = Path(__file__).parents[1] / "functions"
_NAME = re.compile(r"\d{4}")
_CONSTANT = re.compile(r'^(?P<name>\w+) = (?:"(?P<text>[^"\n]*)"|(?P<other>None|True|False))$', re.MULTILINE)
_FUNCTION = re.compile(r"\b[a-z_]+_v\d+\b")


class SchemaError(Exception):
    """An error: the database's schema and this code do not fit. The message says why, and what to do."""


class Kind(StrEnum):
    """The effect of a migration on processes of the version before."""

    EXPAND = "expand"
    """It adds: they work as before."""
    BACKFILL = "backfill"
    """It fills rows, in batches outside a transaction: they work as before."""
    CONTRACT = "contract"
    """It removes what no process may use any more."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A migration. A contract names in `unused_since` the revision since which no code uses what it removes."""

    name: str
    previous: str | None
    kind: Kind
    unused_since: str | None
    in_transaction: bool
    source: str
    """The SHA-256 of the module and of the functions that it installs."""


def code_version() -> str:
    """Return the version of this code, as pyproject.toml has it."""
    return version("socialsyncer")


def revisions(folder: Path = MIGRATIONS / "versions") -> tuple[Revision, ...]:
    """Return all migrations of this code, oldest first. Raises ValueError for a module that declares too little."""
    by_previous = {revision.previous: revision for revision in map(_revision, sorted(folder.glob("*.py")))}
    ordered: list[Revision] = []
    while (following := by_previous.pop(ordered[-1].name if ordered else None, None)) is not None:
        ordered.append(following)
    if by_previous:
        raise ValueError(
            f"The migrations are no single line: {', '.join(sorted(r.name for r in by_previous.values()))}"
        )
    return tuple(ordered)


@cache
def code_revisions() -> tuple[Revision, ...]:
    """Return all migrations of the code that this process runs, as it first read them.

    Files that replace them on the disk while it runs, before `migrate`, belong to other code.
    """
    return revisions()


def needed(known: Iterable[Revision]) -> list[str]:
    """Return the revisions that the database must have so that this code can work: all but the contracts at the end."""
    names: list[str] = []
    waiting: list[str] = []
    for revision in known:
        waiting.append(revision.name)
        if revision.kind is not Kind.CONTRACT:
            names += waiting
            waiting = []
    return names


def _revision(path: Path) -> Revision:
    text = path.read_text()
    constants = {match["name"]: _value(match) for match in _CONSTANT.finditer(text)}
    name, kind = constants.get("revision"), constants.get("KIND")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{path.name}: the revision must be a number of four digits, such as 0002.")
    if kind not in list(Kind):
        raise ValueError(f'{path.name} declares no KIND: "expand", "backfill" or "contract".')
    kind = Kind(str(kind))
    unused_since = constants.get("UNUSED_SINCE")
    if (kind is Kind.CONTRACT) is not isinstance(unused_since, str):
        raise ValueError(f"{path.name}: a contract, and no other migration, declares UNUSED_SINCE, a revision.")
    previous = constants.get("down_revision")
    return Revision(
        name,
        None if previous is None else str(previous),
        kind,
        None if unused_since is None else str(unused_since),
        kind is not Kind.BACKFILL and bool(constants.get("IN_TRANSACTION", True)),
        _digest(text),
    )


def _value(constant: re.Match[str]) -> str | bool | None:
    return {"None": None, "True": True, "False": False}.get(constant["other"], constant["text"])


def _digest(text: str) -> str:
    functions = [_FUNCTIONS / f"{name}.sql" for name in sorted(set(_FUNCTION.findall(text)))]
    parts = [text, *(path.read_text() for path in functions if path.exists())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# Without what PostgreSQL writes out in words of its own, which another release of it may write otherwise. Indexes that
# are no constraints may be added or left out by the owner of the database.
_FACTS = text("""
WITH ours AS (
  SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND relname <> 'alembic_version'
)
SELECT relname AS name, format('column %s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, atthasdef)
  AS fact
FROM ours JOIN pg_attribute ON attrelid = ours.oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname, format('constraint %s %s', conname, contype) FROM ours JOIN pg_constraint ON conrelid = ours.oid
WHERE contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT relname, format('trigger %s %s', tgname, proname)
FROM ours JOIN pg_trigger ON tgrelid = ours.oid JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal
UNION ALL
SELECT proname || '()', format('%s %s %s', pronargs, prosecdef, md5(prosrc)) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
""")


def read_shape(connection: Connection) -> dict[str, str]:
    """Return a digest of each table and function, by name; a function's name ends with ()."""
    facts: defaultdict[str, list[str]] = defaultdict(list)
    for name, fact in connection.execute(_FACTS):
        facts[name].append(fact)
    return {name: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16] for name, lines in facts.items()}


_APPLIED = "SELECT revision, unused_since, version FROM schema_states ORDER BY revision"
_MIGRATE = "Run `socialsyncer migrate` of this version first."


async def check_schema(database: Pool) -> str:
    """Return the revision of the database's schema, which may be newer than this code.

    Raises SchemaError if it is older than this code needs, or no longer has what this code uses.
    """
    known = code_revisions()
    try:
        rows = await database.rows(_APPLIED)
    except asyncpg.UndefinedTableError:
        raise SchemaError(f"The database has no schema of this service. {_MIGRATE}") from None
    return fitting_revision(rows, known)


def fitting_revision(applied: Sequence[Mapping[str, str | None]], known: Sequence[Revision]) -> str:
    """Return the newest of the applied revisions. Raises SchemaError if code with the `known` ones does not fit."""
    names = [str(row["revision"]) for row in applied]
    missing = [name for name in needed(known) if name not in names]
    if missing:
        raise SchemaError(
            f"The database's schema is older than version {code_version()} needs: it lacks {', '.join(missing)}. "
            f"{_MIGRATE}"
        )
    refuse_contracted(applied, known)
    return max(names)


def refuse_contracted(applied: Sequence[Mapping[str, str | None]], known: Sequence[Revision]) -> None:
    """Raise SchemaError if a contract has removed what code that knows these revisions uses."""
    names = {revision.name for revision in known}
    for row in applied:
        if row["unused_since"] is not None and row["unused_since"] not in names:
            raise SchemaError(
                f"Revision {row['revision']} of the database's schema, made by version {row['version']}, has removed "
                f"what version {code_version()} uses. Start version {row['version']} or a later one."
            )
