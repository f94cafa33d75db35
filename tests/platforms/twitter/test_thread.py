"""Threads to X over real HTTP: in order, and each post once, whatever happens to the responses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Published
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from tests.platforms.post_steps import ready, refused, resumed, thread
from tests.platforms.rig import Connect, Rig, Sandbox

TWO: dict[str, Any] = {"threadItems": [{"content": "second"}, {"content": "third"}]}
DUPLICATE = {
    "type": "about:blank",
    "title": "Forbidden",
    "detail": "You are not allowed to create a Tweet with duplicate content.",
}


@pytest.fixture
async def x(connect: Connect) -> Rig:
    return await connect("twitter", premium=True)


@pytest.fixture
def quick_belief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe immediately that a post which X does not show does not exist: the sandbox's reads do not lag."""
    monkeypatch.setattr(type(PLATFORM), "read_lag", timedelta(0))


def a_thread_with_media(sandbox: Sandbox) -> dict[str, Any]:
    pictures = [
        {"type": "image", "url": sandbox.media(name).url, "altText": f"a picture, {name}"}
        for name in ("b.jpg", "c.png")
    ]
    video = [{"type": "video", "url": sandbox.media("d.mp4").url}]
    return {"threadItems": [{"content": "second", "mediaItems": pictures}, {"mediaItems": video}, {"content": "last"}]}


async def publish_first(x: Rig, context: PublishContext[Any]) -> Published:
    return await PLATFORM.publish(x.connection(), await ready(x, context))


async def test_only_the_media_of_a_thread_are_reason_to_prepare(x: Rig, sandbox: Sandbox) -> None:
    assert not PLATFORM.prepares(x.context("first", settings=TWO).draft)
    assert PLATFORM.prepares(x.context("first", settings=a_thread_with_media(sandbox)).draft)


async def test_the_settings_of_a_post_are_those_of_the_first(x: Rig) -> None:
    poll = {"options": ["Yes", "No"], "durationMinutes": 60}
    settings = {**TWO, "poll": poll, "replySettings": "verified", "replyToTweetId": "1445880548472328192"}
    context = x.context("first", settings=settings)
    assert PLATFORM.check(context.draft, x.account) == []
    published = await PLATFORM.publish(x.connection(), context)
    await PLATFORM.complete(x.connection(), context, published)
    bodies = x.bodies("/2/tweets")
    assert [sorted(body) for body in bodies] == [["poll", "reply", "reply_settings", "text"], *[["reply", "text"]] * 2]
    assert bodies[1]["reply"] == {"in_reply_to_tweet_id": published.platform_post_id}


async def test_a_post_that_x_does_not_show_yet_is_not_sent_again(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "accept_then_drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    await sandbox.fault("twitter", "reject", "confirm", status=200, body={"meta": {"result_count": 0}})
    before = len(await x.operations())
    error = await refused(PLATFORM.complete(x.connection(), resumed(x, context), published))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "unconfirmed_reply")
    assert (await x.operations())[before:] == ["confirm"]
    await PLATFORM.complete(x.connection(), resumed(x, context), published)
    assert await thread(x) == ["first", "second", "third"]


async def test_post_that_another_resembles_is_checked_less_and_less_often(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    await publish_first(x, x.context("second one"))
    for minutes, wait_s in ((0, 5), (1, 60), (4, 240), (90, 600)):
        sent_at = datetime.now(UTC) - timedelta(minutes=minutes)
        context.handles["thread"]["0"]["sentAt"] = sent_at.isoformat()
        error = await refused(PLATFORM.complete(x.connection(), context, published))
        assert (error.kind, "post 2 of the thread" in error.message) == (ErrorKind.NOT_READY, True)
        assert round((error.retry_after or timedelta()).total_seconds() / 5) == wait_s // 5


async def test_a_post_with_a_marker_that_was_never_sent_is_sent(x: Rig, quick_belief: None) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    note = {"parent": published.platform_post_id, "sentAt": datetime.now(UTC).isoformat()}
    crashed = x.context("first", settings=TWO, handles={"thread": {"0": note}})
    await PLATFORM.complete(x.connection(), crashed, published)
    assert await thread(x) == ["first", "second", "third"]


async def test_a_post_that_appears_after_it_was_believed_absent_is_not_doubled(
    x: Rig, sandbox: Sandbox, quick_belief: None
) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "accept_then_drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    await sandbox.fault("twitter", "reject", "confirm", status=200, body={"meta": {"result_count": 0}})
    error = await refused(PLATFORM.complete(x.connection(), resumed(x, context), published))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "duplicate_content")
    await PLATFORM.complete(x.connection(), resumed(x, context), published)
    assert await thread(x) == ["first", "second", "third"]


