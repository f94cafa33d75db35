"""Containers, quotas, replies and refusals of Threads; meta/test_containers.py has what it shares with Instagram."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.base import Absent, Published, Unknown
from platforms.errors import ErrorKind
from platforms.steps.thread import FIRST_WAIT, LONGEST_WAIT
from platforms.threads import PLATFORM
from platforms.threads.rules import length
from tests.platforms.error_shapes import graph_error
from tests.platforms.post_steps import publish, refused, refused_send
from tests.platforms.rig import Connect, Rig


@pytest.mark.parametrize(("text", "count"), [("abc", 3), ("é", 1), ("日本", 2), ("🌊", 4), ("👍🏽", 8), ("a🌊b", 6)])
def test_an_emoji_costs_its_bytes(text: str, count: int) -> None:
    assert length(text) == count


async def prepared(rig: Rig, names: list[str], text: str = "  Sunset\n\n🌊 ") -> Any:
    context = rig.context(text, [rig.sandbox.media(name) for name in names], started_at=datetime.now(UTC))
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def test_a_reply_whose_response_was_lost_is_confirmed_among_the_replies(rig: Rig) -> None:
    first = await PLATFORM.publish(rig.connection(), await prepared(rig, [], "first"))
    context = rig.context("second", settings={"replyToId": first.platform_post_id}, started_at=datetime.now(UTC))
    await PLATFORM.prepare(rig.connection(), context)
    assert (await refused_send(rig, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    finding = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(finding, Published)
    second = (await rig.posts())[0]
    assert (finding.platform_post_id, second["text"]) == (second["platformPostId"], "second")


async def test_a_carousel_waits_for_its_items_to_be_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.sandbox.switch_on("threads", "children_unseen", rig.account.account_id)
    context = rig.context("Two", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.retry_after) == (ErrorKind.NOT_READY, timedelta(seconds=7))
    children = dict(context.handles["containers"])
    assert len(children) == 2
    monkeypatch.setattr("platforms.meta.containers.UNSEEN_FOR", timedelta(0))
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.NOT_READY
    assert context.handles["containers"] == {}, "items that stay unseen are built again"
    await rig.sandbox.clear_conditions("threads")
    await PLATFORM.prepare(rig.connection(), context)
    await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("is_reply", [False, True])
@pytest.mark.parametrize("message", ["its own words", "Application does not have permission for this action"])
async def test_missing_access_reported_for_a_post_that_is_public_is_no_refusal(
    rig: Rig, status: int, is_reply: bool, message: str
) -> None:
    """Threads has answered so (tirthpatell/threads-go#30)."""
    first = await PLATFORM.publish(rig.connection(), await prepared(rig, [], "first"))
    settings = {"replyToId": first.platform_post_id} if is_reply else {}
    context = rig.context("second", settings=settings, started_at=datetime.now(UTC))
    await PLATFORM.prepare(rig.connection(), context)
    body = graph_error(10, None, message)
    error = await refused_send(rig, context, "accept_then_answer", status=status, body=body)
    assert (error.kind, error.claim) == (ErrorKind.UNCONFIRMED, None), "the container reads as published"
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)
    assert len(await rig.posts()) == 2


@pytest.mark.parametrize("code", [190, 200])
async def test_container_is_read_after_a_refusal_of_the_account(rig: Rig, code: int) -> None:
    context = await prepared(rig, [])
    body = graph_error(code, None, "Requires a permission")
    assert (await refused_send(rig, context, "accept_then_answer", status=400, body=body)).kind is ErrorKind.UNCONFIRMED
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=graph_error(190))
    assert (await refused_send(rig, await prepared(rig, [], "other"))).kind is ErrorKind.AUTH, (
        "it can be neither read nor sent"
    )


