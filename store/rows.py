"""The ways to rows: locks, deletions, the database's clock, and statements without a session.

A session is the largest part of a statement's cost. The few statements that every post needs are built from the
models, compiled once, and their rows become models again.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import ClauseElement, ColumnElement, delete, func, inspect, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from store.models import Base


async def lock(session: AsyncSession, name: str) -> None:
    """Take a lock until the transaction ends, and wait for another transaction that holds it."""
    number = func.hashtextextended(f"socialsyncer.{name}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(number)))


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


M = TypeVar("M", bound=Base)


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
