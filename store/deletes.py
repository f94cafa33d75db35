"""Deletion of rows, of which no session has objects."""

from typing import Any

from sqlalchemy import ColumnElement, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute


async def delete_rows(session: AsyncSession, key: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> int:
    """Delete the rows of a key's table that meet the conditions; return how many were deleted."""
    statement = delete(key.class_).where(*conditions).returning(key)
    return len((await session.execute(statement, execution_options={"synchronize_session": False})).all())