async def test_an_unfound_duplicate_ends_the_thread(x: Rig, sandbox: Sandbox, quick_belief: None) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    await sandbox.fault("twitter", "reject", "publish", status=403, body=DUPLICATE, times=2)
    assert (
        await refused(PLATFORM.complete(x.connection(), resumed(x, context), published))
    ).kind is ErrorKind.NOT_READY
    done = await PLATFORM.complete(x.connection(), resumed(x, context), published)
    assert done.warning is not None
    assert done.warning.startswith("The thread ends before its post 2. X refuses a post that repeats one")
    assert await thread(x) == ["first"]


async def test_a_post_that_x_definitely_refused_is_sent_again_without_confirming(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "rate_limited", "publish", seconds=30)
    error = await refused(PLATFORM.complete(x.connection(), context, published))
    assert (error.kind, error.retry_after is not None) == (ErrorKind.RATE_LIMITED, True)
    await sandbox.control("DELETE", "faults")
    before = len(await x.operations())
    await PLATFORM.complete(x.connection(), resumed(x, context), published)
    assert (await x.operations())[before:] == ["publish", "publish"]
    assert await thread(x) == ["first", "second", "third"]


async def test_a_limit_on_the_second_try_does_not_forget_the_first(
    x: Rig, sandbox: Sandbox, quick_belief: None
) -> None:
    context = x.context("first", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", "drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    noted = x.saved[-1]["thread"]["0"]
    await sandbox.fault("twitter", "rate_limited", "publish", seconds=30)
    error = await refused(PLATFORM.complete(x.connection(), resumed(x, context), published))
    assert (error.kind, x.saved[-1]["thread"]["0"]) == (ErrorKind.RATE_LIMITED, noted)


async def test_media_that_x_refuses_are_reported_before_anything_is_public(x: Rig, sandbox: Sandbox) -> None:
    item = {"content": "second", "mediaItems": [{"type": "video", "url": sandbox.media("no-video.jpg").url}]}
    error = await refused(PLATFORM.prepare(x.connection(), x.context("first", settings={"threadItems": [item]})))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_type")


async def test_media_are_uploaded_once_and_again_where_they_expired(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("first", settings=a_thread_with_media(sandbox))
    published = await publish_first(x, context)
    opened = len(x.source.opened)
    context.handles["thread"]["0"]["media"]["1"]["expiresAt"] = 0
    await PLATFORM.complete(x.connection(), context, published)
    assert len(x.source.opened) == opened + 1
    assert [post["mediaCount"] for post in await x.posts()][::-1] == [0, 2, 1, 0]


async def test_the_same_words_behind_another_post_are_not_taken_for_this_thread(
    x: Rig, sandbox: Sandbox, quick_belief: None
) -> None:
    other = await publish_first(x, x.context("other"))
    context = x.context("first", settings={"threadItems": [{"content": "Follow for more"}]})
    published = await publish_first(x, context)
    await publish_first(x, x.context("Follow for more", settings={"replyToTweetId": other.platform_post_id}))
    await sandbox.fault("twitter", "drop", "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    # X refuses the same words a second time if it shows the first: the thread ends, and takes no other target's post.
    assert (await refused(PLATFORM.complete(x.connection(), context, published))).code == "duplicate_content"
    done = await PLATFORM.complete(x.connection(), context, published)
    assert done.warning is not None
    assert "id" not in context.handles["thread"]["0"]


async def test_a_reply_is_not_taken_for_the_first_post(x: Rig) -> None:
    # Its worker died within the thread: the first post is searched for, not a later one with the same words.
    first = await publish_first(x, x.context("start"))
    await publish_first(x, x.context("the words", settings={"replyToTweetId": first.platform_post_id}))
    assert await PLATFORM.confirm(x.connection(), x.context("the words", started_at=datetime.now(UTC))) == Absent()


@pytest.mark.parametrize("fault", ["accept_then_drop", "drop"])
async def test_the_first_post_may_be_edited_within_and_after_its_thread(
    x: Rig, sandbox: Sandbox, quick_belief: None, fault: str
) -> None:
    context = x.context("frist", settings=TWO)
    published = await publish_first(x, context)
    await sandbox.fault("twitter", fault, "publish")
    await refused(PLATFORM.complete(x.connection(), context, published))
    edited = await PLATFORM.edit(x.connection(), published, "first, edited", {})
    done = await PLATFORM.complete(x.connection(), resumed(x, context), edited)
    assert done == edited
    twice = await PLATFORM.edit(x.connection(), edited, "first", {})
    assert await PLATFORM.confirm_edit(x.connection(), edited, "first") == twice
    standing = [post["text"] for post in await x.posts() if post["supersededBy"] is None]
    assert sorted(standing) == ["first", "second", "third"]
