"""The ways to rows: find, lock, page, count, update and delete; locks; and statements without a session.

A session is the largest part of a statement's cost. The few statements that every post needs are built from the
models, compiled once, and their rows become models again.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    CursorResult,
    Select,
    TextClause,
    delete,
    func,
    inspect,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from store.models import Base
from store.models.base import WorkspaceRow

M = TypeVar("M", bound=Base)
R = TypeVar("R", bound=WorkspaceRow)


async def find_row(
    session: AsyncSession,
    model: type[R],
    workspace_id: str,
    row_id: str,
    *conditions: ColumnElement[bool],
    options: Sequence[ExecutableOption] = (),
) -> R | None:
    """Return a row of a workspace as it is now; None if the workspace has no such row."""
    if "\0" in row_id:
        # No text of PostgreSQL may contain it.
        return None
    query = _of_workspace(model, workspace_id, model.id == row_id, *conditions).options(*options)
    return await session.scalar(query, execution_options={"populate_existing": True})


async def current_row(session: AsyncSession, model: type[M], key: Any, *, lock: bool = False) -> M | None:
    """Return the row of a primary key, of any workspace, as it is now; `lock` holds it until the transaction ends."""
    return await session.get(model, key, with_for_update=lock, populate_existing=True)


async def lock_row(
    session: AsyncSession, model: type[R], workspace_id: str, row_id: str, *, key_share: bool = False
) -> R | None:
    """Return a row of a workspace as it is once it is locked until the transaction ends.

    `key_share`: rows that refer to it may be written meanwhile.
    """
    if "\0" in row_id:
        return None
    query = _of_workspace(model, workspace_id, model.id == row_id).with_for_update(key_share=key_share)
    return await session.scalar(query, execution_options={"populate_existing": True})


async def lock_ids(
    session: AsyncSession, key: InstrumentedAttribute[str], *conditions: ColumnElement[bool]
) -> list[str]:
    """Lock the rows that meet the conditions, in the order of their ids; return the ids of those that then meet them.

    The second statement sees what was committed while the first one waited for the locks.
    """
    query = select(key).where(*conditions).order_by(key)
    await session.execute(query.with_for_update())
    return list(await session.scalars(query))


async def newest_rows(
    session: AsyncSession,
    model: type[R],
    workspace_id: str,
    limit: int | None = None,
    before_id: str | None = None,
    *conditions: ColumnElement[bool],
    options: Sequence[ExecutableOption] = (),
) -> list[R]:
    """Return a page of a workspace's rows, the newest first: those whose ids are lower than `before_id`."""
    query = _of_workspace(model, workspace_id, *conditions).order_by(model.id.desc()).limit(limit).options(*options)
    return list(await session.scalars(query if before_id is None else query.where(model.id < before_id)))


def _of_workspace(model: type[R], workspace_id: str, *conditions: ColumnElement[bool]) -> Select[R]:
    return select(model).where(model.workspace_id == workspace_id, *conditions)


async def count_rows(
    session: AsyncSession, *conditions: ColumnElement[bool] | TextClause, most: int | None = None
) -> int:
    """Return how many rows of a table meet the conditions; with `most`, it counts no further."""
    if most is None:
        return await session.scalar(select(func.count()).where(*conditions)) or 0
    some = select(literal_column("1")).where(*conditions).limit(most).subquery()
    return await session.scalar(select(func.count()).select_from(some)) or 0


async def update_rows(
    session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool] | TextClause, **values: Any
) -> int:
    """Update rows, of which no session has objects that are read again; return how many were updated."""
    statement = update(model).where(*conditions).values(**values)
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


async def lock(session: AsyncSession, name: str) -> None:
    """Take a lock until the transaction ends, and wait for another transaction that holds it."""
    number = func.hashtextextended(f"socialsyncer.{name}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(number)))


async def delete_first(
    session: AsyncSession,
    key: InstrumentedAttribute[Any],
    order: InstrumentedAttribute[Any],
    limit: int,
    *conditions: ColumnElement[bool],
) -> int:
    """Delete the first `limit` rows that meet the conditions, in an order; return how many were deleted."""
    return await delete_rows(session, key, key.in_(select(key).where(*conditions).order_by(order).limit(limit)))


async def delete_rows(session: AsyncSession, key: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> int:
    """Delete the rows of a key's table that meet the conditions; return how many were deleted."""
    statement = delete(key.class_).where(*conditions).returning(key)
    return len((await session.execute(statement, execution_options={"synchronize_session": False})).all())


SKEWED_FROM = timedelta(seconds=5)
"""The difference from which a clock is called wrong; machines that follow a time server differ by milliseconds."""


async def database_now(session: AsyncSession) -> datetime:
    """Return the time of the database's clock."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def measure_skew(session: AsyncSession) -> timedelta:
    """Return by how much this machine's clock is ahead of the database's; zero if the answer took too long to say."""
    began, local = time.monotonic(), datetime.now(UTC)
    theirs = await database_now(session)
    return skew_of_answer(local, timedelta(seconds=time.monotonic() - began), theirs)


def skew_of_answer(local: datetime, took: timedelta, theirs: datetime) -> timedelta:
    """Return by how much this machine's clock was ahead when it was `local` and an answer was asked for."""
    skew = local + took / 2 - theirs
    return skew if abs(skew) > took / 2 else timedelta(0)


def argument(number: int) -> ColumnElement[Any]:
    """Return a placeholder for an argument of `Database.row`, counted from 1."""
    return literal_column(f"${number}")


def written(query: ClauseElement) -> str:
    """Return a query as text."""
    return str(query.compile(compile_kwargs={"literal_binds": True}))


def columns(model: type[Base]) -> list[str]:
    """Return the names of a model's columns, in the order in which a query for the model selects them."""
    return [column.key for column in model.__mapper__.column_attrs]


class Reader:
    """A reader of the models of a row, one after the other in the order of the query."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._values: Iterator[Any] = iter(row.values())

    def next(self, model: type[M]) -> M | None:
        """Return the next model, None if an outer join found no row."""
        # The names must come first: `zip` then takes no value for which it has no name.
        values = dict(zip(_NAMES[model], self._values))  # noqa: B905
        if values["id"] is None:
            return None
        # As SQLAlchemy makes an object of a row. The model's constructor would set each column by itself, as a change.
        loaded = cast("M", inspect(model).class_manager.new_instance())
        loaded.__dict__.update(values)
        return loaded


_NAMES = {mapper.class_: columns(mapper.class_) for mapper in Base.registry.mappers}
