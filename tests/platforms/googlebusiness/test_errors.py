"""The meaning of each error of Google."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.googlebusiness.errors import error_of


def refusal(code: int, status: str | None, *details: dict[str, Any]) -> PlatformError:
    error = {"code": code, "message": "its own words", "status": status, "details": list(details)}
    return error_of(httpx.Response(code, json={"error": {name: value for name, value in error.items() if value}}))


def fault(**fields: Any) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.mybusiness.v4.ValidationError", "errorDetails": [fields]}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (401, "UNAUTHENTICATED", ErrorKind.AUTH),
        (401, None, ErrorKind.AUTH),
        (403, "PERMISSION_DENIED", ErrorKind.AUTH),
        (404, "NOT_FOUND", ErrorKind.AUTH),
        (404, None, ErrorKind.AUTH),
        (429, "RESOURCE_EXHAUSTED", ErrorKind.RATE_LIMITED),
        (429, None, ErrorKind.RATE_LIMITED),
        (500, "INTERNAL", ErrorKind.TRANSIENT),
        (503, "UNAVAILABLE", ErrorKind.TRANSIENT),
        (504, "DEADLINE_EXCEEDED", ErrorKind.TRANSIENT),
        (502, None, ErrorKind.TRANSIENT),
        (400, "INVALID_ARGUMENT", ErrorKind.REJECTED),
        (400, "FAILED_PRECONDITION", ErrorKind.REJECTED),
    ],
)
def test_statuses_have_a_kind_and_a_sentence(code: int, status: str | None, kind: ErrorKind) -> None:
    error = refusal(code, status)
    assert (error.kind, error.status) == (kind, code)
    assert error.retry_after == (timedelta(seconds=60) if kind is ErrorKind.RATE_LIMITED else None)
    assert ("its own words" in error.message) is (kind is ErrorKind.REJECTED)


def test_details_say_which_field_is_at_fault() -> None:
    error = refusal(400, "INVALID_ARGUMENT", fault(field="summary", message="Must be at most 1500 characters", code=3))
    assert error.message == "Google refused: summary: Must be at most 1500 characters"
    assert error.code == "invalid_argument"
    assert refusal(400, "INVALID_ARGUMENT", fault(message="No.")).message == "Google refused: No."


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("PHOTO_FETCH_FAILED", ErrorKind.TRANSIENT),
        ("PHOTO_UPLOAD_FAILED", ErrorKind.TRANSIENT),
        ("LOCATION_DISABLED_FOR_LOCAL_POST_API", ErrorKind.REJECTED),
    ],
)
def test_reasons_go_before_statuses(reason: str, kind: ErrorKind) -> None:
    for details in (fault(code=reason, message="x"), {"@type": "google.rpc.ErrorInfo", "reason": reason}):
        error = refusal(400, "INVALID_ARGUMENT", details)
        assert (error.kind, error.code) == (kind, reason.lower())


@pytest.mark.parametrize(
    ("details", "kind", "code"),
    [
        (fault(code=1000, message="Fetching image failed."), ErrorKind.TRANSIENT, "photo_fetch_failed"),
        (fault(code=2, message="Fetching image failed."), ErrorKind.TRANSIENT, "photo_fetch_failed"),
        (fault(code=1301, message="x"), ErrorKind.REJECTED, "operation_unsupported_under_account_condition"),
        (fault(code=5, message="x"), ErrorKind.REJECTED, "invalid_argument"),
    ],
)
def test_faults_are_known_by_their_numbers_and_words(details: dict[str, object], kind: ErrorKind, code: str) -> None:
    error = refusal(400, "INVALID_ARGUMENT", details)
    assert (error.kind, error.code) == (kind, code)
