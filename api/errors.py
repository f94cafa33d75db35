"""The one shape of every error's answer; no other module of the API knows status codes of errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal, NotRequired

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from typing_extensions import TypedDict

from api.views import described, example, view, write_json
from domain.api_keys import Scope
from domain.codes import ProblemCode
from domain.errors import (
    Conflict,
    Gone,
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

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "idempotency_error",
    "rate_limit_error",
    "api_error",
]

_LONGEST = 300
"""Characters kept of a path or sentence that repeats what a client sent."""


@view()
class ProblemView(TypedDict):
    """One thing that is wrong."""

    error: Annotated[str, described("A sentence for a person.", "Instagram requires media for all posts")]
    code: Annotated[ProblemCode, described("For a program.", "invalid_field_value")]
    param: Annotated[str | None, described("The dotted path of the field at fault.", "mediaItems")]
    platform: NotRequired[Annotated[str, example("instagram")]]
    """The platform of the target that it concerns, as the body names it, if it concerns one target."""
    accountId: NotRequired[Annotated[str, described("The account of that target.", "ig_123")]]
    row: NotRequired[Annotated[int, example(17)]]
    """The row that it concerns, in a request with many: its line in the file, or its place in the list."""
    rows: NotRequired[Annotated[list[int], example([17, 18])]]
    """The first rows with the same problem, if it stands for more than 10."""
    count: NotRequired[Annotated[int, described("How many rows have it, if it stands for more than 10.", 1000)]]
    platformCode: NotRequired[Annotated[str, described("The platform's own code, if it refused an edit.", "187")]]
    postId: NotRequired[Annotated[str, example("post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]]
    """The existing post, if the `code` is `external_id_taken`."""


@view("ApiError")
class ErrorView(TypedDict):
    """Every error has this shape."""

    error: Annotated[str, described("The first problem, as a sentence for a person.", "Invalid API key")]
    type: Annotated[ErrorType, described("The kind of error.", "authentication_error")]
    code: Annotated[ProblemCode, described("The first problem, for a program.", "invalid_credentials")]
    param: NotRequired[Annotated[str, described("The dotted path of the field at fault, if there is one.", "content")]]
    postId: NotRequired[Annotated[str, example("post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]]
    """The existing post, if the `code` is `external_id_taken`."""
    errors: Annotated[list[ProblemView], described("All problems, the first included.")]


class _Place(TypedDict):
    """The fields of an error that not every error has, in their place among the others."""

    param: NotRequired[str]
    postId: NotRequired[str]


class Unauthorized(PostsError):
    """An error: the request has no valid API key."""


class Forbidden(PostsError):
    """An error: the request's API key lacks a scope."""

    def __init__(self, scope: Scope, problem: Problem | None = None) -> None:
        self.scope = scope
        sentence = f"This API key lacks the scope {scope}; use a key that has it (GET /v1/me)"
        super().__init__(problem or Problem(sentence, "insufficient_scope"))


class UnsupportedMediaType(PostsError):
    """The body is not sent as JSON."""


class PayloadTooLarge(PostsError):
    """A file has more bytes than it may have."""


_STATUS: dict[type[PostsError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    Unprocessable: 422,
    IdempotencyKeyReused: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}

_TYPES: dict[int, ErrorType] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_OF_FRAMEWORK = {
    404: Problem("There is no such endpoint; /docs lists all", "not_found"),
    405: Problem(
        "This endpoint does not take that method; the header Allow lists those it takes", "method_not_allowed"
    ),
}
_INTERNAL = Problem(
    "Something went wrong on our side; report it with the X-Request-Id of this answer", "internal_error"
)
_TOO_SLOW = Problem("The database took too long to answer this; please try again, or ask for less", "unavailable")
_AWAY = Problem("The service is not available right now; please try again", "unavailable")


def error_type(status: int, *, idempotency: bool = False) -> ErrorType:
    """Return the `type` of an error by its status."""
    if idempotency:
        return "idempotency_error"
    if status >= 500:
        return "api_error"
    return _TYPES.get(status, "invalid_request_error")


def problem_view(problem: Problem) -> ProblemView:
    """Return a problem as clients read it; without platform and account if it concerns no target."""
    shown = ProblemView(
        error=_text(problem.error), code=problem.code, param=_text(problem.param) if problem.param else None
    )
    if problem.platform:
        shown["platform"] = _text(problem.platform)
    if problem.account_id:
        shown["accountId"] = _text(problem.account_id)
    if problem.value is not None:
        shown["error"] += f": {_text(problem.value)}"
    if problem.row is not None:
        shown["row"] = problem.row
    if problem.count is not None:
        shown["rows"], shown["count"] = list(problem.rows), problem.count
    if problem.platform_code:
        shown["platformCode"] = _text(problem.platform_code)
    if problem.post_id:
        shown["postId"] = _text(problem.post_id)
    return shown


def error_view(problems: Sequence[Problem], kind: ErrorType) -> ErrorView:
    """Return an error as clients read it: the first problem as the contract shows it, and all of them in `errors`."""
    views = [problem_view(problem) for problem in problems]
    first, place = views[0], _Place()
    if first["param"] is not None:
        place["param"] = first["param"]
    if "postId" in first:
        place["postId"] = first["postId"]
    return {"error": first["error"], "type": kind, "code": first["code"], **place, "errors": views}


def _text(value: str) -> str:
    """Return text that can be answered: a client's lone surrogate may be part of a path that it names."""
    return value[:_LONGEST].encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to an error. `retry_after`: seconds after which a repeat may succeed."""

    status: int
    problems: Sequence[Problem]
    kind: ErrorType
    retry_after: int | None = None


def to_refusal(error: Exception) -> Refusal:
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
    status: int, problems: Sequence[Problem], kind: ErrorType, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Answer with an error."""
    body = write_json(error_view(problems, kind))
    return Response(body, media_type="application/json", status_code=status, headers=headers or {})


def on_posts_error(_: Request[Any, Any, Any], error: PostsError) -> Response[bytes]:
    """Answer an error of our own."""
    return _answer(to_refusal(error), _challenge(error))


def _challenge(error: PostsError) -> dict[str, str]:
    """Return the headers that tell a client how to authenticate, or what its key lacks (RFC 6750)."""
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, Forbidden):
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{error.scope}"'}
    return {}


def on_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what Litestar refuses: unknown routes and methods, bodies too large."""
    status = error.status_code
    if status >= 500:
        return on_unexpected_error(request, error)
    problem = _OF_FRAMEWORK.get(status) or Problem(HTTPStatus(status).phrase, "invalid_request")
    if status == 413:
        problem = _too_large(request.route_handler.resolve_request_max_body_size() or 0)
    headers = {name: str(value) for name, value in (error.headers or {}).items()}
    return error_response(status, [problem], error_type(status), headers)


def _too_large(most: int) -> Problem:
    return Problem(f"The body is larger than {most // 2**20} MiB", "payload_too_large")


def on_unexpected_error(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 503 if the database is away, else 500."""
    return _answer(to_refusal(error), {})


def _answer(refusal: Refusal, headers: dict[str, str]) -> Response[bytes]:
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return error_response(refusal.status, refusal.problems, refusal.kind, headers)
