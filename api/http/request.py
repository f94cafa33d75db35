"""Read body, headers and query of a request, and report everything that is wrong with them in one answer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from pydantic import BaseModel

from api.http.body import MAX_PROBLEMS, JsonObject, read_json, read_no_body, read_optional_json
from api.http.body_validation import read_valid
from api.http.headers import HttpRequest, idempotency_key, required_key
from api.http.operation import served_operation
from api.http.query import parse_query
from domain.errors import InvalidRequest, Problem

M = TypeVar("M", bound=BaseModel)
BodyCheck = Callable[[JsonObject], object]


async def read_body(request: HttpRequest, model: type[M]) -> M:
    """Return the valid body of a request without query and key. Raises InvalidRequest."""
    return read_valid(model, await read_request(request, partial(read_valid, model)))


async def read_request(request: HttpRequest, check_body: BodyCheck | None = None) -> JsonObject:
    """Return the body of a request without query and key; otherwise as `read_keyed_request`."""
    payload, _ = await read_keyed_request(request, check_body)
    return payload


async def read_keyed_request(
    request: HttpRequest, check_body: BodyCheck | None = None
) -> tuple[JsonObject, str | None]:
    """Return the body and the key of a request that takes no query, as its operation says.

    The body is empty if it is missing and may be. `check_body` raises what is wrong with a body. It is called only if
    query or headers are invalid; otherwise the caller validates the body itself. Raises InvalidRequest, and what
    `check_body` raises.
    """
    key, head_problems = read_head(request)
    read = read_json if served_operation(request).body_required else read_optional_json
    if not head_problems:
        return await read(request), key
    body_problems: Sequence[Problem] = ()
    try:
        payload = await read(request)
        if check_body is not None:
            check_body(payload)
    except InvalidRequest as error:
        body_problems = error.problems
    raise _refusal(body_problems, head_problems)


async def read_bare_request(request: HttpRequest) -> str | None:
    """Return the key of a request without query and body. Raises InvalidRequest, and what `read_no_body` raises."""
    key, head_problems = read_head(request)
    try:
        await read_no_body(request)
    except InvalidRequest as error:
        raise _refusal(error.problems, head_problems) from error
    if head_problems:
        raise _refusal((), head_problems)
    return key


def read_head(request: HttpRequest) -> tuple[str | None, list[Problem]]:
    """Return the key, and what is wrong outside the body."""
    header = served_operation(request).headers.get("Idempotency-Key")
    _, problems = parse_query(request)
    if header is None:
        return None, problems
    try:
        return (required_key if header.get("required") else idempotency_key)(request), problems
    except InvalidRequest as error:
        return None, [*problems, *error.problems]


def _refusal(body_problems: Sequence[Problem], head_problems: Sequence[Problem]) -> InvalidRequest:
    # The body's come first; the others are listed even if the body's are too many.
    room = max(MAX_PROBLEMS - len(head_problems), 1)
    return InvalidRequest([*body_problems[:room], *head_problems][:MAX_PROBLEMS])
