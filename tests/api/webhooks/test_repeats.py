"""Repeats of requests about webhooks with an Idempotency-Key: nothing is done twice, and secrets are not lost."""

import asyncio
from typing import Any

from sqlalchemy import select

from domain.webhooks import derive_secret
from store.models import Delivery, IdempotencyKey, Webhook
from store.workspaces.keys import create_key
from tests.activities.receivers import Receiver
from tests.api.conftest import Client, make_client, problems
from tests.stack import Stack

SETTINGS = "/v1/webhooks/settings"


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def create(api: Client, receiver: Receiver, key: str, **body: Any) -> Any:
    return await api.post(
        SETTINGS, json={"url": receiver.url, "events": ["post.published"], **body}, headers=keyed(key)
    )


async def test_a_repeat_gets_the_same_webhook_and_secret(api: Client, stack: Stack, receiver: Receiver) -> None:
    answers = await asyncio.gather(*(create(api, receiver, "one webhook") for _ in range(3)))
    assert {response.status_code for response in answers} == {201}
    assert sorted(response.headers.get("Idempotent-Replayed", "") for response in answers) == ["", "true", "true"]
    first, *repeats = [response.json() for response in answers]
    assert first["test"]["outcome"] == "delivered"
    assert [(repeat["id"], repeat["secret"], repeat["test"]) for repeat in repeats] == [
        (first["id"], first["secret"], first["test"])
    ] * 2
    webhooks = (await api.get(SETTINGS)).json()["webhooks"]
    assert [webhook["id"] for webhook in webhooks if webhook["url"] == receiver.url] == [first["id"]]
    assert len(receiver.requests) == 1
    async with stack.database.reading() as session:
        use = await session.scalar(select(IdempotencyKey).where(IdempotencyKey.key == "one webhook"))
    assert use is not None
    assert first["secret"].encode() not in (use.response_body or b"")

    other = await create(api, receiver, "one webhook", name="another one")
    assert (other.status_code, problems(other)[0]["code"]) == (422, "idempotency_key_reused")
    own = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    chosen = [(await create(api, receiver, "a secret of my own", **own)).json() for _ in range(2)]
    assert [webhook["secret"] for webhook in chosen] == [own["secret"]] * 2
    assert chosen[0]["id"] == chosen[1]["id"]

    await api.delete(f"{SETTINGS}/{first['id']}")
    deleted = await create(api, receiver, "one webhook")
    assert (deleted.status_code, problems(deleted)[0]["code"]) == (409, "conflict")


async def test_a_secret_is_for_the_key_that_asked_first(
    api: Client, stack: Stack, app: Any, receiver: Receiver
) -> None:
    first = (await create(api, receiver, "whose secret")).json()
    async with stack.database.transaction() as session:
        other_key = (await create_key(session, stack.workspace_id)).key
    async with make_client(app, other_key) as colleague:
        response = await create(colleague, receiver, "whose secret")
    assert response.status_code == 409
    assert first["secret"] not in response.text
    assert "repeat it with that key" in response.json()["error"]


async def test_a_creation_that_breaks_off_is_completed_by_its_repeat(
    api: Client, receiver: Receiver, monkeypatch: Any
) -> None:
    async def break_off(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr("api.webhooks.actions._wait_for_test", break_off)
        assert (await create(api, receiver, "breaks off")).status_code >= 500
    repeat = await create(api, receiver, "breaks off")
    assert (repeat.status_code, repeat.json()["test"]["outcome"]) == (201, "delivered")
    assert len(receiver.requests) == 1
    assert len((await api.get(SETTINGS)).json()["webhooks"]) == 1


async def test_a_repeat_does_not_replace_the_secret_again(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = (await create(api, receiver, "to be rotated")).json()
    url = f"{SETTINGS}/{webhook['id']}/rotate"
    rotated = [(await api.post(url, json={"overlapHours": 1}, headers=keyed("rotates once"))).json() for _ in range(2)]
    assert rotated[0] == rotated[1]
    async with stack.worker_database.reading() as session:
        row = await session.get_one(Webhook, webhook["id"])
    # The older secret is still the first one: receivers that have it accept what is sent meanwhile.
    await api.post(f"{SETTINGS}/{webhook['id']}/test")
    signatures = receiver.requests[-1].headers["webhook-signature"]
    assert len(signatures.split(" ")) == 2
    assert row.older_until is not None


async def test_a_repeated_test_is_sent_once_and_switches_on_once(api: Client, receiver: Receiver) -> None:
    webhook = (await create(api, receiver, "to be tested", enabled=False)).json()
    url = f"{SETTINGS}/{webhook['id']}"
    tests = [(await api.post(f"{url}/test?enable=true", headers=keyed("tests once"))).json() for _ in range(2)]
    assert tests[0] == tests[1]
    assert len(receiver.requests) == 2, "one of the creation, and one"
    assert (await api.get(url)).json()["enabled"]
    await api.patch(url, json={"enabled": False})
    await api.post(f"{url}/test?enable=true", headers=keyed("tests once"))
    assert not (await api.get(url)).json()["enabled"]
    other = await api.post(f"{url}/test", headers=keyed("tests once"))
    assert other.status_code == 422


async def test_a_repeat_delivers_nothing_again(api: Client, stack: Stack, receiver: Receiver) -> None:
    webhook = (await create(api, receiver, "to be redelivered")).json()
    delivery_id = webhook["test"]["deliveryId"]
    body = {"deliveryIds": [delivery_id]}
    for number in range(2):
        again = await api.post("/v1/webhooks/logs/redeliver", json=body, headers=keyed("redelivers once"))
        assert (again.status_code, again.json()) == (202, body)
        async with asyncio.timeout(60):
            while await _state(stack, delivery_id) != "delivered":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(receiver.requests) == 2, number
    since = {"since": webhook["createdAt"]}
    recovers = [
        await api.post(f"{SETTINGS}/{webhook['id']}/recover", json=since, headers=keyed("recovers once"))
        for _ in range(2)
    ]
    assert [response.status_code for response in recovers] == [202, 202]
    assert recovers[0].content == recovers[1].content
    assert recovers[1].headers["Idempotent-Replayed"] == "true"


async def _state(stack: Stack, delivery_id: str) -> str | None:
    async with stack.database.reading() as session:
        return await session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))


def test_a_secret_needs_the_api_key_and_the_random_text() -> None:
    secrets = {derive_secret(key, seed) for key in ("sk_a", "sk_b") for seed in ("1", "2")}
    assert len(secrets) == 4
    assert derive_secret("sk_a", "1") in secrets
