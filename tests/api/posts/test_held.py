"""Targets that wait for their account, as clients see them, and publishWithin."""

import time
from typing import Any

import pytest

from store.models import Account
from tests.api.conftest import Client, problems
from tests.stack import Stack


def body(account: Account, **more: Any) -> dict[str, Any]:
    target = {"platform": account.platform, "accountId": account.id}
    return {"content": f"held {time.monotonic()}", "platforms": [target], "publishNow": True, **more}


async def test_publish_now_does_not_wait_for_a_refused_account(api: Client, stack: Stack) -> None:
    account = await stack.revoked("twitter")
    fields = body(account)
    begun = time.monotonic()
    post = (await api.send_post(fields, Prefer="wait=50")).json()
    assert time.monotonic() - begun < 20
    (target,) = post["platforms"]
    assert (post["status"], target["status"]) == ("publishing", "held")
    assert target["waitsFor"] == "account"
    assert (target["holdReason"], target["errorCategory"]) == ("account_needs_reconnecting", "auth")
    assert target["error"]
    assert target["retryable"] is False
    (warning,) = (await api.post("/v1/posts/validate", json=fields)).json()["warnings"]
    assert (warning["code"], warning["param"]) == ("account_refused", "platforms.0.accountId")
    (attempt,) = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert (attempt["state"], attempt["httpStatus"]) == ("refused", 401)
    assert attempt["decision"] == "held until its account can publish"
    retried = await api.post(f"/v1/posts/{post['id']}/retry")
    assert (retried.status_code, retried.json()["code"]) == (409, "nothing_to_retry")
    deleted = await api.delete(f"/v1/posts/{post['id']}")
    assert deleted.status_code == 200
    await stack.reconnect(account)
    assert await stack.public(fields["content"]) == []


@pytest.mark.thorough
@pytest.mark.usefixtures("no_read_lag")
async def test_a_target_that_its_platform_refuses_for_now_says_why(api: Client, stack: Stack) -> None:
    account = await stack.connect("twitter")
    await stack.fault("twitter", "rate_limited", "publish", seconds=6)
    post = (await api.send_post(body(account), Prefer="wait=3")).json()
    (target,) = post["platforms"]
    assert (target["status"], target["waitsFor"], target["errorCategory"]) == ("publishing", "platform", "rate_limited")
    assert target["error"]
    assert target["nextAttemptAt"]
    settled = await stack.settled(post["id"])
    assert settled.status == "published"
    (target,) = (await api.get(f"/v1/posts/{post['id']}")).json()["platforms"]
    assert not {"waitsFor", "error", "errorCode", "errorCategory", "nextAttemptAt"} & target.keys()


@pytest.mark.thorough
@pytest.mark.usefixtures("no_read_lag")
async def test_a_target_that_its_platform_refuses_for_now_is_corrected(api: Client, stack: Stack) -> None:
    account, other = await stack.connect("twitter"), stack.accounts["plain"]
    await stack.fault("twitter", "rate_limited", "publish", seconds=6, accountId=account.id)
    fields = body(account)
    fields["platforms"].append({"platform": "twitter", "accountId": other.id, "customContent": f"other {time.time()}"})
    post = (await api.send_post(fields, Prefer="wait=3")).json()
    waiting, public = post["platforms"]
    assert (waiting["status"], waiting["waitsFor"], public["status"]) == ("publishing", "platform", "published")
    own = f"corrected {time.time()}"
    targets = [{**waiting, "customContent": own}, public]
    # The response still contains the old content.
    del targets[0]["content"]
    answer = await api.patch(f"/v1/posts/{post['id']}", json={"platforms": targets}, headers={"Prefer": "wait=0"})
    assert answer.status_code == 200, answer.text
    assert (await stack.settled(post["id"])).status == "published"
    assert (len(await stack.public(fields["content"])), len(await stack.public(own))) == (0, 1)


async def test_publish_within_is_kept_and_changed(api: Client, stack: Stack) -> None:
    fields = body(stack.accounts["plain"], publishNow=False, scheduledFor="2030-01-01T00:00:00Z")
    assert (await api.send_post(fields)).json()["publishWithin"] == 86_400
    post = (await api.send_post(fields | {"publishWithin": 3600})).json()
    assert post["publishWithin"] == 3600
    changed = await api.patch(f"/v1/posts/{post['id']}", json={"publishWithin": 7200})
    assert (changed.status_code, changed.json()["publishWithin"]) == (200, 7200)
    unchanged = await api.patch(f"/v1/posts/{post['id']}", json={"content": "other words"})
    assert unchanged.json()["publishWithin"] == 7200


@pytest.mark.parametrize("seconds", [0, 59, 2_592_001, "3600", 1.5, True])
async def test_invalid_publish_within_is_refused(api: Client, stack: Stack, seconds: object) -> None:
    refused = await api.send_post(body(stack.accounts["plain"], publishWithin=seconds))
    assert refused.status_code == 400
    assert [problem["param"] for problem in problems(refused)] == ["publishWithin"]
