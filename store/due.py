"""Due rows: the condition by which a task finds its work, and by which an idle process asks whether there is any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import DateTime, TextClause, bindparam, text


@dataclass(frozen=True, slots=True)
class Due:
    """The rows of a table with work for a task.

    The statements that find or claim them have this condition, and only narrow it: so it never fails while a round
    would find something. It is a literal, because the planner must see that a partial index has these rows.
    """

    table: str
    condition: str
    """In SQL; an index answers it, or the table stays small. `:now` is the time at which it is asked."""

    def sql(self, moment: str = "now()") -> str:
        """Return the condition as SQL, at a moment."""
        return self.condition.replace(":now", moment)

    def at(self, now: datetime) -> TextClause:
        """Return the condition at a time, for a query of the table."""
        return text(self.condition).bindparams(bindparam("now", now, DateTime(timezone=True)))


def work_query(works: Mapping[str, Sequence[Due]]) -> str:
    """Return an SQL expression: the names of the works that have rows now, as an array."""
    cases = ", ".join(
        f"CASE WHEN {' OR '.join(f'EXISTS (SELECT FROM {due.table} WHERE {due.sql()})' for due in works[name])}"
        f" THEN '{name}' END"
        for name in sorted(works)
    )
    return f"array_remove(ARRAY[{cases}]::text[], NULL)"
