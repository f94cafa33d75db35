"""/v1/webhooks: endpoints, tests and the log, over the whole product."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier

from activities.meters import Meters
from api.dependencies import TESTS_A_MINUTE
from api.webhooks.actions import address_problem
from cli.stack.parts import environment
from domain.webhooks import MOST_ENDPOINTS
from media.local_hosts import LocalHosts
from reconcile.expiry import ends_task
from reconcile.preflight import preflight
from reconcile.webhooks import sweep_webhooks
from store.models import Account, Delivery, Event
from store.secrets.vault import Vault
from store.webhooks.deliveries import make_deliveries
from store.webhooks.endpoints import keep_handover_key
from tests.activities.receivers import Receiver, answer
from tests.api.conftest import Client, problems, read_answer
from tests.api.events.test_feed import publish
from tests.stack import Stack

NAMES = ["post.published", "post.failed"]
TOLD = {"webhookId": "wh_1"}
"""Data of an event that the document allows."""


async def create(api: Client, receiver: Receiver, **body: Any) -> dict[str, Any]:
    return read_answer(
        await api.post("/v1/webhooks/settings", json={"url": receiver.url, "events": NAMES, **body}), 201
    )


async def received(receiver: Receiver, event: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until an endpoint has got so many events of a type; return them."""
    async with asyncio.timeout(60):
        while True:
            bodies = [json.loads(request.body) for request in receiver.requests]
            if len(events := [body for body in bodies if body["event"] == event]) >= count:
                return events
            await asyncio.sleep(0.05)


async def log(api: Client, **query: Any) -> list[dict[str, Any]]:
    response = await api.get("/v1/webhooks/logs", params=query)
    assert response.status_code == 200, response.text
    deliveries: list[dict[str, Any]] = response.json()["deliveries"]
    return deliveries


