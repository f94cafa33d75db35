"""A deploy with every kind of step in flight: one real worker is stopped, the next one takes over.

Both run on a separate Temporal, so that no other worker takes their tasks.
"""

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.client import WorkflowHandle

from activities.options import DECLINED
from domain.post import PostStatus, TargetStatus
from store.models import Attempt, Post, Target
from tests.runtime.processes import WorkerProcess, worker_process
from tests.stack import Stack
from tests.workflows.scenarios import comes_to

GRACE_S = 4.0
STOP_MARGIN_S = 14.0
"""Longer than the posts' own worker waits for rows, and less than in production, so that tests are quick."""
HANGS_S = 60.0
"""Longer than a worker takes to stop, whatever it has in flight."""
PLATFORMS = ("linkedin", "telegram", "mastodon", "twitter")
PICTURES = ["https://example.com/a.jpg", "https://example.com/b.jpg"]
IN_FLIGHT = frozenset({TargetStatus.PENDING, TargetStatus.PUBLISHING, TargetStatus.UNCONFIRMED})

Handle = WorkflowHandle[Any, Any]


async def asked(stack: Stack, platform: str, operation: str, times: int) -> None:
    """Wait until a platform has received so many requests."""
    async with asyncio.timeout(60):
        while await requests(stack, platform, operation) < times:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def requests(stack: Stack, platform: str, operation: str) -> int:
    answer = await stack.control("GET", f"requests?platform={platform}&operation={operation}")
    return len(answer["requests"])


async def tried(stack: Stack, post: Post) -> list[tuple[str, str]]:
    """Return step and state of every attempt."""
    async with stack.database.transaction() as session:
        ids = [target.id for target in post.targets]
        rows = await session.scalars(select(Attempt).where(Attempt.target_id.in_(ids)).order_by(Attempt.id))
        return [(row.step, row.state) for row in rows]


async def cut_at(handle: Handle) -> list[datetime]:
    """Return the times at which steps were cut short: declined to their platform's queue, or waiting for a retry."""
    pending = (await handle.describe()).raw_description.pending_activities
    again = [
        activity.last_attempt_complete_time for activity in pending if activity.HasField("last_attempt_complete_time")
    ]
    failed = [
        event
        for event in (await handle.fetch_history()).events
        if event.activity_task_failed_event_attributes.failure.application_failure_info.type == DECLINED
    ]
    return [time.ToDatetime(UTC) for time in (*again, *(event.event_time for event in failed))]


@dataclass
class Deploy:
    """The posts in flight, and their state between the two workers and after the second."""

    stack: Stack
    posts: dict[str, Post] = field(default_factory=dict)
    handles: dict[str, Handle] = field(default_factory=dict)
    between: dict[str, Post] = field(default_factory=dict)
    tried_between: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    cut_at: dict[str, list[datetime]] = field(default_factory=dict)
    after: dict[str, Post] = field(default_factory=dict)
    took_s: float = 0

    async def begin(self, name: str, platform: str, **more: Any) -> Handle:
        self.posts[name] = await self.stack.save(name, [await self.stack.connect(platform)], **more)
        self.handles[name] = await self.stack.start(self.posts[name])
        return self.handles[name]

    async def bring_everything_in_flight(self) -> None:
        """Bring each post into the middle of a different step."""
        stack = self.stack
        await stack.fault("twitter", "accept_then_delay", "prepare", seconds=HANGS_S)
        await self.begin("uploading", "twitter", media=PICTURES)
        # Both pictures are uploaded concurrently, and one upload hangs.
        await asked(stack, "twitter", "prepare", 2)
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=HANGS_S)
        # Not as a local activity, but on its platform's queue.
        await self.begin("slow", "twitter", due_in=timedelta(milliseconds=1))
        await asked(stack, "twitter", "publish", 1)
        await stack.fault("mastodon", "accept_then_drop", "publish")
        # Until `record`, however long the other posts take.
        await stack.fault("mastodon", "reject", "confirm", status=503, times=100)
        await self.begin("unconfirmed", "mastodon")
        await asked(stack, "mastodon", "confirm", 1)
        for name in ("linkedin", "telegram"):
            await stack.fault(name, "accept_then_delay", "publish", seconds=GRACE_S / 2)
            await self.begin(name, name)
            await asked(stack, name, "publish", 1)

    async def stop(self, worker: WorkerProcess) -> None:
        """Stop the worker while two posts' rows are locked, so that steps that only change rows hang, too."""
        stack = self.stack
        await comes_to(await self.begin("cancelled", "twitter", due_in=timedelta(hours=5)), "Sleeping")
        await stack.fault("twitter", "reject", "publish", status=403)
        await comes_to(await self.begin("retried", "twitter"), "Open for a retry")
        await self.bring_everything_in_flight()
        async with AsyncExitStack() as locks:
            self.posts["stale"] = await stack.save("stale", [await stack.connect("twitter")])
            long_ago = datetime.now(UTC) - timedelta(hours=25)
            async with stack.database.transaction() as session:
                for model, key in ((Post, Post.id), (Target, Target.post_id)):
                    await session.execute(update(model).where(key == self.posts["stale"].id).values(due_at=long_ago))
            for name in ("retried", "cancelled", "stale"):
                session = await locks.enter_async_context(stack.database.transaction())
                await session.execute(select(Post).where(Post.id == self.posts[name].id).with_for_update())
            self.handles["stale"] = await stack.start(await stack.read(self.posts["stale"].id))
            await self.handles["retried"].signal("retry")
            await self.handles["cancelled"].cancel()
            await asyncio.sleep(0.5)
            began = worker.ask_to_stop()
            await worker.ended()
            self.took_s = time.monotonic() - began

    async def record(self) -> None:
        """Record what the first worker has left; from here on Mastodon responds."""
        await self.stack.control("DELETE", "faults?platform=mastodon")
        for name, post in self.posts.items():
            self.between[name] = await self.stack.read(post.id)
            self.tried_between[name] = await tried(self.stack, post)
            self.cut_at[name] = await cut_at(self.handles[name])

    async def finish(self) -> None:
        """Wait until the second worker has finished every post."""
        await comes_to(self.handles["retried"], "Open for edits")
        for name, post in self.posts.items():
            self.after[name] = await self.stack.settled(post.id, 60)


