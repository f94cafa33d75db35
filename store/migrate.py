"""The migration of the database's schema and roles, while processes of the version before continue to work."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store.dsn import parse_dsn
from store.failures import took_too_long
from store.models import Base
from store.roles import Role, check_owner, grant_missing_rights, make_role, set_up_role
from store.schema.revisions import (
    MIGRATIONS,
    Kind,
    Revision,
    SchemaError,
    code_version,
    read_shape,
    refuse_contracted,
    revisions,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LOCK = 7_203_514
"""Any number, always the same: an advisory lock, so that two starting replicas do not migrate concurrently."""
_LOCK_POLL_S = 0.5
_LOCK_TIMEOUT = "2s"
"""How long a change waits for a lock. Meanwhile requests for the same table wait behind it; they may wait 5 s."""
_PAUSES_S = (1, 2, 4, 8)
"""Seconds between two tries of a change, in which the requests that waited behind it are served."""
_RECORD = text(
    "INSERT INTO schema_states (revision, kind, unused_since, source, shape, version)"
    " VALUES (:revision, :kind, :unused_since, :source, CAST(:shape AS jsonb), :version)"
)
_STATES = text("SELECT revision, unused_since, source, shape, version FROM schema_states ORDER BY revision")
_BLOCKED = (
    "Another session holds a lock that migration {name} needs, in {tries} tries of {timeout}. "
    "Nothing of it was changed. Find the session, and run the command again: "
    "SELECT pid, usename, xact_start, query FROM pg_stat_activity WHERE xact_start < now() - interval '2 s'"
)


_REHEARSAL = "0.1.0"
"""The version of code that was never released; its migrations were other ones."""
_NEVER_RELEASED = (
    "The database was made by version 0.1.0, which was never released, and cannot be upgraded. Export its workspaces "
    "with that version (`socialsyncer workspaces export`), migrate a new database, connect the accounts and import the "
    "posts."
)


@dataclass(frozen=True, slots=True)
class Migration:
    """The result of a migration: what was applied, and which contracts remain for `--contract`."""

    applied: Sequence[Revision]
    remaining: Sequence[Revision] = ()
    newer: str | None = None
    """The database's revision, if a newer version has made it. Nothing was changed then."""


async def upgrade(
    database_url: str,
    roles: Sequence[Role] = (),
    *,
    contract: bool = False,
    folder: Path = MIGRATIONS / "versions",
) -> Migration:
    """Apply the migrations in `folder` that the database lacks, and set up the roles; repeatable.

    A contract is applied only if `contract` is set, or if the database is empty. Each migration is a transaction of its
    own, or several: what was applied before an error stays.

    Raises:
        RoleError: a role cannot be set up. Nothing was changed.
        SchemaError: the schema is not one that a version of this service has made, or is locked by another session.
    """
    dsn = parse_dsn(database_url)
    engine = create_async_engine(dsn.url, hide_parameters=True, async_creator=lambda: dsn.connect("migrate"))
    try:
        async with _only_one(engine):
            await _in_transaction(engine, "roles", check_owner, roles)
            await _in_transaction(engine, "roles", _for_each, make_role, roles)
            plan = await _in_transaction(engine, "plan", _plan, revisions(folder), contract)
            # One for all of them: it loads every module of the folder.
            scripts = ScriptDirectory(str(MIGRATIONS), version_locations=[str(folder)])
            for revision in plan.applied:
                await _apply(engine, revision, scripts, roles)
            if plan.newer is None:
                await _in_transaction(engine, "roles", _for_each, set_up_role, roles)
    finally:
        await engine.dispose()
    return plan


