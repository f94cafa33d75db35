"""Without a worker: waiting posts are reported immediately, and heal as reported once a worker runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from domain.post import PostStatus, TargetStatus
from reconcile.doctor.findings import Exit, FindingKind, FixedBy
from reconcile.readiness import Readiness
from runtime import worker
from runtime.parts import open_parts
from runtime.worker_options import WorkerOptions
from store.models import Attempt
from store.publishing.sending import begin_send
from tests.reconcile.doctor.conftest import (
    TOKEN,
    diagnose,
    note_started,
    published,
    until_agrees,
    write,
    write_target,
)
from tests.stack import Stack
from tests.workspaces import new_workspace


@pytest.fixture
async def own(alone: Stack) -> AsyncIterator[Stack]:
    async with new_workspace(alone) as mine:
        yield mine


@asynccontextmanager
async def at_work(stack: Stack) -> AsyncIterator[None]:
    async with (
        open_parts(stack.settings, stack.worker_database) as parts,
        worker.running_workers(stack.client, parts),
    ):
        yield


async def test_a_post_without_worker_is_reported_and_published_later(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No worker answers a query, so `doctor` must not ask one and wait for it.
    query_s = 60
    monkeypatch.setattr("workflows.client.runs._QUERY_TIMEOUT", timedelta(seconds=query_s))
    post = await own.save("doctor: waits", [own.accounts["plain"]], due_in=timedelta(minutes=-2))
    await own.start(post)
    await note_started(own, post)
    began = time.monotonic()
    report = await diagnose(own)
    assert time.monotonic() - began < query_s
    findings = {(finding.kind, finding.fixed_by, finding.subject.platform) for finding in report.findings}
    assert findings == {
        (FindingKind.LATE, FixedBy.SYSTEM, "twitter"),
        (FindingKind.NO_WORKER, FixedBy.PERSON, "posts"),
    }
    assert report.waiting[0].startswith("not begun: 1 post was due more than 10 s ago, and no worker has begun")
    assert report.exit is Exit.NEEDS_A_PERSON
    async with at_work(own):
        assert (await own.settled(post.id)).status == PostStatus.PUBLISHED
        await until_agrees(own)


async def test_send_of_a_dead_worker_is_confirmed_by_the_next(own: Stack) -> None:
    account = await own.connect("twitter", accessToken=TOKEN)
    post = await own.save("doctor: left behind", [account])
    await own.start(post)
    await note_started(own, post)
    # The rows and the request of a worker that dies after its request was sent.
    attempt = await begin_send(own.database, post.targets[0].id, 1, None, 0, None)
    assert isinstance(attempt, Attempt)
    sent = await own.http.post(
        f"{own.sandbox_url}/twitter/2/tweets",
        headers={"authorization": f"Bearer {TOKEN}"},
        json={"text": "doctor: left behind"},
    )
    public = sent.raise_for_status().json()["data"]["id"]
    async with own.database.transaction() as session:
        (await session.get_one(Attempt, attempt.id)).started_at = datetime.now(UTC) - timedelta(seconds=20)
    report = await diagnose(own)
    # A worker that polled a minute ago still counts as running.
    assert {finding.kind for finding in report.findings} - {FindingKind.NO_WORKER} == {FindingKind.SENDING}
    async with at_work(own):
        (target,) = (await own.settled(post.id)).targets
        assert (target.status, target.platform_post_id) == (TargetStatus.PUBLISHED, public)
        await until_agrees(own)


async def test_an_unanswered_query_is_reported_and_not_awaited(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.client.runs._QUERY_TIMEOUT", timedelta(seconds=1))
    async with at_work(own):
        lost = await own.save("doctor: undelivered", [own.accounts["plain"]], due_in=timedelta(hours=2))
        handle = await own.start(lost)
        await handle.query("status")
        changed = [await published(own, f"doctor: unasked {number}") for number in range(5)]
        await until_agrees(own)
    await note_started(own, lost)
    await handle.terminate()
    for post in changed:
        await write_target(own, post, status=TargetStatus.FAILED)
        await write(own, post, status=PostStatus.FAILED)
    began = time.monotonic()
    report = await diagnose(own)
    assert time.monotonic() - began < 20
    assert {finding.kind for finding in report.findings} == {FindingKind.STATE_UNKNOWN, FindingKind.UNKNOWN_PUBLIC}
    assert report.away == ["No worker reported the state of 5 workflows that had to be asked."]
    assert report.exit is Exit.COULD_NOT_CHECK


@pytest.mark.thorough
async def test_workers_that_get_no_tasks_are_reported(alone: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.readiness._STANDS_S", 0.5)
    post = await alone.save("doctor: kept by Temporal", [alone.accounts["plain"]], due_in=timedelta(minutes=-2))
    await alone.start(post)
    await note_started(alone, post)
    # Temporal gives no task to workers of a version that is not the current one.
    options = WorkerOptions("socialsyncer", "not-current")
    readiness = Readiness(alone.api_database, alone.workflows.queues)
    async with open_parts(alone.settings, alone.worker_database) as parts:
        group = worker.worker_group(alone.client, parts, ["twitter"], worker_options=options)
        async with worker.polling(group, parts), asyncio.timeout(60):
            while not (await alone.workflows.queues.posts()).stands:  # noqa: ASYNC110 Temporal counts every few seconds
                await asyncio.sleep(0.2)
            assert (await readiness.measure())["worker"] is True
            while (health := await readiness.measure())["worker"]:  # noqa: ASYNC110 time must pass
                await asyncio.sleep(0.2)
            assert health["posts"] is False
            report = await diagnose(alone)
    await readiness.close()
    (finding,) = [finding for finding in report.findings if finding.kind is FindingKind.NO_WORKER]
    assert "1 tasks wait in the queue posts, and workers ask for them and get none." in finding.what
    async with at_work(alone):
        assert (await alone.settled(post.id)).status == PostStatus.PUBLISHED
    async with asyncio.timeout(60):
        while (await alone.workflows.queues.posts()).stands:  # noqa: ASYNC110 Temporal counts every few seconds
            await asyncio.sleep(0.2)


async def test_a_temporal_that_does_not_answer_in_time_is_reported_beside_what_waits(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("workflows.client.queues.Queues.posts", hang)
    monkeypatch.setattr("reconcile.doctor.doctor._ANSWERS_WITHIN_S", 0.2)
    post = await own.save("waits", [own.accounts["plain"]])
    await write_target(own, post, due_at=datetime.now(UTC) - timedelta(hours=1))
    await write(own, post, due_at=datetime.now(UTC) - timedelta(hours=1))
    report = await diagnose(own, platforms=False)
    assert [sentence for sentence in report.away if "too slowly" in sentence] == report.away != []
    assert report.waiting
