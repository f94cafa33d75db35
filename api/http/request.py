"""Read body, headers and query of a request, and report everything that is wrong with them in one answer."""

from collections.abc import Callable
from inspect import isawaitable
from typing import TypeVar

from api.http.body import MAX_PROBLEMS, JsonObject, read_json, read_no_body, read_optional_json
from api.http.headers import HttpRequest
from api.http.query import read_query
from domain.errors import InvalidRequest, Problem

BodyCheck = Callable[[JsonObject], object]
K = TypeVar("K")


async def read_request(request: HttpRequest, check_body: BodyCheck | None = None) -> JsonObject:
    """Return the body of a request without query and key; otherwise as `read_keyed_request`."""
    payload, _ = await read_keyed_request(request, lambda _: None, check_body)
    return payload


async def read_keyed_request(
    request: HttpRequest,
    key_of: Callable[[HttpRequest], K],
    check_body: BodyCheck | None = None,
    *,
    optional: bool = False,
) -> tuple[JsonObject, K]:
    """Return the body and the key of a request that takes no query; an empty body if it is `optional` and missing.

    `check_body` raises what is wrong with a body; it may be asynchronous. It is called only if query or headers are
    invalid; otherwise the caller validates the body itself. Raises InvalidRequest, and what the two raise.
    """
    keys, of_head = _read_head(request, key_of)
    read = read_optional_json if optional else read_json
    if not of_head:
        return await read(request), keys[0]
    found: tuple[Problem, ...] = ()
    try:
        payload = await read(request)
        if check_body is not None and isawaitable(further := check_body(payload)):
            await further
    except InvalidRequest as error:
        found = error.problems
    raise _refusal(found, of_head)


async def read_bare_request(request: HttpRequest, key_of: Callable[[HttpRequest], K]) -> K:
    """Return the key of a request without query and body. Raises InvalidRequest, and what `read_no_body` raises."""
    keys, of_head = _read_head(request, key_of)
    try:
        await read_no_body(request)
    except InvalidRequest as error:
        raise _refusal(error.problems, of_head) from error
    if of_head:
        raise _refusal((), of_head)
    return keys[0]


def _read_head(request: HttpRequest, key_of: Callable[[HttpRequest], K]) -> tuple[list[K], list[Problem]]:
    """Return the key, as a list of one, or what is wrong outside the body."""
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


def _refusal(of_body: tuple[Problem, ...], of_head: list[Problem]) -> InvalidRequest:
    # The body's come first; the others are listed even if the body's are too many.
    return InvalidRequest([*of_body[: max(MAX_PROBLEMS - len(of_head), 1)], *of_head][:MAX_PROBLEMS])
