"""Errors of YouTube about the quota of a day, and about a project without access."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.youtube.errors import read_error, until_quota_resets
from tests.platforms.post_steps import refused
from tests.platforms.rig import Rig
from tests.platforms.youtube.test_platform import prepared, rig

__all__ = ["rig"]


def refusal(reason: str, message: str = "its own words") -> PlatformError:
    error = {"code": 429, "message": message, "errors": [{"domain": "youtube", "reason": reason}]}
    return read_error(httpx.Response(429, json={"error": error}))


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


PER_DAY = "Quota exceeded for quota metric 'Video Uploads' and limit 'Video Uploads per day' of service 'youtube'."


def test_the_uploads_of_a_day_are_a_cap_although_google_calls_them_a_rate() -> None:
    for error in (refusal("quotaExceeded"), refusal("rateLimitExceeded", PER_DAY)):
        assert error.kind is ErrorKind.CAPPED
        assert timedelta(0) < (error.retry_after or timedelta()) <= timedelta(hours=25)
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "metadata": {"quota_limit": "VideoUploadsPerDayPerProject", "quota_limit_value": "100"},
    }
    body = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": [info]}}
    assert read_error(httpx.Response(429, json=body)).kind is ErrorKind.CAPPED
    info["metadata"] = {"quota_limit": "defaultPerMinutePerUser", "quota_limit_value": "100"}
    assert read_error(httpx.Response(429, json=body)).kind is ErrorKind.RATE_LIMITED


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
