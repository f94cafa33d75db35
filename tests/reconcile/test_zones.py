"""A new tzdata moves posts to the new instant of their wall time, and changes nothing else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from temporalio.worker import Worker

from activities.posts import PostActivities
from api.dependencies import Dependencies
from domain.errors import Problem, Unavailable
from domain.plan import Plan
from domain.post import PostStatus
from domain.schedule import parse_date_time, reread, rfc3339, zone_named, zone_version
from reconcile.zones import announce_zones, follow_zones, zone_task
from runtime import worker
from runtime.parts import open_parts
from store.database import Database
from store.maintenance.zones import note_version
from store.models import Post, Revision, ZoneCheck
from tests.api.conftest import Client, make_client, problems
from tests.serving import app_over
from tests.stack import Stack
from tests.zones import altered_zones
from workflows.client.post_workflows import PostWorkflows

ZONE = "Asia/Hovd"
"""UTC+7 all year; no other test uses it."""
EARLIER, LATER = {ZONE: "Asia/Tokyo"}, {ZONE: "Asia/Karachi"}
"""UTC+9: wall times come two hours earlier; UTC+5: two hours later."""
HOURS = timedelta(hours=2)


@pytest.fixture(autouse=True)
async def _unchecked(running: Stack) -> AsyncIterator[None]:
    async def forget() -> None:
        async with running.database.transaction() as session:
            await session.execute(delete(ZoneCheck))
            await session.execute(delete(Post).where(Post.timezone.in_([ZONE, "Mars/Olympus"])))

    await forget()
    yield
    await forget()


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[Client]:
    async with (
        app_over(Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)) as app,
        make_client(app, stack.api_key) as client,
    ):
        yield client


async def create(api: Client, stack: Stack, content: str, **body: Any) -> dict[str, Any]:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    response = await api.send_post({"content": content, "platforms": [target], "timezone": ZONE, **body})
    assert response.status_code == 201, response.text
    post: dict[str, Any] = response.json()
    return post


def wall(instant: datetime, zone: str = ZONE) -> str:
    """Return what the zone's clocks show at an instant."""
    return instant.astimezone(zone_named(zone)).replace(tzinfo=None).isoformat()


def soon(**more: float) -> datetime:
    return (datetime.now(UTC) + timedelta(**more)).replace(microsecond=0)


async def read(api: Client, post: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.get(f"/v1/posts/{post['id']}")).json()
    return answer


async def due_in_workflow(stack: Stack, post: dict[str, Any]) -> datetime:
    view = await stack.client.get_workflow_handle(post["id"]).query("status")
    return parse_date_time(view["due_at"])


async def revisions(stack: Stack, post: dict[str, Any]) -> list[str]:
    async with stack.database.reading() as session:
        return list(await session.scalars(select(Revision.state).where(Revision.post_id == post["id"])))


