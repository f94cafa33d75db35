"""Late posts are found, logged once, shown, and no longer late once they have begun."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs
from structlog.typing import EventDict

from api.dependencies import Dependencies
from domain.ownership import UNDELIVERED_AFTER
from domain.post import PostStatus, TargetStatus
from platforms.registry import platforms
from reconcile.late_posts import LatePostWatch
from runtime import worker
from runtime.parts import open_parts
from store.models import LatePost, Post
from store.schema.revisions import code_version, revisions
from tests.api.conftest import make_client
from tests.serving import app_over
from tests.stack import Stack

LATE_AFTER = timedelta(seconds=1.5)
_GRACE = timedelta(seconds=1)

Ask = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    """Capture the log lines of every process."""
    with capture_logs() as lines:
        yield lines


@asynccontextmanager
async def running_worker(stack: Stack, platforms: Iterable[str]) -> AsyncIterator[None]:
    async with open_parts(stack.settings, stack.worker_database) as parts:
        group = worker.worker_group(stack.client, parts, platforms, _GRACE)
        async with worker.running_workers(stack.client, parts, group, LatePostWatch(stack.worker_database, LATE_AFTER)):
            yield


@asynccontextmanager
async def readyz(stack: Stack) -> AsyncIterator[Ask]:
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes, LATE_AFTER)
    async with app_over(deps) as app, make_client(app, None) as client:

        async def ask() -> tuple[int, dict[str, Any]]:
            answer = await client.get("/statusz?strict=true")
            return answer.status_code, answer.json()

        yield ask


async def becomes(ask: Ask, status: int, *, late: int | None = None) -> dict[str, Any]:
    """Wait for a status and for a number of late posts; each part is checked again only a second later."""
    async with asyncio.timeout(60):
        while True:
            state, parts = await ask()
            if state == status and late in {None, parts["latePosts"]}:
                return parts
            await asyncio.sleep(0.2)


async def logged(stack: Stack, lines: list[EventDict], post: Post) -> list[EventDict]:
    """Return the log lines about a post, after several processes have checked at the same time."""
    await asyncio.gather(*(LatePostWatch(stack.worker_database, LATE_AFTER).check() for _ in range(3)))
    return [line for line in lines if line["event"].startswith("post.") and line["post_id"] == post.id]


async def test_post_without_a_worker_is_reported_and_published_later(alone: Stack, lines: list[EventDict]) -> None:
    due_in = timedelta(seconds=0.5)
    post = await alone.save("waits for a worker", [alone.accounts["twitter"]], due_in=due_in)
    await alone.start(post)
    async with readyz(alone) as ask:
        early = await logged(alone, lines, post)
        assert post.due_at
        assert early == [] or datetime.now(UTC) > post.due_at + LATE_AFTER, "only a busy machine looks too late"
        await asyncio.sleep((due_in + LATE_AFTER).total_seconds() + 0.2)
        status, parts = await ask()
        expected: dict[str, Any] = {"schema": revisions()[-1].name, "version": code_version()}
        expected |= {
            "database": True,
            "temporal": True,
            "worker": False,
            "sweep": True,
            "planner": True,
            "latePosts": 1,
            "posts": False,
        }
        expected["refusedApps"] = 0
        assert (status, parts) == (503, expected)

        (late,) = await logged(alone, lines, post)
        assert (late["event"], late["workspace_id"], late["platforms"]) == ("post.late", post.workspace_id, ["twitter"])
        assert LATE_AFTER.total_seconds() < late["late_s"] < 30
        assert await logged(alone, lines, post) == [late], "once"

        async with running_worker(alone, ["twitter"]):
            settled = await alone.settled(post.id)
            assert settled.status == PostStatus.PUBLISHED
            _, began = await logged(alone, lines, post)
            assert began["event"] == "post.began_late"
            assert settled.due_at
            assert settled.targets[0].begun_at
            assert began["late_s"] == round((settled.targets[0].begun_at - settled.due_at).total_seconds(), 1)
            assert len(await logged(alone, lines, post)) == 2, "once"
            parts = await becomes(ask, 200, late=0)
            assert (parts["worker"], "posts" in parts) == (True, False)
    async with alone.database.reading() as session:
        noted = (await session.scalars(select(LatePost).where(LatePost.post_id == post.id))).one()
    assert noted.due_at == post.due_at
    assert noted.ended_at is not None


@pytest.mark.thorough
async def test_an_unpolled_queue_with_work_is_named(alone: Stack, lines: list[EventDict]) -> None:
    async with running_worker(alone, ["twitter"]), readyz(alone) as ask:
        await becomes(ask, 200)
        accounts = [alone.accounts["twitter"], alone.accounts["instagram"]]
        post = await alone.save("one waits", accounts, media=[_image(alone)])
        await alone.start(post)
        parts = await becomes(ask, 503)
        assert (parts["publish-instagram"], parts["worker"], parts["temporal"]) == (False, False, True)
        without_work = {f"publish-{name}" for name in platforms()} - {"publish-instagram"}
        assert not without_work & set(parts), "a platform without posts needs no worker"

        await asyncio.sleep(LATE_AFTER.total_seconds())
        (late,) = await logged(alone, lines, post)
        assert (late["event"], late["platforms"]) == ("post.late", ["instagram"])
    async with running_worker(alone, ["twitter", "instagram"]), readyz(alone) as ask:
        assert (await alone.settled(post.id)).status == PostStatus.PUBLISHED
        assert [line["event"] for line in await logged(alone, lines, post)] == ["post.late", "post.began_late"]
        await becomes(ask, 200, late=0)


async def test_a_post_that_was_given_up_while_it_waited_never_began(alone: Stack, lines: list[EventDict]) -> None:
    post = await alone.save("cancelled while it waits", [alone.accounts["plain"]])
    handle = await alone.start(post)
    async with running_worker(alone, ["mastodon"]):
        await asyncio.sleep(LATE_AFTER.total_seconds() + 0.2)
        assert [line["event"] for line in await logged(alone, lines, post)] == ["post.late"]
        await handle.cancel()
        assert (await alone.settled(post.id)).status == PostStatus.FAILED
        _, over = await logged(alone, lines, post)
        assert (over["event"], over["status"], over["late_s"]) == ("post.never_began", "failed", None)


@pytest.mark.thorough
async def test_undelivered_posts_are_reported(alone: Stack) -> None:
    # The sweep must not end the post before its state is measured: for a while another process has its leases.
    async with alone.database.transaction() as session:
        await session.execute(text("DELETE FROM leases"))
        lease = "'sweep.' || number, 'another', now() + interval '1 minute'"
        await session.execute(text(f"INSERT INTO leases SELECT {lease} FROM generate_series(0, 3) AS number"))
    async with running_worker(alone, ["twitter"]), readyz(alone) as ask:
        post = await alone.save("never started", [alone.accounts["twitter"]], due_in=timedelta(hours=1))
        await _age(alone, post, saved=timedelta(days=3), changed=timedelta(0))
        assert (await ask())[1]["sweep"] is True, "a draft that has just been scheduled"
        await _age(alone, post, saved=timedelta(days=3), changed=UNDELIVERED_AFTER)
        assert (await becomes(ask, 503))["sweep"] is False
        async with alone.database.transaction() as session:
            await session.execute(text("DELETE FROM leases WHERE holder = 'another'"))
        # The worker's own sweep delivers the post.
        assert (await becomes(ask, 200))["sweep"] is True


async def test_preparing_is_publishing(stack: Stack) -> None:
    await stack.fault("instagram", "accept_then_delay", "prepare", seconds=6)
    post = await stack.save("slow to prepare", [stack.accounts["instagram"]], media=[_image(stack)])
    await stack.start(post)
    async with asyncio.timeout(60):
        while (target := (await stack.read(post.id)).targets[0]).begun_at is None:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)
    assert target.status == TargetStatus.PENDING
    await stack.settled(post.id)


async def test_target_refused_before_the_send_has_begun(stack: Stack) -> None:
    account = await stack.connect("twitter")
    post = await stack.save("x" * 300, [account])
    await stack.start(post)
    settled = await stack.settled(post.id)
    assert settled.status == PostStatus.FAILED
    assert settled.targets[0].begun_at is not None


async def test_retried_target_is_late_from_its_retry_on(stack: Stack) -> None:
    await stack.fault(
        "twitter",
        "reject",
        "publish",
        status=403,
        body={"type": "about:blank", "title": "Forbidden", "detail": "You are not permitted to perform this action."},
    )
    post = await stack.publish("retried", [stack.accounts["twitter"]])
    assert post.status == PostStatus.FAILED
    before = datetime.now(UTC)
    await stack.retry(post)
    retried = await stack.settled(post.id)
    target = retried.targets[0]
    assert (retried.status, retried.due_at) == (PostStatus.PUBLISHED, post.due_at)
    assert target.due_at
    assert target.begun_at
    assert before < target.due_at <= target.begun_at


async def test_targets_follow_their_post_to_another_time(stack: Stack) -> None:
    post = await stack.save("moved", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    assert post.targets[0].due_at == post.due_at
    await stack.start(post)
    later = datetime.now(UTC) + timedelta(hours=2)
    await stack.change(post, due=later)
    assert (await stack.read(post.id)).targets[0].due_at == later
    await stack.change(post, due=None, draft=True)
    assert (await stack.read(post.id)).targets[0].due_at is None


def _image(stack: Stack) -> str:
    return f"{stack.sandbox_url}/_/media/watch.jpg"


async def _age(stack: Stack, post: Post, *, saved: timedelta, changed: timedelta) -> None:
    now = datetime.now(UTC)
    async with stack.database.transaction() as session:
        await session.execute(
            update(Post).where(Post.id == post.id).values(created_at=now - saved, updated_at=now - changed)
        )
