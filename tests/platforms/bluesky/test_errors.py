"""The meaning of each error of an AT Protocol server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.bluesky.errors import BLOB_GONE, DAILY_VIDEO_WAIT, RECORD_ABSENT, error_of
from platforms.errors import ErrorKind, PlatformError


def refusal(
    error: str | None, message: str = "its own words", status: int = 400, headers: dict[str, str] | None = None
) -> PlatformError:
    body: dict[str, Any] = {"message": message} | ({"error": error} if error else {})
    return error_of(httpx.Response(status, json=body, headers=headers))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("RateLimitExceeded", 429, ErrorKind.RATE_LIMITED),
        ("DailyLimitExceeded", 400, ErrorKind.CAPPED),
        ("TooManyOpenUploads", 400, ErrorKind.RATE_LIMITED),
        ("InternalServerError", 500, ErrorKind.TRANSIENT),
        ("UpstreamFailure", 502, ErrorKind.TRANSIENT),
        ("ServiceOverloaded", 400, ErrorKind.TRANSIENT),
        ("InvalidSwap", 400, ErrorKind.TRANSIENT),
        ("UploadNotReady", 400, ErrorKind.NOT_READY),
        ("ExpiredToken", 400, ErrorKind.AUTH),
        ("InvalidToken", 400, ErrorKind.AUTH),
        ("AuthMissing", 401, ErrorKind.AUTH),
        ("AuthenticationRequired", 401, ErrorKind.AUTH),
        ("AuthFactorTokenRequired", 401, ErrorKind.AUTH),
        ("AccountTakedown", 401, ErrorKind.AUTH),
        ("AccountDeactivated", 400, ErrorKind.AUTH),
        ("UploadForbidden", 400, ErrorKind.REJECTED),
        ("BlobTooLarge", 400, ErrorKind.REJECTED),
        ("PayloadTooLarge", 413, ErrorKind.REJECTED),
        ("InvalidMimeType", 400, ErrorKind.REJECTED),
        ("VideoTooLong", 400, ErrorKind.REJECTED),
        ("BadAspectRatio", 400, ErrorKind.REJECTED),
    ],
)
def test_known_codes_have_a_kind_and_a_sentence_of_ours(code: str, status: int, kind: ErrorKind) -> None:
    error = refusal(code, status=status)
    assert (error.kind, error.code, error.status) == (kind, code, status)
    assert "its own words" not in error.message
    assert error.message.endswith(".")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Could not find blob: bafkrei", BLOB_GONE),
        ("Could not locate record: at://did:plc:a/app.bsky.feed.post/b", RECORD_ABSENT),
    ],
)
def test_errors_without_a_code_are_recognised_by_their_words(message: str, code: str) -> None:
    assert refusal("InvalidRequest", message).code == code


@pytest.mark.parametrize("status", [404, 301, 307])
def test_an_address_that_is_no_server_of_this_kind_is_named_as_the_fault(status: int) -> None:
    headers = {"location": "https://elsewhere.example/"} if status < 400 else {}
    assert "Check it" in error_of(httpx.Response(status, text="<html/>", headers=headers)).message


def test_the_wait_is_the_servers_own() -> None:
    assert refusal("RateLimitExceeded", status=429, headers={"retry-after": "120"}).retry_after == timedelta(minutes=2)
    reset = str(int((datetime.now(UTC) + timedelta(minutes=5)).timestamp()))
    wait = refusal("RateLimitExceeded", status=429, headers={"ratelimit-reset": reset}).retry_after
    assert wait is not None
    assert timedelta(minutes=4) < wait <= timedelta(minutes=5)
    assert refusal("RateLimitExceeded", status=429, headers={"ratelimit-reset": "1"}).retry_after == timedelta(
        seconds=1
    )
    assert refusal("RateLimitExceeded", status=429, headers={"ratelimit-reset": "soon"}).retry_after is None
    assert refusal("DailyLimitExceeded").retry_after == DAILY_VIDEO_WAIT
    assert refusal("InvalidRequest", headers={"retry-after": "120"}).retry_after is None