async def test_a_reply_that_is_forbidden_only_when_it_is_published_refuses_no_account(rig: Rig) -> None:
    first = await PLATFORM.publish(rig.connection(), await prepared(rig, [], "first"))
    context = rig.context("Re", settings={"replyToId": first.platform_post_id})
    await PLATFORM.prepare(rig.connection(), context)
    message = "Application does not have permission for this action"
    body = {"error": {"message": message, "type": "OAuthException", "code": 10, "error_subcode": 4279067}}
    error = await refused_send(rig, context, "reject", status=400, body=body)
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "10/4279067")
    assert error.claim
    assert (error.claim.kind, "answer or quote only" in error.claim.message) == (ErrorKind.REJECTED, True)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()


NO_SUCH_FIELD = {"error": {"message": "(#100) Tried accessing nonexisting field (status)", "code": 100}}


async def test_a_state_that_cannot_be_read_hides_no_refusal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are quoted from exileum/meta-mcp#143."""
    context = await prepared(rig, [])
    for _ in range(2):
        await rig.sandbox.fault("threads", "reject", "publish", status=400, body=graph_error(100))
        await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=NO_SUCH_FIELD)
        error = await refused_send(rig, context)
        assert (error.kind, error.code, "its own words" in error.message) == (ErrorKind.UNCONFIRMED, "100", True)
    await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=NO_SUCH_FIELD)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    monkeypatch.setattr("platforms.meta.containers.REFUSED_FOR", timedelta(0))
    await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=NO_SUCH_FIELD)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent(), "the same container makes no double"
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=graph_error(100))
    await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=NO_SUCH_FIELD)
    assert (await refused_send(rig, context)).kind is ErrorKind.REJECTED


async def test_a_refused_post_that_reads_as_published_is_found(rig: Rig) -> None:
    context = await prepared(rig, [])
    await rig.sandbox.switch_on("threads", "publishes_and_refuses", rig.account.account_id)
    await rig.sandbox.fault("threads", "reject", "confirm", status=400, body=NO_SUCH_FIELD, times=2)
    assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


@pytest.mark.parametrize("code", [-1, 1])
async def test_an_internal_error_of_meta_is_unconfirmed_for_a_minute(
    rig: Rig, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await prepared(rig, [])
    body = {"error": {"message": "no", "code": code, "error_subcode": 4279047, "is_transient": False}}
    assert (await refused_send(rig, context, "reject", status=400, body=body, times=2)).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    monkeypatch.setattr("platforms.meta.containers.REFUSED_FOR", timedelta(0))
    assert (await refused_send(rig, context)).kind is ErrorKind.REJECTED


@pytest.mark.parametrize("settings", [{}, {"replyToId": "18000000000000001"}])
async def test_an_expired_token_reported_as_code_24_is_an_account_refusal(
    rig: Rig, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await prepared(rig, [])
    await rig.sandbox.switch_on("threads", "token_ended_as_24", rig.account.account_id)
    for step in (PLATFORM.whoami(rig.connection()), PLATFORM.confirm(rig.connection(), context)):
        assert (await refused(step)).kind is ErrorKind.AUTH
    assert (
        await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", settings=settings)))
    ).kind is ErrorKind.AUTH
    monkeypatch.setattr("platforms.meta.containers.UNREADABLE_FOR", timedelta(0))
    assert (await refused_send(rig, context)).code == "expired"
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.AUTH


async def test_a_reply_to_anothers_post_is_refused_as_the_posts_fault(connect: Connect, rig: Rig) -> None:
    other = await connect("threads")
    theirs = await PLATFORM.publish(other.connection(), await prepared(other, [], "theirs"))
    context = rig.context("Re", settings={"replyToId": theirs.platform_post_id})
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "10/4279067")


async def test_a_post_that_is_not_known_yet_where_it_is_published_is_tried_again(rig: Rig) -> None:
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    body = {"error": {"message": "The requested resource does not exist", "code": 24, "error_subcode": 4279009}}
    error = await refused_send(rig, context, "reject", status=400, body=body)
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
    error = await refused_send(slow, context, "reject", status=400, body=body)
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "100")
    for number in range(3):
        await publish(slow, slow.context(f"{number}"))
    error = await refused_send(slow, context)
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
    error = await refused_send(rig, context)
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
