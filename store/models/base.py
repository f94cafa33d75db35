"""The base of all tables."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

Id = String(collation="C")
"""Ids sort by their bytes, whatever the database's locale: the list's keyset order is creation order."""


class Base(DeclarativeBase):
    """The base of all tables, which maps Python types to PostgreSQL's."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }
