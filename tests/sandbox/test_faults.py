import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from platforms.errors import ErrorKind
from platforms.registry import platforms
from tests.sandbox.conftest import Sandbox

IMPATIENT = httpx.Timeout(20, read=0.1)
"""The timeouts of a client that stops waiting for an answer."""


@pytest.fixture(scope="module")
def served() -> bool:
    return True


@pytest.fixture
async def sandbox(shared: Sandbox) -> AsyncIterator[Sandbox]:
    yield shared
    await shared.control.delete("/_/faults")


async def published(sandbox: Sandbox, text: str) -> int:
    return sum(1 for post in await sandbox.posts() if post["text"] == text)


async def comes_out(sandbox: Sandbox, text: str) -> None:
    """Wait until a text is public, and check that it is so once."""
    async with asyncio.timeout(60):
        while not await published(sandbox, text):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert await published(sandbox, text) == 1


async def test_reject_answers_before_doing_anything_with_status_and_body(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject", status=403, body={"title": "Forbidden", "detail": "no"})
    answer = await sandbox.x.post("/2/tweets", json={"text": "rejected"})
    assert (answer.status_code, answer.json()["detail"]) == (403, "no")
    assert await published(sandbox, "rejected") == 0


async def test_reject_without_status_is_a_refusal_for_good_in_the_platforms_own_words(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject")
    await sandbox.fault("instagram", "reject")
    x, instagram = await sandbox.x.get("/2/users/me"), await sandbox.ig.get("/v25.0/me")
    assert (x.status_code, x.json()["status"]) == (400, 400)
    assert (instagram.status_code, instagram.json()["error"].get("is_transient")) == (400, False)


async def test_reject_with_text_sends_it_as_a_page(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject", status=502, body="<html>Bad gateway</html>")
    answer = await sandbox.x.post("/2/tweets", json={"text": "hello"})
    assert (answer.status_code, answer.text) == (502, "<html>Bad gateway</html>")
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("fault", "count"), [("drop", 0), ("accept_then_drop", 1)])
async def test_drops_close_the_connection_without_an_answer(sandbox: Sandbox, fault: str, count: int) -> None:
    await sandbox.fault("twitter", fault)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await sandbox.x.post("/2/tweets", json={"text": fault})
    assert await published(sandbox, fault) == count
    assert (await sandbox.requests())[0]["status"] is None
    again = await sandbox.x.post("/2/tweets", json={"text": fault})
    assert again.status_code == (403 if count else 201)


async def test_accept_then_500_publishes_and_answers_500(sandbox: Sandbox) -> None:
    await sandbox.fault("instagram", "accept_then_500", operation="publish")
    container = await sandbox.container(image_url="https://example.com/a.jpg", caption="broken answer")
    answer = await sandbox.ig.post("/v25.0/me/media_publish", data={"creation_id": container})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 2)
    assert await published(sandbox, "broken answer") == 1


async def test_accept_then_delay_publishes_at_once_and_answers_late(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "accept_then_delay", seconds=0.5)
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.x.post("/2/tweets", json={"text": "late"}, timeout=IMPATIENT)
    await comes_out(sandbox, "late")
    await sandbox.fault("twitter", "accept_then_delay", seconds=0.2)
    assert (await sandbox.x.post("/2/tweets", json={"text": "late again"})).status_code == 201
    assert time.monotonic() - started >= 0.3


async def test_accept_late_publishes_although_its_sender_has_stopped_waiting(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "accept_late", operation="publish", seconds=1.5)
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.x.post("/2/tweets", json={"text": "accepted late"}, timeout=IMPATIENT)
    # A look-up before that finds nothing: the post is not public yet.
    assert await published(sandbox, "accepted late") == 0
    await comes_out(sandbox, "accepted late")
    assert (await sandbox.x.post("/2/tweets", json={"text": "accepted late"})).status_code == 403


async def test_accept_late_answers_a_waiting_client(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "accept_late", operation="publish", seconds=0.2)
    assert (await sandbox.x.post("/2/tweets", json={"text": "waited for"})).status_code == 201
    assert await published(sandbox, "waited for") == 1


async def test_accept_then_outlast_answers_once_its_sender_is_gone(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "accept_then_outlast", operation="publish")
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.x.post("/2/tweets", json={"text": "outlasted"}, timeout=IMPATIENT)
    await comes_out(sandbox, "outlasted")
    async with asyncio.timeout(60):
        while (await sandbox.requests())[0]["status"] != 201:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def test_accept_then_outlast_does_not_wait_for_ever(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "accept_then_outlast", operation="publish", seconds=0.2)
    assert (await sandbox.x.post("/2/tweets", json={"text": "not outlasted"})).status_code == 201


async def test_rate_limited_speaks_in_the_platforms_own_headers(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "rate_limited", seconds=30)
    await sandbox.fault("instagram", "rate_limited", seconds=180)
    x, instagram = await sandbox.x.post("/2/tweets", json={"text": "a"}), await sandbox.ig.get("/v25.0/me")
    assert (x.status_code, instagram.status_code) == (429, 400)
    assert x.headers["x-rate-limit-remaining"] == "0"
    assert 28 <= int(x.headers["x-rate-limit-reset"]) - time.time() <= 31
    assert instagram.json()["error"]["code"] == 80002
    assert '"estimated_time_to_regain_access":3' in instagram.headers["x-business-use-case-usage"]
    assert "x-app-usage" in instagram.headers


async def test_token_expired_is_worded_as_the_platform_does(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "token_expired", operation="auth")
    await sandbox.fault("instagram", "token_expired", operation="auth")
    assert (await sandbox.x.get("/2/users/me")).status_code == 401
    answer = await sandbox.ig.get("/v25.0/me")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 190, 463)
    assert (await sandbox.x.get("/2/users/me")).status_code == 200