async def test_a_published_post_arrives_signed(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = await create(api, receiver, name="CMS")
    assert webhook["test"] | {"deliveryId": ""} == {
        "outcome": "delivered",
        "deliveryId": "",
        "httpStatus": 200,
        "error": None,
    }
    assert (webhook["status"], webhook["name"], webhook["events"]) == ("active", "CMS", NAMES)
    post = await publish(api, stack, "arrives at a webhook")
    (event,) = await received(receiver, "post.published")
    assert event["data"]["postId"] == post["id"]
    for request in receiver.requests:
        Verifier(webhook["secret"]).verify(request.body, request.headers)
    async with asyncio.timeout(60):
        # The answer is recorded after the endpoint has given it.
        while not (entries := await log(api, postId=post["id"], webhookId=webhook["id"], status="delivered")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (entry,) = entries
    assert (entry["event"]["id"], len(entry["attempts"])) == (event["id"], 1)
    assert entry["attempts"][0]["response"] == "ok"


async def test_a_secret_is_shown_once(api: Client, receiver: Receiver) -> None:
    own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    webhook = await create(api, receiver, secret=own)
    assert webhook["secret"] == own
    Verifier(own).verify(receiver.requests[0].body, receiver.requests[0].headers)
    listed = (await api.get("/v1/webhooks/settings")).json()["webhooks"]
    one = (await api.get(f"/v1/webhooks/settings/{webhook['id']}")).json()
    assert listed == [one]
    assert "secret" not in one
    rotated = (await api.post(f"/v1/webhooks/settings/{webhook['id']}/rotate", json={"overlapHours": 1})).json()
    assert rotated["secret"] != own
    assert rotated["olderSecretUntil"]
    await api.post(f"/v1/webhooks/settings/{webhook['id']}/test")
    for secret in (own, rotated["secret"]):
        Verifier(secret).verify(receiver.requests[1].body, receiver.requests[1].headers)


async def test_an_endpoint_that_fails_is_created_all_the_same(api: Client, receiver: Receiver) -> None:
    receiver.behave = answer(500, b"not yet")
    webhook = await create(api, receiver)
    assert (webhook["test"]["outcome"], webhook["test"]["error"]) == ("failed", "it answered 500")
    assert webhook["status"] == "unchecked"
    url = f"/v1/webhooks/settings/{webhook['id']}"
    await api.patch(url, json={"enabled": False})
    assert (await api.post(f"{url}/test?enable=true")).json()["outcome"] == "failed"
    assert (await api.get(url)).json()["disabledReason"] == "request"
    receiver.behave = None
    assert (await api.post(f"{url}/test?enable=true")).json()["outcome"] == "delivered"
    assert (await api.get(url)).json()["status"] == "active"


async def test_without_a_worker_the_outcome_is_unknown(api: Client, stack: Stack) -> None:
    async with stack.worker_database.transaction() as session:
        await keep_handover_key(session, Vault(stack.settings.encryption_keys))
    body = {"url": "https://hooks.example.com/", "events": ["*"]}
    response = await api.post("/v1/webhooks/settings", json=body, headers={"Prefer": "wait=0"})
    assert response.json()["test"]["outcome"] == "unchecked"
    gone = (await api.delete(f"/v1/webhooks/settings/{response.json()['id']}")).json()
    assert gone == {"id": response.json()["id"], "deleted": True}


async def test_a_missed_event_is_recovered_and_redelivered(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = await create(api, receiver)
    url = f"/v1/webhooks/settings/{webhook['id']}"
    assert (await api.patch(url, json={"enabled": False})).json()["status"] == "disabled"
    post = await publish(api, stack, "happens while it is off")
    assert await log(api, postId=post["id"]) == []
    assert (await api.patch(url, json={"enabled": True})).json()["enabled"] is True
    recovered = await api.post(f"{url}/recover", json={"since": webhook["createdAt"]})
    assert (recovered.status_code, recovered.json()) == (202, {"recovered": 1})
    (event,) = await received(receiver, "post.published")
    assert event["data"]["postId"] == post["id"]
    assert (await api.post(f"{url}/recover", json={"since": webhook["createdAt"]})).json() == {"recovered": 0}
    (entry,) = await log(api, eventId=event["id"])
    again = await api.post("/v1/webhooks/logs/redeliver", json={"deliveryIds": [entry["id"]]})
    assert (again.status_code, again.json()) == (202, {"deliveryIds": [entry["id"]]})
    first, second = await received(receiver, "post.published", 2)
    assert first == second


async def test_the_sweep_wakes_what_was_not_notified(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = await create(api, receiver)
    async with stack.database.transaction() as session:
        event = Event(workspace_id=stack.workspace_id, type="post.failed", data=TOLD)
        session.add(event)
        await session.flush()
        await make_deliveries(session)
        rows = select(Delivery).where(Delivery.webhook_id == webhook["id"], Delivery.event_id == event.id)
        row = (await session.scalars(rows)).one()
        row.next_at = row.next_at.replace(year=2020)
    await sweep_webhooks(stack.worker_database, stack.client)
    await received(receiver, "post.failed")


async def test_pages_of_the_log(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = await create(api, receiver, events=["webhook.disabled"])
    async with stack.database.transaction() as session:
        session.add_all([Event(workspace_id=stack.workspace_id, type="webhook.disabled", data=TOLD) for _ in range(5)])
    await received(receiver, "webhook.disabled", 5)
    entries: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2, "event": "webhook.disabled"}
    while True:
        page = (await api.get("/v1/webhooks/logs", params=query)).json()
        entries += page["deliveries"]
        if not page["hasMore"]:
            break
        query["cursor"] = page["cursor"]
    ids = [entry["event"]["id"] for entry in entries]
    assert len(ids) == 5
    assert ids == sorted(ids, reverse=True)
    assert {entry["webhookId"] for entry in entries} == {webhook["id"]}
    assert await log(api, status="exhausted", event="webhook.disabled") == []


async def test_another_workspace_sees_nothing_of_it(api: Client, stranger: Client, receiver: Receiver) -> None:
    webhook = await create(api, receiver)
    (entry,) = await log(api)
    url = f"/v1/webhooks/settings/{webhook['id']}"
    assert (await stranger.get("/v1/webhooks/settings")).json() == {"webhooks": []}
    assert await log(stranger) == []
    requests = [
        stranger.get(url),
        stranger.patch(url, json={"enabled": False}),
        stranger.delete(url),
        stranger.post(f"{url}/rotate"),
        stranger.post(f"{url}/test"),
        stranger.post(f"{url}/recover", json={"since": webhook["createdAt"]}),
        stranger.post("/v1/webhooks/logs/redeliver", json={"deliveryIds": [entry["id"]]}),
    ]
    assert {response.status_code for response in await asyncio.gather(*requests)} == {404}


async def test_a_workspace_has_a_limit_of_endpoints(stranger: Client, receiver: Receiver, app: Any) -> None:
    app.state.deps.webhook_tests._rate = 0.0
    try:
        body = {"url": receiver.url, "events": ["*"]}
        for _ in range(MOST_ENDPOINTS):
            created = await stranger.post("/v1/webhooks/settings", json=body, headers={"Prefer": "wait=0"})
            assert created.status_code == 201
        response = await stranger.post("/v1/webhooks/settings", json=body)
    finally:
        app.state.deps.webhook_tests._rate = TESTS_A_MINUTE / 60
    assert (response.status_code, problems(response)[0]["code"]) == (422, "too_many_webhooks")


async def test_tests_have_a_limit(api: Client, receiver: Receiver) -> None:
    webhook = await create(api, receiver)
    statuses = [
        (await api.post(f"/v1/webhooks/settings/{webhook['id']}/test", headers={"Prefer": "wait=0"})).status_code
        for _ in range(TESTS_A_MINUTE)
    ]
    assert statuses == [200] * (TESTS_A_MINUTE - 1) + [429]
    body = {"url": receiver.url, "events": NAMES}
    assert (await api.post("/v1/webhooks/settings", json=body)).status_code == 429
    # Nothing was created whose secret was not answered, and nothing was moved without a test.
    moved = await api.patch(
        f"/v1/webhooks/settings/{webhook['id']}", json={"url": f"{receiver.url}/2", "events": ["*"]}
    )
    assert moved.status_code == 429
    (one,) = (await api.get("/v1/webhooks/settings")).json()["webhooks"]
    assert (one["url"], one["events"]) == (receiver.url, NAMES)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.7/"}, "url"),
        ({"url": "https://hooks.example.com:22/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://user:password@hooks.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/#x"}, "url"),
        ({"url": "hooks.example.com"}, "url"),
        ({"url": "https://hooks.example.com:99999/"}, "url"),
        ({"url": "https://xn--a.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/" + "a" * 2048}, "url"),
        ({"events": []}, "events"),
        ({"events": ["post.publised"]}, "events.0"),
        ({"events": ["webhook.test"]}, "events.0"),
        ({"secret": "sesame"}, "secret"),
        ({"enabled": "yes"}, "enabled"),
        ({"link": "x"}, "link"),
    ],
)
async def test_a_wrong_endpoint_is_refused(api: Client, change: dict[str, Any], param: str) -> None:
    response = await api.post(
        "/v1/webhooks/settings", json={"url": "https://hooks.example.com/", "events": NAMES, **change}
    )
    assert (response.status_code, problems(response)[0]["param"]) == (400, param), response.text


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:8088", "http://localhost:80", "https://10.0.0.7:443", "http://[::1]:9"]
)
async def test_a_refused_private_address_names_the_setting_that_allows_it(api: Client, place: str) -> None:
    for url in (place, place.removesuffix(":80").removesuffix(":443")):
        response = await api.post("/v1/webhooks/settings", json={"url": f"{url}/hook", "events": NAMES})
        assert response.status_code == 400
        assert f"SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS={place.partition('//')[2]})" in response.json()["error"]


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("http://127.0.0.1:8088/hook", True),
        ("http://localhost/", True),
        ("http://[::1]:3000/", True),
        ("http://10.0.0.7:8088/", False),
        ("http://hooks.example.com/", False),
    ],
)
def test_a_development_stack_takes_receivers_on_this_machine(url: str, is_taken: bool) -> None:
    stack = environment(
        api_port=1, sandbox_url="", temporal_address="", platform_rate_limits=True, storage="file:///none"
    )
    hosts = LocalHosts(stack["SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS"].split(","))
    assert (address_problem(url, hosts) is None) is is_taken


