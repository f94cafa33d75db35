"""The parts of which descriptions of answers consist.

An answer is described once, as the type of a JSON object: code builds the object itself, mypy compares it with the
type, and the OpenAPI document has its schema from the type. Values are our own and are not validated again.

A field that needs few words has them on its line (`described`); otherwise they are the docstring below it.
"""

import ast
import sys
from collections.abc import Callable, Mapping
from functools import cache
from inspect import getsource
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from litestar import Response
from pydantic import Field, GetCoreSchemaHandler, WithJsonSchema, with_config
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, to_json

from platforms.registry import platforms

T = TypeVar("T", bound=type)
QUEUE_ID = "que_019bc10e51307c4f8d2b7f3a6c0e9d41"
THUMBNAIL_URL = "https://posts.example.com/media/t/Qk5nUeVtB8xYc1LrPaZd9sGfH3oKwJ2m.jpg"
"""The id of a queue in examples."""


VIEWS: dict[str, type[Any]] = {}
"""The types of answers, by the names of their schemas."""


def view(name: str | None = None) -> Callable[[T], T]:
    """Return a decorator of the type of an answer; `name` is the schema's, if it is not the class's without `View`."""

    def describe(answer: T) -> T:
        title = name or answer.__name__.removesuffix("View")
        VIEWS[title] = answer
        return with_config(title=title, extra="forbid")(answer)

    return describe


def example(*values: object) -> FieldInfo:
    """Return what a schema shows as examples of a field that a docstring describes, because it needs some space."""
    field: FieldInfo = Field(examples=list(values))
    return field


def described(description: str, *examples: object) -> FieldInfo:
    """Return what a schema says about a field."""
    field: FieldInfo = Field(description=description, examples=list(examples) or None)
    return field


def field_docstrings(answer: type[Any]) -> dict[str, str]:
    """Return the docstrings of the fields of an answer's type, and of the types that it extends."""
    docstrings: dict[str, str] = {}
    for base in getattr(answer, "__orig_bases__", ()):
        docstrings |= field_docstrings(base)
    return docstrings | _module_docstrings(answer.__module__).get(answer.__name__, {})


@cache
def _module_docstrings(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of fields by their classes. pydantic would parse the module once for each class."""
    return {
        node.name: {
            field.target.id: " ".join(str(text.value.value).split())
            for field, text in pairwise(node.body)
            if isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        }
        for node in ast.parse(getsource(sys.modules[module])).body
        if isinstance(node, ast.ClassDef)
    }


class ValueOf:
    """A marker of a string that is a value of an enumeration."""

    def __init__(self, enumeration: type[Any]) -> None:
        self._enumeration = enumeration

    def __get_pydantic_core_schema__(self, _source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Describe the string as the enumeration."""
        return handler(self._enumeration)


Moment = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-01-15T10:00:00Z"]}, mode="serialization"
    ),
]
PlatformName = Annotated[
    str, WithJsonSchema({"type": "string", "enum": list(platforms()), "examples": ["instagram"]}, mode="serialization")
]
NextCursor = Annotated[str | None, Field(description="Send it back for the next page; null on the last.")]
HasMore = Annotated[bool, Field(description="Whether there is a next page.")]


def write_json(answer: Mapping[str, Any]) -> bytes:
    """Return the bytes of an answer."""
    return to_json(answer, inf_nan_mode="null")


def respond_privately(view: Mapping[str, Any], status: int = 200, *, replayed: bool = False) -> Response[bytes]:
    """Write what is known of an account, which no cache may keep."""
    headers = {"Cache-Control": "no-store", **({"Idempotent-Replayed": "true"} if replayed else {})}
    return Response(write_json(view), status_code=status, media_type="application/json", headers=headers)
