"""Queues over HTTP: they are kept, named, changed and deleted, and an account is in one of them."""

from typing import Any

import pytest

from tests.api.conftest import Client, problems
from tests.api.queues.conftest import DAILY, account, make_queue
from tests.stack import Stack


async def test_a_queue_is_read_as_it_was_created(api: Client, stack: Stack) -> None:
    blackouts = [{"from": "2030-12-24", "to": "2030-12-26", "reason": "Christmas"}]
    queue = await make_queue(
        api, name="Mornings", timezone="Europe/Berlin", accounts=[account(stack)], blackouts=blackouts
    )
    assert (queue["accounts"], queue["slots"], queue["blackouts"]) == ([account(stack)], DAILY, blackouts)
    assert (await api.get(f"/v1/queues/{queue['id']}")).json() == queue
    assert queue in (await api.get("/v1/queues")).json()["queues"]


async def test_a_change_replaces_what_it_names(api: Client, stack: Stack) -> None:
    queue = await make_queue(api, accounts=[account(stack)])
    path = f"/v1/queues/{queue['id']}"
    changed = (await api.patch(path, json={"name": "Evenings", "accounts": [account(stack, "twitter")]})).json()
    assert (changed["name"], changed["accounts"]) == ("Evenings", [account(stack, "twitter")])
    assert changed["slots"] == queue["slots"]
    assert "moved" not in changed
    again = (await api.patch(path, json={"reflow": True})).json()
    assert again["moved"] == 0


async def test_another_workspace_knows_nothing_of_it(api: Client, stranger: Client) -> None:
    queue = await make_queue(api)
    path = f"/v1/queues/{queue['id']}"
    for response in (
        await stranger.get(path),
        await stranger.get(f"{path}/slots"),
        await stranger.patch(path, json={"name": "Mine"}),
        await stranger.delete(path),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert (await stranger.get("/v1/queues")).json() == {"queues": []}


async def test_a_name_is_used_once(api: Client) -> None:
    queue = await make_queue(api, name="Mornings")
    refused = await make_queue(api, 409, name="Mornings")
    assert (refused["code"], refused["param"]) == ("conflict", "name")
    assert queue["id"] in refused["error"]
    other = await make_queue(api, name="Evenings")
    response = await api.patch(f"/v1/queues/{other['id']}", json={"name": "Mornings"})
    assert (response.status_code, response.json()["param"]) == (409, "name")
    assert (await api.patch(f"/v1/queues/{queue['id']}", json={"name": "Mornings"})).status_code == 200


async def test_an_account_is_in_one_queue(api: Client, stack: Stack) -> None:
    first = await make_queue(api, name="first", accounts=[account(stack)])
    refused = await make_queue(api, 409, name="second", accounts=[account(stack, "twitter"), account(stack)])
    (problem,) = refused["errors"]
    assert (problem["code"], problem["param"]) == ("account_in_another_queue", "accounts.1.accountId")
    assert first["id"] in problem["error"]
    second = await make_queue(api, name="second")
    await api.patch(f"/v1/queues/{first['id']}", json={"accounts": []})
    moved = await api.patch(f"/v1/queues/{second['id']}", json={"accounts": [account(stack)]})
    assert moved.status_code == 200


async def test_an_account_that_is_not_connected_is_refused(api: Client, stack: Stack) -> None:
    wrong_platform = {**account(stack), "platform": "reddit"}
    refused = await make_queue(api, 422, accounts=[{"platform": "twitter", "accountId": "unknown"}, wrong_platform])
    assert [problem["param"] for problem in refused["errors"]] == ["accounts.0.accountId", "accounts.1.accountId"]
    assert {problem["code"] for problem in refused["errors"]} == {"account_not_found"}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"slots": []}, "slots"),
        ({"slots": [{"days": [], "time": "09:00"}]}, "slots.0.days"),
        ({"slots": [{"days": ["monday"], "time": "09:00"}]}, "slots.0.days.0"),
        ({"slots": [{"days": ["mo"], "time": "24:00"}]}, "slots.0.time"),
        ({"slots": [{"days": ["mo"], "time": "9:00"}]}, "slots.0.time"),
        ({"slots": [{**DAILY[0], "time": f"{at // 60:02}:{at % 60:02}"} for at in range(29)]}, "slots"),
        ({"blackouts": [{"from": "2030-12-26", "to": "2030-12-24"}]}, "blackouts.0.to"),
        ({"blackouts": [{"from": "26.12.2030", "to": "2030-12-24"}]}, "blackouts.0.from"),
        ({"blackouts": [{"from": "0001-01-01", "to": "9999-12-31"}]}, "blackouts.0.from"),
        ({"accounts": [{"platform": "twitter", "accountId": "a"}] * 2}, "accounts.1.accountId"),
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"interval": 3}, "interval"),
    ],
)
async def test_a_wrong_queue_is_refused_with_the_field_at_fault(api: Client, wrong: dict[str, Any], param: str) -> None:
    refused = await make_queue(api, 400, **wrong)
    assert refused["param"] == param, refused


