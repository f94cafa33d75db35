"""Read a request whole, so that all that is wrong with its shape is said at once: body, headers and query."""

from collections.abc import Callable
from inspect import isawaitable
from typing import Any, TypeVar

from litestar import Request

from api.body import MAX_PROBLEMS, JsonObject, read_json, read_no_body, read_optional_json
from api.query import read_query
from domain.errors import InvalidRequest, Problem

HttpRequest = Request[Any, Any, Any]
Shape = Callable[[JsonObject], object]
K = TypeVar("K")


async def read_request(request: HttpRequest, shape: Shape | None = None) -> JsonObject:
    """Return the body of a request that takes no query and no key; `shape` and errors as in `read_keyed_request`."""
    payload, _ = await read_keyed_request(request, lambda _: None, shape)
    return payload


async def read_keyed_request(
    request: HttpRequest, key_of: Callable[[HttpRequest], K], shape: Shape | None = None, *, optional: bool = False
) -> tuple[JsonObject, K]:
    """Return the body and the key of a request that takes no query; an empty body if it is `optional` and missing.

    `shape` raises what is wrong with a body, at once or when awaited. It is called only if something beside the body is
    wrong, because the caller asks the same of the body otherwise. Raises InvalidRequest, and what `read_json` and
    `shape` do.
    """
    keys, beside = _read_beside(request, key_of)
    read = read_optional_json if optional else read_json
    if not beside:
        return await read(request), keys[0]
    found: tuple[Problem, ...] = ()
    try:
        payload = await read(request)
        if shape is not None and isawaitable(told := shape(payload)):
            await told
    except InvalidRequest as error:
        found = error.problems
    raise _refusal(found, beside)


async def read_bare_request(request: HttpRequest, key_of: Callable[[HttpRequest], K]) -> K:
    """Return the key of a request without query and body. Raises InvalidRequest, and what `read_no_body` raises."""
    keys, beside = _read_beside(request, key_of)
    try:
        await read_no_body(request)
    except InvalidRequest as error:
        raise _refusal(error.problems, beside) from error
    if beside:
        raise _refusal((), beside)
    return keys[0]


def _read_beside(request: HttpRequest, key_of: Callable[[HttpRequest], K]) -> tuple[list[K], list[Problem]]:
    """Return the key, as a list of one, or what is wrong beside the body."""
    keys: list[K] = []
    found: list[Problem] = []
    try:
        read_query(request)
    except InvalidRequest as error:
        found += error.problems
    try:
        keys.append(key_of(request))
    except InvalidRequest as error:
        found += error.problems
    return keys, found


def _refusal(of_body: tuple[Problem, ...], beside: list[Problem]) -> InvalidRequest:
    # The body's come first; what stands beside it is said even where the body's are too many to list.
    return InvalidRequest([*of_body[: max(MAX_PROBLEMS - len(beside), 1)], *beside][:MAX_PROBLEMS])