@asynccontextmanager
async def _only_one(engine: AsyncEngine) -> AsyncIterator[None]:
    """Let one process migrate at a time; others wait.

    They ask again and again. A statement that waited for the lock would be one of the old transactions that the
    creation of an index waits for, and both would wait for ever.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):  # noqa: ASYNC110 the lock is another process's
            await asyncio.sleep(_LOCK_POLL_S)
        yield
        await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def _plan(connection: Connection, known: Sequence[Revision], contract: bool) -> Migration:
    """Return what is to be applied. Raises SchemaError."""
    current = _current(connection)
    if current is None:
        return Migration(known)
    states = [dict(row) for row in connection.execute(_STATES).mappings()]
    names = [revision.name for revision in known]
    if any(state["version"] == _REHEARSAL for state in states):
        raise SchemaError(_NEVER_RELEASED)
    if current not in names:
        refuse_contracted(states, known)
        return Migration((), newer=current)
    done, pending = known[: names.index(current) + 1], known[names.index(current) + 1 :]
    sources = {state["revision"]: state["source"] for state in states}
    for revision in done:
        if sources.get(revision.name) != revision.source:
            raise SchemaError(
                f"Revision {revision.name} of the database's schema was made by code that was never released. "
                "It cannot be upgraded: use a new database (in development, another --data-dir)."
            )
    now = read_shape(connection)
    (shape,) = (state["shape"] for state in states if state["revision"] == current)
    if changed := sorted(name for name, digest in shape.items() if now.get(name) != digest):
        raise SchemaError(
            f"The database's schema is not as `migrate` has left it at revision {current}. "
            f"It was changed by hand: {', '.join(changed)}. Undo that, and run the command again."
        )
    end = len(pending)
    if not contract:
        end = next((place for place, revision in enumerate(pending) if revision.kind is Kind.CONTRACT), end)
    if any(revision.kind is not Kind.CONTRACT for revision in pending[end:]):
        raise SchemaError(
            f"Revision {pending[end].name} must be applied first. It removes what older versions use. After their last "
            "process has ended, run `socialsyncer migrate --contract`."
        )
    return Migration(pending[:end], pending[end:])


def _current(connection: Connection) -> str | None:
    """Return the database's revision; None if it is empty. Raises SchemaError if `migrate` has not made its tables."""
    here = {
        name
        for name in ("alembic_version", *Base.metadata.tables)
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"public.{name}"}) is not None
    }
    if not here:
        return None
    current = connection.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in here else None
    if current is None or "schema_states" not in here:
        raise SchemaError(
            "The database has tables that no released version has made. "
            "Use a database of its own for this service (in development, another --data-dir)."
        )
    return str(current)


async def _apply(engine: AsyncEngine, revision: Revision, scripts: ScriptDirectory, roles: Sequence[Role]) -> None:
    """Apply a migration and record it, both together or, outside a transaction, one after the other.

    The roles get their rights on what is new in the same transaction. So processes of the version before work between
    two migrations, and if this process is killed there.

    If the process is killed in between, the migration is repeated. Its row and Alembic's are written together.
    """
    log.info("migrate.applies", revision=revision.name, kind=revision.kind)
    if revision.in_transaction:
        await _in_transaction(engine, revision.name, _change_and_record, revision, scripts, roles)
        return
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.run_sync(_change, revision, scripts)
    await _in_transaction(engine, revision.name, _record, revision, scripts, roles)


def _change_and_record(
    connection: Connection, revision: Revision, scripts: ScriptDirectory, roles: Sequence[Role]
) -> None:
    _change(connection, revision, scripts)
    _record(connection, revision, scripts, roles)


def _change(connection: Connection, revision: Revision, scripts: ScriptDirectory) -> None:
    module = scripts.get_revision(revision.name).module
    with Operations.context(MigrationContext.configure(connection)):
        module.upgrade()


def _record(connection: Connection, revision: Revision, scripts: ScriptDirectory, roles: Sequence[Role]) -> None:
    _for_each(connection, grant_missing_rights, roles)
    MigrationContext.configure(connection).stamp(scripts, revision.name)
    state = {
        "revision": revision.name,
        "kind": revision.kind,
        "unused_since": revision.unused_since,
        "source": revision.source,
        "shape": json.dumps(read_shape(connection)),
        "version": code_version(),
    }
    connection.execute(_RECORD, state)


def _for_each(connection: Connection, change: Callable[[Connection, Role], None], roles: Sequence[Role]) -> None:
    for role in roles:
        change(connection, role)


async def _in_transaction(engine: AsyncEngine, name: str, change: Callable[..., T], *arguments: object) -> T:
    """Run a change in a transaction, again if it waits too long for a lock. Raises SchemaError after the last try."""
    for pause_s in (*_PAUSES_S, None):
        try:
            async with engine.begin() as connection:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                return await connection.run_sync(change, *arguments)
        except DBAPIError as error:
            if not took_too_long(error):
                raise
            if pause_s is None:
                tries = len(_PAUSES_S) + 1
                raise SchemaError(_BLOCKED.format(name=name, tries=tries, timeout=_LOCK_TIMEOUT)) from error
            log.warning("migrate.waits_for_a_lock", revision=name, next_try_in_s=pause_s)
            await asyncio.sleep(pause_s)
    raise AssertionError("unreachable: the loop returns or raises")