async def test_a_workspace_has_a_hundred_queues(stranger: Client) -> None:
    for number in range(100):
        await make_queue(stranger, name=f"queue {number}")
    refused = await make_queue(stranger, 422, name="one more")
    assert refused["code"] == "too_many_queues"


async def test_a_week_may_have_two_hundred_slots(api: Client) -> None:
    slots = [{"days": DAILY[0]["days"], "time": f"{at // 60:02}:{at % 60:02}"} for at in range(28)]
    await make_queue(api, slots=[*slots, {"days": ["mo", "tu", "we", "th"], "time": "23:59"}])


async def test_slots_are_listed_with_their_status(api: Client) -> None:
    blackouts = [{"from": "2030-12-24", "to": "2030-12-26"}]
    queue = await make_queue(api, timezone="Europe/Berlin", blackouts=blackouts)
    path = f"/v1/queues/{queue['id']}/slots"
    listed = (await api.get(path, params={"from": "2030-12-23", "to": "2030-12-27"})).json()
    assert listed["timezone"] == "Europe/Berlin"
    assert [slot["local"] for slot in listed["slots"]] == [f"2030-12-{day}T09:00:00" for day in range(23, 28)]
    assert listed["slots"][0]["at"] == "2030-12-23T08:00:00Z"
    assert [slot["status"] for slot in listed["slots"]] == ["free", "blackout", "blackout", "blackout", "free"]
    past = (await api.get(path, params={"from": "2026-01-01", "to": "2026-01-01"})).json()
    assert [slot["status"] for slot in past["slots"]] == ["past"]
    assert 29 <= len((await api.get(path)).json()["slots"]) <= 31


async def test_listed_slots_are_right_on_both_clock_changes(api: Client) -> None:
    slots = [{"days": ["su"], "time": "02:30"}, {"days": ["su"], "time": "03:30"}]
    queue = await make_queue(api, timezone="Europe/Berlin", slots=slots)
    path = f"/v1/queues/{queue['id']}/slots"

    async def listed(day: str) -> list[tuple[str, str]]:
        response = await api.get(path, params={"from": day, "to": day})
        return [(slot["at"], slot["local"]) for slot in response.json()["slots"]]

    assert await listed("2030-03-31") == [("2030-03-31T01:30:00Z", "2030-03-31T03:30:00")], "two wall times, one slot"
    assert await listed("2030-10-27") == [
        ("2030-10-27T00:30:00Z", "2030-10-27T02:30:00"),
        ("2030-10-27T02:30:00Z", "2030-10-27T03:30:00"),
    ]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "2030-12-01", "to": "2030-11-01"}, "to"),
        ({"from": "2030-12-01", "to": "2031-03-01"}, "to"),
        ({"since": "2030-12-01"}, "since"),
    ],
)
async def test_a_wrong_range_is_refused(api: Client, query: dict[str, str], param: str) -> None:
    queue = await make_queue(api)
    refused = await api.get(f"/v1/queues/{queue['id']}/slots", params=query)
    assert refused.status_code == 400, refused.text
    assert [problem["param"] for problem in problems(refused)] == [param]
