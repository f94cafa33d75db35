"""Every statement that this process sends to PostgreSQL, by any way."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from store.database import Pool


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was sent, with its arguments as text."""

    text: str
    arguments: str

    @property
    def verb(self) -> str:
        """Return the first word of the statement."""
        return self.text.split()[0]

    def concerns(self, *ids: str) -> bool:
        """Return whether one of the ids is among the statement's arguments."""
        return any(id_ in self.arguments for id_ in ids)


_BLOCK = ContextVar[object]("_BLOCK", default=None)
"""The block that a task belongs to, because the block or one of its tasks began it."""


@contextmanager
def noting_statements(patch: pytest.MonkeyPatch, *, own: bool = False) -> Iterator[list[Statement]]:
    """Yield a list to which each statement is added until the block ends; BEGIN and COMMIT are not.

    `own`: only those of the block and of tasks that it begins, not of the background tasks of this process.
    """
    noted: list[Statement] = []
    rows = Pool.rows
    token = _BLOCK.set(noted)

    def note(statement: str, arguments: object) -> None:
        if not own or _BLOCK.get() is noted:
            noted.append(Statement(statement, str(arguments)))

    async def noting(pool: Pool, statement: str, *arguments: object) -> Any:
        note(statement, arguments)
        return await rows(pool, statement, *arguments)

    def before(_c: Any, _k: Any, statement: str, arguments: Any, *_: Any) -> None:
        note(statement, arguments)

    patch.setattr(Pool, "rows", noting)
    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        _BLOCK.reset(token)


async def delivered(statements: list[Statement], post_id: str) -> None:
    """Wait until a post is recorded as delivered to its workflow, which is done in batches."""
    while not any("= delivered.version" in statement.text and statement.concerns(post_id) for statement in statements):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
