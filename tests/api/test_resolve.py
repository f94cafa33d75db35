"""What nobody can look up, a person settles; the attempt log says how it came to that."""

from typing import Any

import httpx
import pytest

from activities.transport import Transport
from platforms.errors import Kind, NetworkError
from platforms.registry import networks
from platforms.wire import Wire
from tests.stack import Stack


async def unconfirmed(stack: Stack, api: httpx.AsyncClient, text: str) -> dict[str, Any]:
    """Publish to a network that nobody can read back, and lose its answer."""
    account = stack.accounts.get("telegram") or await stack.connect("telegram")
    stack.accounts["telegram"] = account
    await stack.fault("telegram", "accept_then_drop", "publish")
    body = {"content": text, "platforms": [{"platform": "telegram", "accountId": account.id}], "publishNow": True}
    post: dict[str, Any] = (await api.post("/v1/posts", json=body)).json()
    assert post["platforms"][0]["status"] == "unconfirmed"
    assert post["status"] == "partial"
    return post


def naming(post: dict[str, Any], **more: Any) -> dict[str, Any]:
    (target,) = post["platforms"]
    return {"platform": target["platform"], "accountId": target["accountId"], **more}


async def test_a_person_who_saw_it_makes_it_published(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "seen by a person")
    (public,) = await stack.public("seen by a person")
    body = naming(post, outcome="published", platformPostId=public["platformPostId"])
    answer = await api.post(f"/v1/posts/{post['id']}/resolve", json=body)
    assert answer.status_code == 200
    assert answer.json()["status"] == "published"
    assert answer.json()["platforms"][0]["platformPostId"] == public["platformPostId"]
    again = await api.post(f"/v1/posts/{post['id']}/resolve", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_what_was_not_published_can_be_retried(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "not seen by a person")
    answer = await api.post(f"/v1/posts/{post['id']}/resolve", json=naming(post, outcome="not_published"))
    (target,) = answer.json()["platforms"]
    assert (answer.json()["status"], target["status"], target["retryable"]) == ("failed", "failed", True)
    retried = await api.post(f"/v1/posts/{post['id']}/retry")
    assert retried.json()["status"] == "published"


async def test_attempts_tell_the_whole_story(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "the story")
    await api.post(f"/v1/posts/{post['id']}/resolve", json=naming(post, outcome="not_published"))
    attempts = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert [(each["step"], each["state"]) for each in attempts if each["step"] != "prepare"] == [
        ("publish", "unclear"),
        ("confirm", "done"),
        ("resolve", "done"),
    ]
    assert attempts[-1]["decision"] == "a person says it is not published"
    assert all(each["finishedAt"] >= each["startedAt"] for each in attempts)


async def test_bad_resolutions_are_told_apart(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "bad resolutions")
    path = f"/v1/posts/{post['id']}/resolve"
    for body, status, code, param in (
        ({}, 400, "missing_required_field", "platform"),
        (naming(post, outcome="maybe"), 400, "invalid_field_value", "outcome"),
        (naming(post, outcome="published", platformPost="1"), 400, "unknown_parameter", "platformPost"),
        ({**naming(post, outcome="published"), "accountId": "tg_other"}, 422, "account_not_found", "accountId"),
    ):
        answer = await api.post(path, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["param"]) == (status, code, param)
    assert (await api.get("/v1/posts/post_unknown/attempts")).status_code == 404


@pytest.mark.parametrize(
    "named", ["12 3", "../../9", "1?fields=id", "1#x", "1\u0000", "1\n", "https://t.me/c/1/2", "\u0661", "%31", "-1"]
)
async def test_what_is_no_id_of_the_network_is_refused(stack: Stack, api: httpx.AsyncClient, named: str) -> None:
    body = {"platform": "telegram", "accountId": "tg_1", "outcome": "published", "platformPostId": named}
    answer = await api.post("/v1/posts/post_1/resolve", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (400, "invalid_field_value", "platformPostId")


@pytest.mark.parametrize("platform", networks())
def test_no_id_of_any_network_changes_the_address_that_is_asked(platform: str) -> None:
    post_id = networks()[platform].rules.post_id
    assert len(post_id.words) > 10
    for named in ("", "..", "a b", "1\n", "1?a=b", "1#b", "1/../2", "1\x7f", "é", "/1", "1/", "%2e%2e", "x" * 2000):
        assert not post_id.matches(named), named


async def test_an_address_that_cannot_be_is_not_asked(stack: Stack) -> None:
    async with Transport() as transport:
        wire = Wire(transport, stack.sandbox_url, "Test", lambda _: NetworkError(Kind.TRANSIENT, "No.", code="no"))
        with pytest.raises(NetworkError) as raised:
            await wire.send("GET", "/2/tweets/1\x00", public=True)
    assert (raised.value.kind, raised.value.code) == (Kind.REJECTED, "invalid_address")