@pytest.fixture(scope="module")
async def deploy(alone: Stack, tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    deploy, folder = Deploy(alone), tmp_path_factory.mktemp("workers")
    async with worker_process(
        alone, folder, grace_s=GRACE_S, stop_margin_s=STOP_MARGIN_S, platforms=",".join(PLATFORMS)
    ) as first:
        await deploy.stop(first)
        # The local activity on a row that stays locked is the only one that the worker could not finish.
        assert "worker.cut_short" in first.output
    await deploy.record()
    async with worker_process(alone, folder, grace_s=GRACE_S, platforms=",".join(PLATFORMS)) as second:
        await deploy.finish()
        second.ask_to_stop()
        assert await second.ended(GRACE_S) == 0, "nothing is left to wait for"
        assert "worker.stopped" in second.output
    return deploy


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["linkedin", "telegram"])
async def test_send_within_the_grace_is_recorded(deploy: Deploy, name: str) -> None:
    assert deploy.between[name].status == PostStatus.PUBLISHED
    assert deploy.tried_between[name] == [("publish", "done")]
    assert deploy.cut_at[name] == []


@pytest.mark.thorough
async def test_hanging_platforms_share_one_grace(deploy: Deploy) -> None:
    cut_at = deploy.cut_at["slow"] + deploy.cut_at["uploading"]
    assert len(cut_at) == 2
    assert max(cut_at) - min(cut_at) < timedelta(seconds=GRACE_S / 2)
    assert deploy.took_s < GRACE_S + STOP_MARGIN_S + 3


@pytest.mark.thorough
async def test_stopping_a_worker_fails_nothing(deploy: Deploy) -> None:
    # A late post may be given up by the statement that waits in the database when the worker ends.
    late_events = {
        name: post for name, post in deploy.between.items() if name not in {"linkedin", "telegram", "retried", "stale"}
    }
    assert {target.status for post in late_events.values() for target in post.targets} <= IN_FLIGHT
    published = {name: post.status for name, post in deploy.after.items() if name not in {"cancelled", "stale"}}
    assert set(published.values()) == {PostStatus.PUBLISHED}, published


@pytest.mark.thorough
async def test_send_beyond_the_grace_is_confirmed_and_not_repeated(deploy: Deploy, alone: Stack) -> None:
    assert deploy.tried_between["slow"] == [("publish", "sending")]
    assert await tried(alone, deploy.posts["slow"]) == [("publish", "unconfirmed"), ("confirm", "done")]
    (public,) = await alone.public("slow")
    assert deploy.after["slow"].targets[0].platform_post_id == public["platformPostId"]


@pytest.mark.thorough
async def test_an_upload_longer_than_the_grace_is_resumed(deploy: Deploy, alone: Stack) -> None:
    uploads = deploy.between["uploading"].targets[0].handles["media"]
    assert sorted(upload.get("stage", "begun") for upload in uploads.values()) == ["begun", "ready"]
    assert await requests(alone, "twitter", "prepare") == 3, "only the picture that hung goes up again"
    assert len(await alone.public("uploading")) == 1


@pytest.mark.thorough
async def test_confirmation_continues_after_a_restart(deploy: Deploy, alone: Stack) -> None:
    assert deploy.between["unconfirmed"].targets[0].status == TargetStatus.UNCONFIRMED
    assert len(await alone.public("unconfirmed")) == 1


@pytest.mark.thorough
async def test_a_retry_that_waited_for_the_database_is_made_by_the_next_worker(deploy: Deploy, alone: Stack) -> None:
    assert deploy.between["retried"].status == PostStatus.FAILED
    assert deploy.after["retried"].status == PostStatus.PUBLISHED
    assert len(await alone.public("retried")) == 1


@pytest.mark.thorough
async def test_the_next_worker_writes_off_cancelled_posts(deploy: Deploy) -> None:
    settled = deploy.after["cancelled"]
    assert (settled.status, settled.targets[0].error_code) == (PostStatus.FAILED, "cancelled")


@pytest.mark.thorough
async def test_the_next_worker_gives_up_expired_posts(deploy: Deploy) -> None:
    assert deploy.after["stale"].targets[0].error_code == "publish_window_passed"


@pytest.mark.thorough
async def test_a_second_signal_ends_it_immediately(deploy: Deploy, alone: Stack, tmp_path: Path) -> None:
    await alone.fault("telegram", "accept_then_delay", "publish", seconds=HANGS_S)
    async with worker_process(alone, tmp_path, grace_s=HANGS_S, platforms="telegram") as worker:
        before = await requests(alone, "telegram", "publish")
        await deploy.begin("no patience", "telegram")
        await asked(alone, "telegram", "publish", before + 1)
        worker.ask_to_stop(signal.SIGINT)
        worker.ask_to_stop(signal.SIGINT)
        await asyncio.sleep(1.5)
        assert worker.process.poll() is None, "a signal from a terminal and the same from a launcher count as one"
        began = worker.ask_to_stop(signal.SIGINT)
        assert await worker.ended() == 128 + signal.SIGINT
        assert time.monotonic() - began < 30
