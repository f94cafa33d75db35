"""Statements without a session, for the few that every post needs: a session is the largest part of their cost.

A statement is still built from the models, compiled once, and its rows become models again, without a session.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from sqlalchemy import ClauseElement, ColumnElement, inspect, literal_column

from store.models import Base

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