async def test_a_misspelled_event_is_suggested(api: Client) -> None:
    body = {"url": "https://hooks.example.com/", "events": ["post.publised"]}
    response = await api.post("/v1/webhooks/settings", json=body)
    assert "did you mean post.published?" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2030-12-03T10:00:00"}, "since"),
        ({"since": "2020-12-03T10:00:00Z"}, "since"),
        ({"since": "2030-12-03T10:00:00Z", "until": "2030-12-03T09:00:00Z"}, "since"),
        ({}, "since"),
    ],
)
async def test_a_wrong_time_is_refused(api: Client, body: dict[str, Any], param: str) -> None:
    response = await api.post("/v1/webhooks/settings/wh_none/recover", json=body)
    assert (response.status_code, problems(response)[0]["param"]) == (400, param), response.text


@pytest.mark.parametrize("query", ["cursor=x", "cursor=e30", "status=done", "event=post", "limit=0", "state=waiting"])
async def test_a_wrong_query_of_the_log_is_refused(api: Client, query: str) -> None:
    assert (await api.get(f"/v1/webhooks/logs?{query}")).status_code == 400


async def test_findings_of_background_tasks_arrive_at_an_endpoint(
    api: Client, stack: Stack, receiver: Receiver
) -> None:
    """A risk before the time of a post, an account that ends, and an endpoint that was switched off."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        await answer(410 if b'"post.published"' in receiver.requests[-1].body else 200)(writer)

    await create(api, receiver, events=["post.at_risk", "account.expiring", "webhook.disabled"])
    gone = await create(api, receiver, events=["post.published"])
    receiver.behave = behave
    await publish(api, stack, "for an endpoint that is gone")
    (disabled,) = await received(receiver, "webhook.disabled")
    assert (disabled["data"]["webhookId"], disabled["data"]["reason"]) == (gone["id"], "gone")

    account = await stack.connect("twitter")
    own = (Account.workspace_id == account.workspace_id, Account.id == account.id)
    async with stack.database.transaction() as session:
        end = datetime.now(UTC) + timedelta(days=3)
        await session.execute(update(Account).where(*own).values(refresh_expires_at=end))
    await ends_task(stack.worker_database).work()
    async with asyncio.timeout(60):
        # Accounts of other tests may end soon, too.
        while account.id not in [event["data"]["accountId"] for event in await received(receiver, "account.expiring")]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    refusal = {"refused_at": datetime.now(UTC), "refusal": "No.", "refusal_code": "no", "refusal_count": 1}
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(*own).values(**refusal))
    post = await stack.save("its account is refused before its time", [account], due_in=timedelta(hours=3))
    await preflight(stack.worker_database, Meters(), datetime.now(UTC))
    async with asyncio.timeout(60):
        while post.id not in [event["data"]["postId"] for event in await received(receiver, "post.at_risk")]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