async def test_expired_token_hits_the_send_by_default(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "token_expired")
    assert (await sandbox.x.get("/2/users/me")).status_code == 200
    assert (await sandbox.x.post("/2/tweets", json={"text": "expired"})).status_code == 401
    assert (await sandbox.x.post("/2/tweets", json={"text": "expired"})).status_code == 201


async def test_a_fault_strikes_its_operation_only_and_as_often_as_programmed(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject", operation="publish", times=2)
    assert (await sandbox.x.get("/2/users/me")).status_code == 200
    statuses = [(await sandbox.x.post("/2/tweets", json={"text": "third time"})).status_code for _ in range(3)]
    assert statuses == [400, 400, 201]
    assert (await sandbox.control.get("/_/faults")).json() == {"faults": []}


async def test_faults_are_listed_and_cleared(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject", times=5)
    await sandbox.x.get("/2/users/me")
    (waiting,) = (await sandbox.control.get("/_/faults")).json()["faults"]
    assert (waiting["fault"], waiting["times"]) == ("reject", 4)
    assert (await sandbox.control.delete("/_/faults")).status_code == 200
    assert (await sandbox.x.get("/2/users/me")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"platform":"twitter"}',
        b'{"platform":"twitter","fault":"explode"}',
        b'{"platform":"myspace","fault":"drop"}',
        b'{"platform":"twitter","fault":"drop","times":0}',
        b'{"platform":"twitter","fault":"drop","operation":"like"}',
        b'{"platform":"twitter","fault":"reject","status":99}',
        b'{"platform":"twitter","fault":"drop","often":3}',
    ],
)
async def test_bad_faults_are_refused(sandbox: Sandbox, body: bytes) -> None:
    answer = await sandbox.control.post("/_/faults", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_a_fault_can_be_meant_for_one_account(sandbox: Sandbox) -> None:
    await sandbox.fault("twitter", "reject", status=400, accountId="acc_free")
    assert (await sandbox.x.post("/2/tweets", json={"text": "not mine"})).status_code == 201
    assert (await sandbox.free.post("/2/tweets", json={"text": "mine"})).status_code == 400


async def test_the_faults_of_one_account_can_be_forgotten(sandbox: Sandbox) -> None:
    for platform, account in (("twitter", "acc_free"), ("twitter", "acc_premium"), ("instagram", "acc_ig")):
        await sandbox.fault(platform, "reject", accountId=account)
    answer = await sandbox.control.delete("/_/faults", params={"platform": "twitter", "accountId": "acc_free"})
    assert [fault["accountId"] for fault in answer.json()["faults"]] == ["acc_premium", "acc_ig"]
    answer = await sandbox.control.delete("/_/faults", params={"platform": "twitter"})
    assert [fault["accountId"] for fault in answer.json()["faults"]] == ["acc_ig"]
    assert (await sandbox.control.delete("/_/faults")).json() == {"faults": []}


@pytest.mark.parametrize("fault", ["reject", "accept_then_500", "drop"])
async def test_any_fault_can_be_held_back(sandbox: Sandbox, fault: str) -> None:
    await sandbox.fault("twitter", fault, hold=0.3)
    text = f"held {fault}"
    sending = asyncio.create_task(sandbox.x.post("/2/tweets", json={"text": text}))
    await asyncio.sleep(0.15)
    # The platform acts immediately; only its client has to wait.
    assert (await published(sandbox, text), sending.done()) == (int(fault == "accept_then_500"), False)
    if fault == "drop":
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await sending
    else:
        assert (await sending).status_code in {400, 500}


@pytest.mark.parametrize("platform", sorted(platforms()))
async def test_refusal_without_status_is_final(sandbox: Sandbox, platform: str) -> None:
    await sandbox.fault(platform, "reject")
    answer = await sandbox.control.get(f"/{platform}/")
    error = platforms()[platform].read_error(answer)
    assert error.kind is ErrorKind.REJECTED
    assert platforms()[platform].refusals.outcome(answer, error) is error
