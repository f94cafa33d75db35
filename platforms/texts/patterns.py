"""Patterns of texts with a message for people, because a pattern alone explains nothing."""

import re
from importlib.resources import files
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

TLDS = frozenset(files(__package__).joinpath("tlds.txt").read_text(encoding="utf-8").split())
"""The root zone's names (data.iana.org/TLD, in Unicode), and names that have left it but that X still accepts as
top-level domains. No available package has these, so the list is our own data."""


class TextPattern:
    """An annotation of a text with the pattern that it must match whole; `words` continue the message "must be …"."""

    def __init__(self, pattern: str, words: str) -> None:
        self.pattern = pattern
        self._matches = re.compile(pattern).fullmatch
        self._words = words

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def _checked(self, text: str) -> str:
        if not self._matches(text):
            raise ValueError(self._words)
        return text


WebAddress = Annotated[
    str, StringConstraints(max_length=2048), TextPattern(r"^https?://\S+$", "must be an http or https URL")
]
Digits = Annotated[str, TextPattern(r"^[0-9]+$", "must be an id of digits alone")]
Language = Annotated[
    str,
    StringConstraints(max_length=35),
    TextPattern(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", "must be the code of a language such as en or pt-BR"),
]
