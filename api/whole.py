"""Read a request whole, so that all that is wrong with its shape is said at once: body, headers and query."""

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from litestar import Request

from api.body import MAX_PROBLEMS, JsonObject, read_json, read_no_body, read_optional_json
from api.query import read_query
from domain.errors import InvalidRequest, Problem

HttpRequest = Request[Any, Any, Any]
Check = Callable[[HttpRequest], object]
Shape = Callable[[JsonObject], object]


async def read_request(
    request: HttpRequest, shape: Shape | None = None, *headers: Check, optional: bool = False
) -> JsonObject:
    """Return the body of a request that takes no query; an empty one if it is `optional` and there is none.

    `shape` raises what is wrong with a body, at once or when awaited. It is asked only where something beside the body
    is wrong, because whoever takes the body asks the same. Raises InvalidRequest, and what `read_json` and `shape` do.
    """
    beside, read = _problems(request, read_query, *headers), read_optional_json if optional else read_json
    if not beside:
        return await read(request)
    found: tuple[Problem, ...] = ()
    try:
        payload = await read(request)
        if shape is not None and isawaitable(told := shape(payload)):
            await told
    except InvalidRequest as error:
        found = error.problems
    raise _refusal(found, beside)


async def read_bare_request(request: HttpRequest, *headers: Check) -> None:
    """Accept a request without query and body. Raises InvalidRequest, and what `read_no_body` raises."""
    beside = _problems(request, read_query, *headers)
    try:
        await read_no_body(request)
    except InvalidRequest as error:
        raise _refusal(error.problems, beside) from error
    if beside:
        raise _refusal((), beside)


def _problems(request: HttpRequest, *checks: Check) -> list[Problem]:
    found: list[Problem] = []
    for check in checks:
        try:
            check(request)
        except InvalidRequest as error:
            found += error.problems
    return found


def _refusal(of_body: tuple[Problem, ...], beside: list[Problem]) -> InvalidRequest:
    # The body's come first; what stands beside it is said even where the body's are too many to list.
    return InvalidRequest([*of_body[: max(MAX_PROBLEMS - len(beside), 1)], *beside][:MAX_PROBLEMS])
