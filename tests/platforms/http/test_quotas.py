"""Quotas that platforms report, over real HTTP from the sandbox."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from domain.request_limits import Quota
from platforms.capabilities import ReportsQuota
from platforms.errors import ErrorKind, PlatformError
from platforms.meta.graph import read_quota
from platforms.registry import platforms
from tests.platforms.rig import Connect


def answers(reset: datetime) -> dict[str, tuple[dict[str, str], int]]:
    """Return the headers of each platform for a limit that ends then, an hour from now, and what is left of it."""
    at, utc = str(int(reset.timestamp())), reset.isoformat().replace("+00:00", "Z")
    return {
        "twitter": ({"x-rate-limit-remaining": "7", "x-rate-limit-reset": at}, 7),
        "mastodon": ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": utc}, 7),
        "bluesky": ({"ratelimit-remaining": "7", "ratelimit-reset": at}, 2),
        "discord": ({"x-ratelimit-remaining": "7", "x-ratelimit-reset-after": "3600.25"}, 7),
        "reddit": ({"x-ratelimit-remaining": "7.0", "x-ratelimit-reset": "3600"}, 7),
    }


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("platform", answers(in_an_hour()))
def test_headers_report_remaining_and_reset(platform: str) -> None:
    headers, remaining = answers(in_an_hour())[platform]
    quota = platforms()[platform].quota_in(httpx.Response(201, headers=headers))
    assert quota is not None
    assert quota.resets_at is not None
    assert quota.remaining == remaining
    assert timedelta(minutes=40) < quota.resets_at - datetime.now(UTC) < timedelta(minutes=61)
    assert platforms()[platform].quota_in(httpx.Response(201)) is None


def test_the_scarcest_of_several_limits_counts() -> None:
    soon = int(in_an_hour().timestamp())
    day = soon + 80_000
    headers = {
        "x-rate-limit-remaining": "40",
        "x-rate-limit-reset": str(soon),
        "x-user-limit-24hour-remaining": "2",
        "x-user-limit-24hour-reset": str(day),
    }
    quota = platforms()["twitter"].quota_in(httpx.Response(201, headers=headers))
    assert quota is not None
    assert quota.resets_at is not None
    assert quota.remaining == 2
    assert abs(quota.resets_at.timestamp() - day) < 2


@pytest.mark.parametrize(("name", "total"), [("instagram", 100), ("threads", 250)])
async def test_accounts_are_asked_for_their_own_number(connect: Connect, name: str, total: int) -> None:
    rig, platform = await connect(name), platforms()[name]
    assert isinstance(platform, ReportsQuota)
    assert await platform.quota(rig.connection()) == Quota(total, limit=total)


@pytest.mark.parametrize("answer", [None, [], [{}], [{"quota_usage": "many", "config": {"quota_total": 1}}], {"a": 1}])
def test_unreadable_quota_is_rejected(answer: object) -> None:
    with pytest.raises(PlatformError) as caught:
        read_quota(answer, "Threads")
    assert caught.value.kind is ErrorKind.TRANSIENT
