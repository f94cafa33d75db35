"""Times in requests: without an offset in the zone of what they are about, and one sentence for each mistake."""

import secrets
from typing import Any

import pytest

from tests.api.conftest import Client, read_answer
from tests.api.series.test_routes import body, create, day, no_series_remains, occurrences
from tests.stack import Stack

__all__ = ["no_series_remains"]
_MOVED = {"timezone": "Europe/Berlin", "scheduledFor": "2027-03-28T02:30:00"}


async def test_naive_times_of_occurrences_are_in_the_zone_of_the_series(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack, timezone="Asia/Tokyo"))
    wall = f"{day(5)}T09:00:00"
    for query in (f"?from={wall}&to={day(5)}T09:00:01", f"?from={day(5)}&to={day(5)}"):
        assert [entry["occurrence"] for entry in await occurrences(api, series, query)] == [wall]


async def test_each_mistake_in_a_time_has_one_sentence(api: Client, stack: Stack) -> None:
    series = await create(api, body(stack))
    path = f"/v1/series/{series['id']}/occurrences"
    campaign = {"name": "c", "timezone": "Europe/Berlin"}
    key = {"Idempotency-Key": secrets.token_hex(8)}

    async def sentence(text: str) -> set[tuple[str, str]]:
        problems = [
            read_answer(await api.get(path, params={"from": text}), 400),
            read_answer(await api.get("/v1/posts", params={"scheduledFrom": text}), 400),
            read_answer(await api.post("/v1/posts", json={"content": "x", "isDraft": True, "scheduledFor": text}), 400),
            read_answer(await api.post("/v1/series/preview", json={**_rules, "start": text}), 400),
            read_answer(await api.post("/v1/campaigns", json={**campaign, "startsAt": text}, headers=key), 400),
            read_answer(await api.post("/v1/webhooks/settings/wh_none/recover", json={"since": text}), 400),
        ]
        return {(one["code"], one["error"].replace(one["param"], "x")) for one in problems}

    _rules = {"timezone": "Europe/Berlin", "recurrence": {"frequency": "daily"}}
    assert await sentence("2030-02-30T10:00:00") == {
        ("invalid_field_value", "x names a time that does not exist: February 2030 has no day 30")
    }


async def test_naive_times_about_an_object_without_a_zone_are_in_utc(api: Client) -> None:
    recovered = await api.post("/v1/webhooks/settings/wh_none/recover", json={"since": f"{day(-1)}T10:00:00"})
    # The time was read: what is missing is the webhook.
    assert recovered.status_code == 404


@pytest.mark.parametrize("is_draft", [True, False])
async def test_post_of_a_time_that_clocks_skip_is_later_with_a_warning(
    api: Client, stack: Stack, is_draft: bool
) -> None:
    account = stack.accounts["plain"]
    fields: dict[str, Any] = {
        "content": secrets.token_hex(8),
        "platforms": [{"platform": account.platform, "accountId": account.id}],
        "isDraft": is_draft,
        **_MOVED,
    }
    verdict = read_answer(await api.post("/v1/posts/validate", json=fields))
    created = read_answer(await api.post("/v1/posts", json=fields), 201)
    changed = read_answer(await api.patch(f"/v1/posts/{created['id']}", json=_MOVED))
    for shown in (verdict, created, changed):
        warning = next(one for one in shown["warnings"] if one["code"] == "moved_by_clock_change")
        assert (warning["param"], "03:30" in warning["error"]) == ("scheduledFor", True)
    assert {created["scheduledFor"], changed["scheduledFor"]} == {"2027-03-28T01:30:00Z"}
    elsewhere = read_answer(await api.patch(f"/v1/posts/{created['id']}", json={"timezone": "UTC"}))
    assert "moved_by_clock_change" not in {one["code"] for one in elsewhere.get("warnings", [])}