class TestMoves:
    async def test_scheduled_post_is_published_at_its_new_instant(
        self, api: Client, stack: Stack, tmp_path: Path
    ) -> None:
        old = soon(hours=2, seconds=3)
        post = await create(api, stack, "moved ahead", scheduledFor=wall(old))
        assert post["scheduledFor"] == rfc3339(old)
        with altered_zones(tmp_path, EARLIER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 1
        new = old - HOURS
        row = await stack.read(post["id"])
        assert (row.scheduled_for, row.due_at, row.scheduled_wall, row.timezone) == (new, new, wall(old), ZONE)
        assert await due_in_workflow(stack, post) == new
        settled = await stack.settled(post["id"])
        assert settled.status == PostStatus.PUBLISHED
        assert settled.published_at is not None
        assert timedelta(0) <= settled.published_at - new < timedelta(seconds=3)
        assert len(await stack.public("moved ahead")) == 1

    async def test_scheduled_post_is_not_published_at_its_old_instant(
        self, api: Client, stack: Stack, tmp_path: Path
    ) -> None:
        old = soon(seconds=3)
        post = await create(api, stack, "moved back", scheduledFor=wall(old))
        with altered_zones(tmp_path, LATER):
            await follow_zones(stack.worker_database, stack.workflows)
        assert await due_in_workflow(stack, post) == old + HOURS
        await asyncio.sleep((old - datetime.now(UTC)).total_seconds() + 1)
        assert (await read(api, post))["status"] == "scheduled"
        assert await stack.public("moved back") == []

    async def test_post_whose_new_instant_is_past_is_published_immediately(
        self, api: Client, stack: Stack, tmp_path: Path
    ) -> None:
        post = await create(api, stack, "due since", scheduledFor=wall(soon(hours=1)))
        with altered_zones(tmp_path, EARLIER):
            await follow_zones(stack.worker_database, stack.workflows)
        assert (await stack.settled(post["id"])).status == PostStatus.PUBLISHED

    async def test_a_draft(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        at = soon(days=30)
        post = await create(api, stack, "draft", scheduledFor=wall(at), isDraft=True)
        with altered_zones(tmp_path, LATER):
            await follow_zones(stack.worker_database, stack.workflows)
            now = await read(api, post)
            assert (now["status"], now["scheduledFor"]) == ("draft", rfc3339(at + HOURS))
            scheduled = (await api.patch(f"/v1/posts/{post['id']}", json={"isDraft": False})).json()
            assert scheduled["scheduledFor"] == rfc3339(at + HOURS)
        assert await due_in_workflow(stack, post) == at + HOURS

    async def test_a_post_whose_workflow_was_never_started(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        at = soon(days=1)
        post = await stack.save("never started", [stack.accounts["twitter"]], due_in=timedelta(days=1))
        async with stack.database.transaction() as session:
            values = {"scheduled_wall": wall(at), "timezone": ZONE, "scheduled_for": at, "due_at": at}
            await session.execute(update(Post).where(Post.id == post.id).values(values))
        with altered_zones(tmp_path, LATER):
            await follow_zones(stack.worker_database, stack.workflows)
        assert await due_in_workflow(stack, {"id": post.id}) == at + HOURS

    async def test_concurrent_workers_move_a_post_once(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        at = soon(days=1)
        post = await create(api, stack, "looked at by many", scheduledFor=wall(at))
        with altered_zones(tmp_path, EARLIER):
            assert (
                sum(await asyncio.gather(*(follow_zones(stack.worker_database, stack.workflows) for _ in range(4))))
                == 1
            )
        assert (await stack.read(post["id"])).due_at == await due_in_workflow(stack, post) == at - HOURS
        assert (await stack.read(post["id"])).version == 2

    async def test_nothing_that_a_client_changes_meanwhile(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        at = soon(days=1)
        post = await create(api, stack, "before", scheduledFor=wall(at))
        with altered_zones(tmp_path, EARLIER):
            changing = api.patch(f"/v1/posts/{post['id']}", json={"content": "after"})
            answer, _ = await asyncio.gather(changing, follow_zones(stack.worker_database, stack.workflows))
        assert answer.status_code == 200
        now = await read(api, post)
        assert (now["content"], now["scheduledFor"]) == ("after", rfc3339(at - HOURS))

    async def test_and_a_new_zone_alone_still_moves_the_wall_time(
        self, api: Client, stack: Stack, tmp_path: Path
    ) -> None:
        post = await create(api, stack, "to another zone", scheduledFor="2027-02-01T09:00:00")
        with altered_zones(tmp_path, LATER):
            await follow_zones(stack.worker_database, stack.workflows)
            assert (await read(api, post))["scheduledFor"] == "2027-02-01T04:00:00Z"
            now = (await api.patch(f"/v1/posts/{post['id']}", json={"timezone": "Asia/Tokyo"})).json()
        assert (now["scheduledFor"], now["timezone"]) == ("2027-02-01T00:00:00Z", "Asia/Tokyo")


class TestLeavesAlone:
    async def test_an_instant(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        posts = [
            await create(api, stack, "an instant", scheduledFor=text, isDraft=draft)
            for text in ("2027-02-01T09:00:00Z", "2027-02-01T09:00:00+07:00")
            for draft in (True, False)
        ]
        with altered_zones(tmp_path, LATER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 0
        assert [await read(api, post) for post in posts] == posts

    async def test_other_zones(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        post = await create(api, stack, "elsewhere", scheduledFor="2027-02-01T09:00", timezone="Asia/Bangkok")
        with altered_zones(tmp_path, LATER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 0
        assert await read(api, post) == post

    async def test_begun_posts(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        """The post was due by the old zones, and a published post stays published."""
        post = await create(api, stack, "began by the old zones", scheduledFor=wall(soon(seconds=1)))
        assert (await stack.settled(post["id"])).status == PostStatus.PUBLISHED
        with altered_zones(tmp_path, LATER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 0

    async def test_a_post_whose_zone_is_gone(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        with altered_zones(tmp_path, {"Mars/Olympus": "Asia/Tokyo"}):
            post = await create(api, stack, "zone gone", scheduledFor="2027-02-01T09:00", timezone="Mars/Olympus")
        assert await follow_zones(stack.worker_database, stack.workflows) == 0
        # Without the zone, the wall time is unknown.
        assert await read(api, post) == post | {"scheduledForLocal": None}
        path = f"/v1/posts/{post['id']}"
        assert (await api.patch(path, json={"content": "still"})).json()["scheduledFor"] == post["scheduledFor"]
        refused = await api.patch(path, json={"scheduledFor": "2027-02-02T09:00"})
        assert (refused.status_code, problems(refused)[0]["param"]) == (400, "timezone")
        assert (await api.patch(path, json={"scheduledFor": "2027-02-02T09:00Z"})).status_code == 200
        moved = await api.patch(path, json={"scheduledFor": "2027-02-02T09:00", "timezone": "Asia/Seoul"})
        assert moved.json()["scheduledFor"] == "2027-02-02T00:00:00Z"


class TestCheckedPosts:
    async def test_only_posts_saved_since_the_last_check(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        assert await follow_zones(stack.worker_database, stack.workflows) == 0
        with altered_zones(tmp_path, LATER):
            # Created by an API process whose zones differ from the worker's.
            young, old = [await create(api, stack, name, scheduledFor="2027-02-01T09:00") for name in ("young", "old")]
        async with stack.database.transaction() as session:
            an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
            await session.execute(update(Post).where(Post.id == old["id"]).values(updated_at=an_hour_ago))
        assert await follow_zones(stack.worker_database, stack.workflows) == 1
        assert (await read(api, young))["scheduledFor"] == "2027-02-01T02:00:00Z"
        assert (await read(api, old))["scheduledFor"] == old["scheduledFor"] == "2027-02-01T04:00:00Z"
        with altered_zones(tmp_path, EARLIER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 2
        assert (await read(api, old))["scheduledFor"] == "2027-02-01T00:00:00Z"

    async def test_none_with_older_zones_than_another_process(self, api: Client, stack: Stack, tmp_path: Path) -> None:
        await announce_zones(stack.worker_database)
        post = await create(api, stack, "by newer zones", scheduledFor="2027-02-01T09:00")
        with altered_zones(tmp_path, LATER, "2019c"):
            assert await follow_zones(stack.worker_database, stack.workflows) == 0
            await announce_zones(stack.worker_database)
        assert await read(api, post) == post
        (noted,) = await checks(stack)
        assert (noted.newest_version, noted.digest, noted.checked_at) == (zone_version(), None, None)

    async def test_unresponsive_workflow_is_notified_by_the_sweep(
        self, api: Client, stack: Stack, tmp_path: Path
    ) -> None:
        post = await create(api, stack, "silent", scheduledFor="2027-02-01T09:00")

        class Silent(PostWorkflows):
            async def update_plan(self, plan: Plan) -> None:
                raise Unavailable(Problem("no answer", "unavailable"))

        with altered_zones(tmp_path, LATER):
            assert await follow_zones(stack.worker_database, Silent(stack.client)) == 1
        assert (await read(api, post))["scheduledFor"] == "2027-02-01T04:00:00Z"
        assert not (await stack.read(post["id"])).is_delivered

    async def test_more_posts_than_one_batch(
        self, api: Client, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("store.maintenance.zones._BATCH", 3)
        # Seven posts at one instant: page boundaries fall within it.
        posts = [await create(api, stack, f"page {n}", scheduledFor="2027-02-01T09:00", isDraft=True) for n in range(7)]
        with altered_zones(tmp_path, LATER):
            assert await follow_zones(stack.worker_database, stack.workflows) == 7
        for post in posts:
            assert (await read(api, post))["scheduledFor"] == "2027-02-01T04:00:00Z"


class TestEveryWorker:
    async def test_checks_when_it_starts(self, stack: Stack) -> None:
        # On a separate queue: the queues of posts belong to the session's worker.
        group = worker.WorkerGroup(
            Worker(stack.client, task_queue="zones", activities=[PostActivities(stack.worker_database).read_plan])
        )
        async with (
            open_parts(stack.settings, stack.worker_database) as parts,
            worker.running_workers(stack.client, parts, group),
        ):
            noted = await a_check(stack)
        assert (noted.newest_version, noted.digest) == (zone_version(), reread().digest)

    async def test_an_unavailable_part_is_retried_soon(
        self, api: Client, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reconcile.zones._FIRST_RETRY_S", 0.1)
        post = await create(api, stack, "a moment away", scheduledFor="2027-02-01T09:00")

        asked = 0

        async def away_at_first(database: Database, workflows: PostWorkflows) -> int:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise OSError("away")
            return await follow_zones(database, workflows)

        monkeypatch.setattr("reconcile.zones.follow_zones", away_at_first)
        with altered_zones(tmp_path, LATER):
            following = asyncio.create_task(zone_task(stack.worker_database, stack.workflows).run())
            await a_check(stack)
            following.cancel()
        assert (await read(api, post))["scheduledFor"] == "2027-02-01T04:00:00Z"


async def checks(stack: Stack) -> list[ZoneCheck]:
    async with stack.database.reading() as session:
        return list(await session.scalars(select(ZoneCheck)))


async def a_check(stack: Stack) -> ZoneCheck:
    for _ in range(200):
        if lines := await checks(stack):
            return lines[0]
        await asyncio.sleep(0.05)
    raise AssertionError("the zones were not checked")


async def test_an_api_starts_without_the_database() -> None:
    nowhere = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    await announce_zones(nowhere)
    await nowhere.close()


async def test_the_newest_version_stays_noted(stack: Stack) -> None:
    for version in ("2026b", "2027a", "", "2026f"):
        async with stack.database.transaction() as session:
            await note_version(session, version)
    assert [noted.newest_version for noted in await checks(stack)] == ["2027a"]
