"""A post over its platform's limit of a day is created all the same, and create and validate warn of it."""

from datetime import timedelta
from unittest import mock

from domain.request_limits import RateLimit
from tests.api.conftest import Client
from tests.stack import Stack


async def test_create_and_validate_warn_of_a_day_that_has_too_many_posts(api: Client, stack: Stack) -> None:
    account = await stack.connect("linkedin")
    target = {"platform": "linkedin", "accountId": account.id}

    def body(time: str) -> dict[str, object]:
        return {"content": f"cap {time}", "platforms": [target], "scheduledFor": time, "timezone": "Europe/Berlin"}

    with mock.patch("api.posts.times.day_limit", return_value=RateLimit(2, timedelta(days=1))):
        # 00:30 of the day and 23:30 of the day before are an hour apart.
        for time in ("2030-12-03T00:30:00", "2030-12-02T23:30:00", "2030-12-03T12:00:00"):
            created = await api.send_post(body(time))
            assert (created.status_code, created.json().get("warnings")) == (201, None), time
        third = body("2030-12-03T23:30:00")
        verdict = (await api.post("/v1/posts/validate", json=third)).json()
        created = (await api.send_post(third)).json()
    assert verdict["valid"] is True
    (warning,) = verdict["warnings"]
    assert created["warnings"] == [warning]
    assert (warning["code"], warning["param"], warning["accountId"]) == (
        "over_daily_cap",
        "platforms.0.accountId",
        account.id,
    )
    assert "3 posts are planned" in warning["error"]
    assert "2030-12-03" in warning["error"]
    # It is about the moment of the request.
    assert "warnings" not in (await api.get(f"/v1/posts/{created['id']}")).json()
