"""Quotas and replies of Threads over real HTTP."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.errors import ErrorKind
from platforms.steps.thread import FIRST_WAIT, LONGEST_WAIT
from platforms.threads import PLATFORM
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig


async def test_a_post_that_is_not_known_yet_where_it_is_published_is_tried_again(rig: Rig) -> None:
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    body = {"error": {"message": "The requested resource does not exist", "code": 24, "error_subcode": 4279009}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "24/4279009")
    assert error.retry_after == timedelta(seconds=3)
    await publish(rig, context)
    assert len(await rig.posts()) == 1


async def test_a_refusal_because_the_days_posts_are_used_up_is_waited_out(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.platforms.threads.POSTS_PER_DAY", 3)
    context = slow.context("Hi")
    await PLATFORM.prepare(slow.connection(), context)
    body = {"error": {"message": "Application request limit reached", "code": 100}}
    await slow.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    error = await refused(PLATFORM.publish(slow.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "100")
    for number in range(3):
        await publish(slow, slow.context(f"{number}"))
    error = await refused(PLATFORM.publish(slow.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.CAPPED, "quota")
    assert error.retry_after is not None
    assert error.retry_after >= timedelta(hours=1)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_days_replies_are_counted_apart(rig: Rig, in_thread: bool) -> None:
    first = await publish(rig, rig.context("first"))
    used, free = {"quota_total": 1000, "quota_duration": 86400}, {"quota_total": 250, "quota_duration": 86400}
    quota = {"reply_quota_usage": 1000, "reply_config": used, "quota_usage": 1, "config": free}
    body = {"error": {"message": "Application request limit reached", "code": 100}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    if in_thread:
        context = rig.context("first", settings={"threadItems": [{"content": "second"}]})
        step: Awaitable[Any] = PLATFORM.complete(rig.connection(), context, first)
    else:
        context = rig.context("second", settings={"replyToId": first.platform_post_id})
        await PLATFORM.prepare(rig.connection(), context)
        step = PLATFORM.publish(rig.connection(), context)
    message = "This account has reached Threads' number of replies for one day."
    # The container's state is read first, then the quota.
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"status": "FINISHED"})
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"data": [quota]})
    if in_thread:
        assert message in ((await step).warning or "")
    else:
        error = await refused(step)
        assert (error.kind, error.code, error.message) == (ErrorKind.CAPPED, "quota", message)


async def test_quota_of_the_day_is_asked_for_after_a_refusal_with_an_unknown_code(rig: Rig) -> None:
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    body = {"error": {"message": "Application request limit reached", "code": 99999}}
    used = {"quota_usage": 250, "config": {"quota_total": 250, "quota_duration": 86400}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"status": "FINISHED"})
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"data": [used]})
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.CAPPED, "quota")


@pytest.mark.parametrize("status", [400, 500])
async def test_post_of_a_thread_that_is_refused_after_it_became_public_is_found(rig: Rig, status: int) -> None:
    context = rig.context("first", settings={"threadItems": [{"content": "second"}, {"content": "third"}]})
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    body = {"error": {"message": "Application does not have permission for this action", "code": 10}}
    await rig.sandbox.fault("threads", "accept_then_answer", "publish", status=status, body=body, times=9)
    for _ in range(2):
        assert (await refused(PLATFORM.complete(rig.connection(), context, published))).kind is ErrorKind.NOT_READY
    assert (await PLATFORM.complete(rig.connection(), context, published)).warning is None
    assert [post["text"] for post in await rig.posts()] == ["third", "second", "first"]


async def test_a_post_of_a_thread_that_cannot_be_found_yet_is_not_sent_again(rig: Rig) -> None:
    settings = {"threadItems": [{"content": "second"}]}
    context = rig.context("first", settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    published = replace(await PLATFORM.publish(rig.connection(), context), url="https://www.threads.com/x")
    await rig.sandbox.fault("threads", "accept_then_drop", "publish")
    await refused(PLATFORM.complete(rig.connection(), context, published))
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for sent, wait in (
        (context.handles["thread"]["0"]["sent"], FIRST_WAIT),
        (long_ago, LONGEST_WAIT),
    ):
        context.handles["thread"]["0"]["sent"] = sent
        await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"status": "PUBLISHED"})
        await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"data": []})
        error = await refused(PLATFORM.complete(rig.connection(), context, published))
        assert (error.kind, error.code, error.retry_after) == (ErrorKind.NOT_READY, "unconfirmed_reply", wait)
    await PLATFORM.complete(rig.connection(), context, published)
    assert len(await rig.posts()) == 2


async def node(rig: Rig, post_id: str, fields: str) -> dict[str, Any]:
    return await rig.read(f"/v1.0/{post_id}", fields=fields)


def items(rig: Rig) -> list[dict[str, Any]]:
    """Return the posts of a thread after its first."""
    media = [{"type": "image", "url": rig.sandbox.media(name).url, "altText": name} for name in ("b.jpg", "c.jpg")]
    return [{"content": "second", "mediaItems": media}, {"content": "third"}]
