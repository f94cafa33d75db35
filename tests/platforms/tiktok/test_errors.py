"""The meaning of each error of TikTok."""

from datetime import timedelta

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.tiktok.errors import error_of, failed


def refusal(code: str, status: int = 400, message: str = "its own words") -> PlatformError:
    body = {"data": {}, "error": {"code": code, "message": message, "log_id": "L1"}}
    return error_of(httpx.Response(status, json=body))


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (ErrorKind.RATE_LIMITED, ["rate_limit_exceeded"]),
        (ErrorKind.CAPPED, ["spam_risk_too_many_posts", "reached_active_user_cap"]),
        (ErrorKind.CAPPED, ["spam_risk_too_many_pending_share"]),
        (ErrorKind.TRANSIENT, ["internal_error"]),
        (ErrorKind.AUTH, ["access_token_invalid", "scope_not_authorized", "scope_permission_missed"]),
        (ErrorKind.AUTH, ["spam_risk_user_banned_from_posting"]),
        (ErrorKind.REJECTED, ["invalid_params", "privacy_level_option_mismatch", "app_version_check_failed"]),
        (ErrorKind.OPERATOR, ["unaudited_client_can_only_post_to_private_accounts", "url_ownership_unverified"]),
    ],
)
def test_each_code_has_a_kind(kind: ErrorKind, codes: list[str]) -> None:
    for code in codes:
        for status in (200, 400, 403):
            error = refusal(code, status)
            assert (error.code, error.kind, error.request_id) == (code, kind, "L1")
            assert (error.retry_after is not None) is (kind in {ErrorKind.RATE_LIMITED, ErrorKind.CAPPED})


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (ErrorKind.TRANSIENT, ["internal"]),
        (ErrorKind.AUTH, ["auth_removed"]),
        (ErrorKind.REJECTED, ["file_format_check_failed", "duration_check_failed", "frame_rate_check_failed"]),
        (ErrorKind.REJECTED, ["picture_size_check_failed", "spam_risk_text", "spam_risk", "publish_cancelled"]),
        (ErrorKind.REJECTED, ["video_pull_failed", "photo_pull_failed", "something_new", ""]),
    ],
)
def test_each_reason_has_a_kind(kind: ErrorKind, reasons: list[str]) -> None:
    for reason in reasons:
        error = failed(reason)
        assert (error.kind, error.code) == (kind, reason or "unexplained")
        assert error.message


def test_limits_say_when_to_come_back() -> None:
    assert refusal("spam_risk_too_many_pending_share").retry_after == timedelta(hours=1), "the owner empties the inbox"
    assert refusal("rate_limit_exceeded", 429).retry_after == timedelta(seconds=61)
    assert (refusal("spam_risk_too_many_posts").retry_after or timedelta()) > timedelta(hours=1)


def test_oauth_speaks_its_own_shape() -> None:
    body = {"error": "invalid_grant", "error_description": "Refresh token is invalid.", "log_id": "L2"}
    error = error_of(httpx.Response(200, json=body))
    assert (error.kind, error.code, error.request_id) == (ErrorKind.AUTH, "invalid_grant", "L2")
    assert error_of(httpx.Response(200, json={"error": "server_error"})).kind is ErrorKind.TRANSIENT


def test_an_unknown_code_is_judged_by_its_status() -> None:
    assert refusal("something_new", 500).kind is ErrorKind.TRANSIENT
