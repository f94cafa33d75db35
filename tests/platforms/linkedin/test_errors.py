"""Every error of LinkedIn is mapped to a kind, a code and a message."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import DUPLICATE, LONGEST_TEXT, ErrorKind
from platforms.linkedin import PLATFORM
from platforms.linkedin.errors import duplicate_of

URN = "urn:li:share:6844785523593134080"


def answer(status: int, body: Any = None, path: str = "/rest/posts") -> httpx.Response:
    request = httpx.Request("POST", f"https://api.linkedin.com{path}")
    content: dict[str, Any] = {"text": body} if isinstance(body, str) else {"json": body}
    return httpx.Response(status, request=request, headers={"x-li-uuid": "AAX"}, **content)


def worded(status: int, code: str | None = None, message: str = "Because.") -> httpx.Response:
    return answer(status, {"message": message, "status": status, **({"code": code} if code else {})})


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (worded(500, "INTERNAL_SERVER_ERROR"), ErrorKind.TRANSIENT, "INTERNAL_SERVER_ERROR"),
        (worded(503, "UNDER_MAINTENANCE"), ErrorKind.TRANSIENT, "UNDER_MAINTENANCE"),
        (answer(504, "<html>"), ErrorKind.TRANSIENT, "http_504"),
        (worded(409, "CONFLICT"), ErrorKind.TRANSIENT, "CONFLICT"),
        (worded(400, message="Unable to obtain activity"), ErrorKind.TRANSIENT, "http_400"),
        (worded(429, "TOO_MANY_REQUESTS"), ErrorKind.RATE_LIMITED, "TOO_MANY_REQUESTS"),
        (worded(400, "MEDIA_ASSET_WAITING_UPLOAD"), ErrorKind.NOT_READY, "MEDIA_ASSET_WAITING_UPLOAD"),
        (worded(400, "EXPIRED_UPLOAD_URL"), ErrorKind.TRANSIENT, "EXPIRED_UPLOAD_URL"),
        (worded(400, "MEDIA_ASSET_PROCESSING_FAILED"), ErrorKind.REJECTED, "MEDIA_ASSET_PROCESSING_FAILED"),
        (worded(400, "FIELD_LENGTH_TOO_LONG"), ErrorKind.REJECTED, "FIELD_LENGTH_TOO_LONG"),
        (worded(400, "INVALID_VALUE_FOR_FIELD"), ErrorKind.REJECTED, "INVALID_VALUE_FOR_FIELD"),
        (worded(400, "MISSING_FIELD"), ErrorKind.REJECTED, "MISSING_FIELD"),
        (worded(400, "INVALID_URN_TYPE"), ErrorKind.REJECTED, "INVALID_URN_TYPE"),
        (answer(413, "<html>"), ErrorKind.REJECTED, "http_413"),
        (answer(415, ""), ErrorKind.REJECTED, "http_415"),
        (worded(426, "NONEXISTENT_VERSION"), ErrorKind.OPERATOR, "NONEXISTENT_VERSION"),
        (worded(400, "VERSION_MISSING"), ErrorKind.OPERATOR, "VERSION_MISSING"),
        (worded(401, "EXPIRED_ACCESS_TOKEN"), ErrorKind.AUTH, "EXPIRED_ACCESS_TOKEN"),
        (answer(401, ""), ErrorKind.AUTH, "http_401"),
        (worded(403, "ACCESS_DENIED"), ErrorKind.AUTH, "ACCESS_DENIED"),
        (worded(422, "UNPROCESSABLE_ENTITY", f"Content is a duplicate of {URN}"), ErrorKind.REJECTED, DUPLICATE),
        (worded(422, "UNPROCESSABLE_ENTITY"), ErrorKind.REJECTED, "UNPROCESSABLE_ENTITY"),
        (answer(400, [1]), ErrorKind.REJECTED, "http_400"),
    ],
)
def test_refusals_have_a_kind_and_a_code(response: httpx.Response, kind: ErrorKind, code: str) -> None:
    error = PLATFORM.error_of(response)
    assert (error.kind, error.code, error.status) == (kind, code, response.status_code)
    assert error.message.endswith((".", "version.", "one."))


def test_a_duplicate_names_the_post_that_is_there() -> None:
    assert duplicate_of(PLATFORM.error_of(worded(422, None, f"Content is a duplicate of {URN}"))) == URN
    assert duplicate_of(PLATFORM.error_of(worded(422, None, f"See {URN}"))) is None


def test_own_words_are_kept_short_and_the_request_id_is_reported() -> None:
    error = PLATFORM.error_of(worded(400, "INVALID_VALUE_FOR_FIELD", "x" * 5000))
    assert len(error.message) == LONGEST_TEXT
    assert error.request_id == "AAX"


def test_a_limit_says_when_to_come_back() -> None:
    assert PLATFORM.error_of(worded(429, message="Slow down")).retry_after is None
    day = PLATFORM.error_of(worded(429, message="Resource level throttle limit for calls to this resource is reached."))
    assert day.kind is ErrorKind.CAPPED
    assert day.retry_after is not None
    resumes = datetime.now(UTC) + day.retry_after
    assert (resumes - timedelta(minutes=1)).strftime("%H:%M") in {"00:00", "23:59"}
    assert PLATFORM.error_of(worded(500)).retry_after is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            400,
            {"message": "x", "errorDetails": {"inputErrors": [{"code": "MEDIA_ASSET_WAITING_UPLOAD"}]}},
            ErrorKind.NOT_READY,
            "MEDIA_ASSET_WAITING_UPLOAD",
        ),
        (400, {"message": "The asset is still being processed"}, ErrorKind.NOT_READY, "MEDIA_ASSET_WAITING_UPLOAD"),
        (
            422,
            {
                "message": f"Content is a duplicate of {URN}",
                "errorDetails": {"inputErrors": [{"code": "DUPLICATE_POST"}]},
            },
            ErrorKind.REJECTED,
            DUPLICATE,
        ),
        (400, {"message": "x", "errorDetails": {"inputErrors": ["?"]}}, ErrorKind.REJECTED, "http_400"),
        (400, {"message": "x", "errorDetails": []}, ErrorKind.REJECTED, "http_400"),
    ],
)
def test_the_code_may_stand_below_the_inputs(status: int, body: dict[str, object], kind: ErrorKind, code: str) -> None:
    error = PLATFORM.error_of(answer(status, body))
    assert (error.kind, error.code) == (kind, code)
