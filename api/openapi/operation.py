"""One operation of the API as its document describes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API. `errors` names entries of `error_examples.ERRORS`."""

    method: str
    path: str
    id: str
    summary: str
    description: str
    answer: type[Any]
    answers: dict[str, Json]
    errors: Sequence[str]
    status: int = 200
    body: type[BaseModel] | None = None
    bodies: dict[str, Json] = field(default_factory=dict)
    body_required: bool = True
    parameters: Sequence[Json] = ()
    answer_headers: Sequence[str] = ()
    tag: str = "Posts"
    other_status: int | None = None
    """A second status of success, and examples of its answers."""
    other_answers: dict[str, Json] = field(default_factory=dict)


ALWAYS = ("missingKey", "wrongKey", "noScheme", "rateLimited", "internal", "unavailable")


WITH_BODY = ("invalidJson", "unknownField", "tooLarge", "notJson")
