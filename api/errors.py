"""The one shape of every error's answer; no other module of the API knows status codes of errors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from domain.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    PostsError,
    Problem,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from store.failures import is_database_unavailable, took_too_long

log = structlog.get_logger(__name__)

_LONGEST = 300
"""Characters kept of a path or sentence that repeats what a client sent."""


class Unauthorized(PostsError):
    """An error: the request has no valid API key."""


class UnsupportedMediaType(PostsError):
    """The body is not sent as JSON."""


_STATUS: dict[type[PostsError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    NotFound: 404,
    Conflict: 409,
    UnsupportedMediaType: 415,
    Unprocessable: 422,
    IdempotencyKeyReused: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}

_OF_FRAMEWORK = {
    404: Problem("There is no such endpoint; /docs lists all", "not_found"),
    405: Problem(
        "This endpoint does not take that method; the header Allow lists those it takes", "method_not_allowed"
    ),
    413: Problem("The body is larger than 1 MiB", "payload_too_large"),
}
_INTERNAL = Problem(
    "Something went wrong on our side; report it with the X-Request-Id of this answer", "internal_error"
)
_TOO_SLOW = Problem("The database took too long to answer this; please try again, or ask for less", "unavailable")
_AWAY = Problem("The service is not available right now; please try again", "unavailable")


def error_type(status: int, *, idempotency: bool = False) -> str:
    """Return the `type` of an error by its status."""
    if idempotency:
        return "idempotency_error"
    if status >= 500:
        return "api_error"
    return {401: "authentication_error", 429: "rate_limit_error"}.get(status, "invalid_request_error")


def as_json(problem: Problem) -> dict[str, str | None]:
    """Return a problem as an entry of `errors`; without platform and account if it concerns no target."""
    found: dict[str, str | None] = {
        "error": _text(problem.error),
        "code": problem.code,
        "param": _text(problem.param) if problem.param else None,
    }
    beside = {
        "platform": problem.platform,
        "accountId": problem.account_id,
        "platformCode": problem.platform_code,
        "postId": problem.post_id,
    }
    return found | {name: _text(value) for name, value in beside.items() if value}


def _text(value: str) -> str:
    """Return text that can be answered: a client's lone surrogate may be part of a path that it names."""
    return value[:_LONGEST].encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to an error. `retry_after`: seconds after which a repeat may succeed."""

    status: int
    problems: Sequence[Problem]
    kind: str
    retry_after: int | None = None


def refusal_of(error: Exception) -> Refusal:
    """Return what an error is answered with: 503 if the database is unavailable, 500 if the error is unexpected.

    Of the latter, what happened goes into the log only.
    """
    if isinstance(error, PostsError):
        status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        retry_after = error.retry_after if isinstance(error, TooManyRequests | Unavailable) else None
        kind = error_type(status, idempotency=isinstance(error, IdempotencyKeyReused))
        return Refusal(status, error.problems, kind, retry_after)
    if is_database_unavailable(error):
        log.warning("database.away", reason=type(error).__name__)
        return Refusal(503, [_TOO_SLOW if took_too_long(error) else _AWAY], error_type(503), retry_after=5)
    log.error("request.failed", exc_info=error)
    return Refusal(500, [_INTERNAL], error_type(500))


def error_response(
    status: int, problems: Sequence[Problem], kind: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Answer with the first problem as the contract shows it, and all of them in `errors`."""
    every = [as_json(problem) for problem in problems]
    first = every[0]
    body: dict[str, Any] = {"error": first["error"], "type": kind, "code": first["code"]}
    body |= {name: first[name] for name in ("param", "postId") if first.get(name) is not None}
    body["errors"] = every
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(raw, media_type="application/json", status_code=status, headers=headers or {})


def on_posts_error(_: Request[Any, Any, Any], error: PostsError) -> Response[bytes]:
    """Answer an error of our own."""
    return _answer(refusal_of(error), {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {})


def on_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what Litestar refuses: unknown routes and methods, bodies too large."""
    status = error.status_code
    if status >= 500:
        return on_unexpected_error(request, error)
    problem = _OF_FRAMEWORK.get(status) or Problem(HTTPStatus(status).phrase, "invalid_request")
    headers = {name: str(value) for name, value in (error.headers or {}).items()}
    return error_response(status, [problem], error_type(status), headers)


def on_unexpected_error(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 503 if the database is away, else 500."""
    return _answer(refusal_of(error), {})


def _answer(refusal: Refusal, headers: dict[str, str]) -> Response[bytes]:
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return error_response(refusal.status, refusal.problems, refusal.kind, headers)
