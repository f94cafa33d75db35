"""The meaning of each error of YouTube."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.youtube.errors import UPLOAD_LIMIT_WAIT, error_of, until_quota_resets
from tests.platforms.post_steps import refused
from tests.platforms.rig import Rig
from tests.platforms.youtube.test_platform import prepared, rig

__all__ = ["rig"]


def refusal(status: int, reason: str, message: str = "its own words", **headers: str) -> PlatformError:
    error = {"code": status, "message": message, "errors": [{"domain": "youtube", "reason": reason}]}
    return error_of(httpx.Response(status, json={"error": error}, headers=headers))


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (500, "internalError", ErrorKind.TRANSIENT),
        (503, "backendError", ErrorKind.TRANSIENT),
        (403, "rateLimitExceeded", ErrorKind.RATE_LIMITED),
        (403, "userRateLimitExceeded", ErrorKind.RATE_LIMITED),
        (403, "quotaExceeded", ErrorKind.CAPPED),
        (400, "uploadLimitExceeded", ErrorKind.CAPPED),
        (400, "invalidTitle", ErrorKind.REJECTED),
        (400, "invalidDescription", ErrorKind.REJECTED),
        (400, "invalidTags", ErrorKind.REJECTED),
        (400, "invalidCategoryId", ErrorKind.REJECTED),
        (400, "invalidPublishAt", ErrorKind.REJECTED),
        (403, "forbiddenPrivacySetting", ErrorKind.REJECTED),
        (403, "forbiddenLicenseSetting", ErrorKind.REJECTED),
        (400, "imageFormatUnsupported", ErrorKind.REJECTED),
        (401, "youtubeSignupRequired", ErrorKind.AUTH),
        (403, "channelClosed", ErrorKind.AUTH),
        (403, "channelSuspended", ErrorKind.AUTH),
        (403, "authenticatedUserAccountSuspended", ErrorKind.AUTH),
        (401, "authorizationRequired", ErrorKind.AUTH),
        (401, "somethingNew", ErrorKind.AUTH),
        (403, "insufficientPermissions", ErrorKind.AUTH),
        (403, "somethingNew", ErrorKind.REJECTED),
    ],
)
def test_each_reason_has_a_kind(status: int, reason: str, kind: ErrorKind) -> None:
    error = refusal(status, reason)
    assert (error.kind, error.code) == (kind, reason)
    assert error.message


def test_limits_say_when_to_come_back() -> None:
    assert refusal(429, "rateLimitExceeded", **{"retry-after": "17"}).retry_after == timedelta(seconds=17)
    assert refusal(429, "rateLimitExceeded").retry_after is None
    assert refusal(400, "uploadLimitExceeded").retry_after == UPLOAD_LIMIT_WAIT
    quota = refusal(403, "quotaExceeded").retry_after
    assert quota is not None
    assert timedelta(0) < quota <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("now", "wait"),
    [
        (datetime(2026, 1, 15, 7, 59, tzinfo=UTC), timedelta(minutes=1)),
        (datetime(2026, 1, 15, 8, 0, tzinfo=UTC), timedelta(hours=24)),
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), timedelta(hours=1)),
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), timedelta(hours=23)),
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), timedelta(hours=25)),
    ],
)
def test_the_quota_begins_again_at_midnight_in_california(now: datetime, wait: timedelta) -> None:
    assert until_quota_resets(now) == wait


def test_oauth_speaks_its_own_shape() -> None:
    body = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    error = error_of(httpx.Response(400, json=body))
    assert (error.kind, error.code) == (ErrorKind.AUTH, "invalid_grant")


PER_DAY = "Quota exceeded for quota metric 'Video Uploads' and limit 'Video Uploads per day' of service 'youtube'."


def test_the_uploads_of_a_day_are_a_cap_although_google_calls_them_a_rate() -> None:
    error = refusal(429, "rateLimitExceeded", PER_DAY)
    assert error.kind is ErrorKind.CAPPED
    assert error.retry_after is not None
    assert timedelta(0) < error.retry_after <= timedelta(hours=25)
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "metadata": {"quota_limit": "VideoUploadsPerDayPerProject", "quota_limit_value": "100"},
    }
    body = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": [info]}}
    assert error_of(httpx.Response(429, json=body)).kind is ErrorKind.CAPPED
    info["metadata"] = {"quota_limit": "defaultPerMinutePerUser", "quota_limit_value": "100"}
    assert error_of(httpx.Response(429, json=body)).kind is ErrorKind.RATE_LIMITED


async def test_a_project_without_access_is_an_operator_error(rig: Rig) -> None:
    for condition, code in (("app_refused", "SERVICE_DISABLED"), ("quota_0", "RATE_LIMIT_EXCEEDED")):
        await rig.sandbox.switch_on("youtube", condition, rig.account.account_id)
        error = await refused(prepared(rig))
        await rig.sandbox.clear_conditions("youtube")
        assert (error.kind, error.code) == (ErrorKind.OPERATOR, code)
        assert error.message.endswith(("console.", "access."))


async def test_the_sandbox_words_a_used_up_day_as_google_does(rig: Rig) -> None:
    await rig.sandbox.switch_on("youtube", "day_used_up", rig.account.account_id)
    error = await refused(prepared(rig))
    await rig.sandbox.clear_conditions("youtube")
    assert (error.kind, error.status) == (ErrorKind.CAPPED, 429)


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
def test_a_wrong_client_secret_refuses_no_account(error: str) -> None:
    assert error_of(httpx.Response(401, json={"error": error})).kind is ErrorKind.OPERATOR


def test_the_old_shape_of_an_api_that_is_not_enabled() -> None:
    assert refusal(403, "accessNotConfigured").kind is ErrorKind.OPERATOR
