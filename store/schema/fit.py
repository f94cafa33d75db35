"""The check of a process whether the database has the schema that its code needs."""

from collections.abc import Mapping, Sequence

import asyncpg

from store.database import Pool
from store.schema.revisions import Revision, SchemaError, code_revisions, code_version, needed

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
