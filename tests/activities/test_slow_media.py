"""A workspace whose media come slowly, or whose servers do not respond, takes no resources that others need."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from activities.options import platform_queue
from domain.post import PostStatus
from runtime import worker
from runtime.parts import open_parts
from store.models import Attempt, Post
from tests.media.hostile import JPEG, MP4_HEAD, HostileServer, endless
from tests.media.hostile import slow as comes_slowly
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import temporal_server
from tests.workflows.test_local_publish import SAME_WORKER, ways

PLATFORM = "mastodon"
SLOW_POSTS = 110
"""More than the slots of a platform's queue."""
SOON_S = 10.0
"""Far less than the 30 s and more for which a slow file or a silent server occupies a slot, on a busy machine too."""
DRIP = endless(MP4_HEAD, bytes(8 * 1024), pause=0.1)
"""80 kB per second, without end."""


@pytest.fixture
async def slow(postgres_url: str) -> AsyncIterator[tuple[Stack, HostileServer]]:
    """Run a separate stack whose worker has fetched media from a slow server for a while."""
    async with (
        HostileServer().running() as server,
        temporal_server() as environment,
        running_stack(postgres_url, environment) as stack,
    ):
        hosts = [*stack.settings.private_media_hosts, f"127.0.0.1:{server.port}"]
        own_servers = [f"127.0.0.1:{server.port}"]
        settings = stack.settings.model_copy(
            update={"private_media_hosts": hosts, "private_account_hosts": own_servers}
        )
        async with open_parts(settings, stack.database) as parts, worker.running_workers(stack.client, parts):
            yield stack, server


async def keeps_silent(writer: asyncio.StreamWriter) -> None:
    """Take a request, and send no response for longer than the test takes."""
    await asyncio.sleep(60)


async def publish_slow_videos(
    stack: Stack, server: HostileServer, count: int = SLOW_POSTS, *, immediate: bool = False
) -> list[Post]:
    account, posts = await stack.connect(PLATFORM), []
    for number in range(count):
        server.routes[f"/{number}.mp4"] = DRIP
        url = f"http://127.0.0.1:{server.port}/{number}.mp4"
        due_in = None if immediate else timedelta(milliseconds=1)
        posts.append(await stack.save(f"slow {number}", [account], media=[url], due_in=due_in))
    await asyncio.gather(*(stack.start(post) for post in posts))
    return posts


async def another_workspace(stack: Stack) -> Stack:
    workspace_id, key = await stack.new_workspace()
    return replace(stack, workspace_id=workspace_id, api_key=key)


async def lateness(stack: Stack, post: Post) -> float:
    """Return how many seconds after its time a post became public."""
    done = await stack.settled(post.id)
    [target] = done.targets
    assert target.published_at, target.error
    assert done.due_at
    return (target.published_at - done.due_at).total_seconds()


async def count_attempts(stack: Stack, posts: list[Post]) -> int:
    """Return the number of rows in the attempt log for the posts."""
    ids = [target.id for post in posts for target in post.targets]
    async with stack.database.transaction() as session:
        count = await session.execute(select(func.count()).where(Attempt.target_id.in_(ids)))
    return count.scalar_one()


@pytest.mark.thorough
async def test_slow_media_delay_no_other_workspace(slow: tuple[Stack, HostileServer]) -> None:
    stack, server = slow
    posts = await publish_slow_videos(stack, server)
    await asyncio.sleep(5)
    other = await another_workspace(stack)
    text = await other.save("on time", [await other.connect(PLATFORM)], due_in=timedelta(seconds=2))
    picture = await other.save("with a picture", [await other.connect(PLATFORM)], media=["https://example.com/a.jpg"])
    await asyncio.gather(other.start(text), other.start(picture))
    assert await lateness(other, text) < SOON_S
    assert (await other.settled(picture.id)).status == PostStatus.PUBLISHED
    # Of the many files, the worker fetches only as many as one workspace may; all other targets wait, with a time.
    assert len(server.requests) == stack.settings.media_fetches
    waiting = [(await stack.read(post.id)).targets[0] for post in posts]
    assert sum(target.next_attempt_at is not None for target in waiting) >= SLOW_POSTS - stack.settings.media_fetches
    assert await count_attempts(stack, posts) == 0


@pytest.mark.parametrize("platform", ["discord", "telegram"])
async def test_send_with_files_waits_for_the_files(slow: tuple[Stack, HostileServer], platform: str) -> None:
    stack, server = slow
    may_end = asyncio.Event()
    server.routes["/a.jpg"] = comes_slowly(JPEG, may_end)
    url = f"http://127.0.0.1:{server.port}/a.jpg"
    post = await stack.save("carried", [await stack.connect(platform)], media=[url])
    await stack.start(post)
    async with asyncio.timeout(60):
        while not server.requests:  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.05)
    # If a worker dies now, it must leave no attempt whose request may have been sent.
    assert await count_attempts(stack, [post]) == 0
    may_end.set()
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(server.requests) == 1


@pytest.mark.thorough
async def test_unresponsive_account_server_delays_no_other_workspace(
    slow: tuple[Stack, HostileServer],
) -> None:
    stack, server = slow
    server.routes["/api/v1/statuses"] = keeps_silent
    account = await stack.connect(PLATFORM, instance=f"http://127.0.0.1:{server.port}")
    posts = [await stack.save(f"unheard {number}", [account]) for number in range(SLOW_POSTS)]
    await asyncio.gather(*(stack.start(post) for post in posts))
    await asyncio.sleep(5)
    other = await another_workspace(stack)
    text = await other.save("heard", [await other.connect(PLATFORM)], due_in=timedelta(seconds=1))
    await other.start(text)
    assert await lateness(other, text) < SOON_S


@pytest.mark.thorough
async def test_awaited_posts_with_slow_media_leave_the_posts_queue(slow: tuple[Stack, HostileServer]) -> None:
    stack, server = slow
    count = stack.settings.media_fetches + 1
    posts = await publish_slow_videos(stack, server, count, immediate=True)
    now: list[str] = []
    async with asyncio.timeout(60):
        while sorted(now) != sorted([*[SAME_WORKER] * (count - 1), platform_queue(PLATFORM)]):
            await asyncio.sleep(0.2)
            now = [way[-1] for post in posts if (way := await ways(stack, post))]
