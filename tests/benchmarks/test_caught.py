"""A product that publishes twice, loses a post or reports a wrong status does not pass the proof."""

import secrets
from typing import Any

from benchmarks.proof.cells import Cell, Crash, Fault, Mode
from benchmarks.proof.posts import Post, facts
from benchmarks.proof.report import failures, right
from benchmarks.proof.verdict import VerdictKind, evaluate, public_posts
from tests.stack import Stack


async def verdict_on(stack: Stack, post: Post, **reported: Any) -> VerdictKind:
    """Evaluate a post by what the sandbox really shows and what a product reports of it."""
    target = {"status": "published", "platformPostId": None, "content": post.text, **reported}
    shown = public_posts(post.mark, (await stack.control("GET", "posts"))["posts"])
    post.status, post.public = target["status"], len(shown)
    post.verdict = evaluate(post.cell, facts(post, target, shown))
    return post.verdict.kind


async def send(stack: Stack, token: str, text: str) -> str:
    """Create a tweet, as a worker does that sends."""
    answer = await stack.http.post(
        f"{stack.sandbox_url}/twitter/2/tweets", headers={"Authorization": f"Bearer {token}"}, json={"text": text}
    )
    return str(answer.raise_for_status().json()["data"]["id"])


async def test_second_send_is_detected_on_the_platform(stack: Stack) -> None:
    token = secrets.token_urlsafe(16)
    account = await stack.connect("twitter", accessToken=token)
    post = Post(Cell("twitter", Mode.NOW, Fault.DROPPED, Crash.SENDING), account.id, post_id="post_1")

    assert await verdict_on(stack, post, platformPostId="1") is VerdictKind.DISAGREES
    first = await send(stack, token, post.text)
    assert await verdict_on(stack, post, platformPostId=first) is VerdictKind.RIGHT
    assert right([post])
    assert await verdict_on(stack, post, status="failed", errorCategory="platform") is VerdictKind.DISAGREES
    assert await verdict_on(stack, post, status="failed", errorCategory="internal") is VerdictKind.LOST

    # With other words, because the platform refuses the same text twice.
    await send(stack, token, f"{post.text}!")
    assert await verdict_on(stack, post, platformPostId=first) is VerdictKind.DOUBLE
    assert not right([post])
    (message,) = failures([post])
    assert "2 public posts" in message
    assert "--only twitter/publishNow/accept-then-drop/worker-while-sending" in message


async def test_own_publications_are_counted(stack: Stack) -> None:
    account = await stack.connect("twitter")
    post = Post(Cell("twitter", Mode.NOW, Fault.NONE, Crash.NONE), account.id)
    published = await stack.publish(post.text, [account])
    target = published.targets[0]
    assert (
        await verdict_on(stack, post, status=target.status, platformPostId=target.platform_post_id) is VerdictKind.RIGHT
    )
