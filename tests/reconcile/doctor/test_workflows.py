"""Rows compared with workflows: every disagreement is produced for real, found, and heals as the doctor says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update
from temporalio.client import WorkflowExecutionStatus

from activities.options import POSTS_QUEUE
from domain.errors import Conflict
from domain.ownership import UNDELIVERED_AFTER
from domain.post import HoldReason, PostStatus, TargetStatus
from domain.transitions import BeforeSend, paused
from reconcile.doctor.findings import Exit, FindingKind, FixedBy
from reconcile.doctor.posts import Counted, suspicious
from reconcile.recovery import Recovery
from reconcile.sweep import sweep
from store.models import Attempt, AuditEvent, IdempotencyKey, Post, Revision
from store.publishing.sending import settle
from tests.reconcile.doctor.conftest import (
    agrees,
    asleep,
    diagnose,
    note_started,
    only,
    published,
    until_agrees,
    write,
    write_target,
)
from tests.stack import Stack
from workflows.client.runs import Runs
from workflows.search_attributes import post_attributes

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)


async def closed(stack: Stack, post: Post, status: WorkflowExecutionStatus) -> None:
    handle = stack.client.get_workflow_handle(post.workflow_id)
    async with asyncio.timeout(60):
        while (await handle.describe()).status is not status:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def rewind(stack: Stack, post: Post) -> None:
    """Reset the rows to their state before the post was published, as an older backup does."""
    before = post.created_at
    values = {
        "status": PostStatus.SCHEDULED,
        "published_at": None,
        "updated_at": before,
        "version": 1,
        "delivered_version": 1,
    }
    await write(stack, post, **values)
    await write_target(stack, post, status=TargetStatus.PENDING, platform_post_id=None, published_at=None)
    async with stack.database.transaction() as session:
        await session.execute(delete(Attempt).where(Attempt.target_id.in_([target.id for target in post.targets])))


async def test_a_healthy_system_agrees(own: Stack) -> None:
    await own.fault("twitter", "reject", "publish", status=403, accountId=own.accounts["other"].id)
    await asyncio.gather(
        published(own, "doctor: healthy"),
        published(own, "doctor: failed", "other"),
        published(own, "doctor: pictured", "instagram", media=["https://example.com/a.jpg"]),
        asleep(own, "doctor: asleep", HALF_AN_HOUR),
    )
    both = await own.publish("doctor: everywhere", [own.accounts["plain"], own.accounts["other"]])
    await note_started(own, both)
    report = await diagnose(own)
    assert (report.findings, report.away, report.exit) == ([], [], Exit.AGREES)
    assert report.posts >= 4
    assert report.workflows >= 4


async def test_a_lost_workflow_is_started_again_by_the_recovery(own: Stack) -> None:
    post, handle = await asleep(own, "doctor: lost", HALF_AN_HOUR)
    await handle.terminate()
    finding = await only(own, FindingKind.LOST)
    assert (finding.fixed_by, finding.subject.post_id) == (FixedBy.SYSTEM, post.id)
    assert finding.by is not None
    assert finding.by - datetime.now(UTC) <= timedelta(minutes=10)
    await Recovery(own.worker_database, own.workflows, Runs(own.client)).round(
        ALWAYS, datetime.now(UTC) + timedelta(hours=1)
    )
    await until_agrees(own)


async def test_a_post_that_was_never_started_is_started_by_the_sweep(own: Stack) -> None:
    post = await own.save("doctor: never started", [own.accounts["plain"]], due_in=HALF_AN_HOUR)
    await write(own, post, updated_at=datetime.now(UTC) - timedelta(seconds=40))
    assert (await only(own, FindingKind.NOT_STARTED)).fixed_by is FixedBy.SYSTEM
    await sweep(own.worker_database, own.workflows)
    await until_agrees(own)


async def test_a_post_that_is_just_being_created_is_left_alone(own: Stack) -> None:
    await own.save("doctor: just created", [own.accounts["plain"]], due_in=HALF_AN_HOUR)
    assert await agrees(own)


async def test_a_post_that_waits_for_its_turn_is_neither_lost_nor_wrong(own: Stack) -> None:
    unknown = await own.save("doctor: imported", [own.accounts["plain"]], due_in=HALF_AN_HOUR)
    moved, _ = await asleep(own, "doctor: moved with many", HALF_AN_HOUR)
    due = datetime.now(UTC) + timedelta(hours=2)
    moved = await own.write_change(moved, due=due)
    long_ago, next_turn = datetime.now(UTC) - timedelta(minutes=20), datetime.now(UTC) + timedelta(minutes=5)
    for post in unknown, moved:
        await write(own, post, updated_at=long_ago, next_delivery_at=next_turn)
    assert await agrees(own)
    passed = datetime.now(UTC) - UNDELIVERED_AFTER
    for post in unknown, moved:
        await write(own, post, next_delivery_at=passed)
    report = await diagnose(own)
    by = {finding.subject.post_id: (finding.kind, finding.by) for finding in report.findings}
    latest = passed + UNDELIVERED_AFTER
    assert by == {unknown.id: (FindingKind.NOT_STARTED, latest), moved.id: (FindingKind.DUE, latest)}
    await sweep(own.worker_database, own.workflows)
    await until_agrees(own)


async def test_an_overdue_recovery_needs_a_person(own: Stack) -> None:
    post = await own.save("doctor: never swept", [own.accounts["plain"]], due_in=HALF_AN_HOUR)
    await write(own, post, updated_at=datetime.now(UTC) - timedelta(minutes=20))
    report = await diagnose(own)
    assert [(finding.kind, finding.fixed_by) for finding in report.findings] == [
        (FindingKind.NOT_STARTED, FixedBy.PERSON)
    ]
    assert report.exit is Exit.NEEDS_A_PERSON


async def test_a_row_older_than_a_cancelled_run_needs_a_person(own: Stack) -> None:
    post, handle = await asleep(own, "doctor: cancelled", HALF_AN_HOUR)
    await handle.cancel()
    await closed(own, post, WorkflowExecutionStatus.CANCELED)
    await own.settled(post.id)
    assert await agrees(own)
    await rewind(own, post)
    assert (await only(own, FindingKind.CANCELLED)).fixed_by is FixedBy.PERSON
    await write_target(own, post, status=TargetStatus.FAILED)
    await write(own, post, status=PostStatus.FAILED)
    assert await agrees(own)


async def test_a_row_older_than_its_publication_is_confirmed_by_id(own: Stack) -> None:
    post = await published(own, "doctor: older copy", "instagram", media=["https://example.com/a.jpg"])
    await closed(own, post, WorkflowExecutionStatus.COMPLETED)
    await rewind(own, post)
    finding = await only(own, FindingKind.ENDED)
    assert finding.fixed_by is FixedBy.SYSTEM
    assert f"published as {post.targets[0].platform_post_id}" in finding.what
    await write_target(own, post, status=TargetStatus.PUBLISHED, platform_post_id=post.targets[0].platform_post_id)
    await write(own, post, status=PostStatus.PUBLISHED)
    assert await agrees(own)


async def test_a_workflow_without_a_row_ends_when_it_wakes_and_sends_nothing(own: Stack) -> None:
    post, _ = await asleep(own, "doctor: row gone", timedelta(seconds=3))
    async with own.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    finding = await only(own, FindingKind.ORPHAN)
    assert (finding.fixed_by, finding.subject.workflow_id, finding.by) == (
        FixedBy.SYSTEM,
        post.workflow_id,
        post.due_at,
    )
    await closed(own, post, WorkflowExecutionStatus.COMPLETED)
    assert await agrees(own)
    assert await own.public("doctor: row gone") == []


async def test_draft_with_a_running_workflow_is_resolved_by_itself(own: Stack) -> None:
    post, handle = await asleep(own, "doctor: draft runs", HALF_AN_HOUR)
    await write(own, post, status=PostStatus.DRAFT, due_at=None)
    assert (await only(own, FindingKind.DRAFT)).fixed_by is FixedBy.SYSTEM
    await handle.terminate()
    assert await agrees(own)


async def test_a_row_at_rest_whose_workflow_sleeps_is_followed_at_the_due_time(own: Stack) -> None:
    post, _ = await asleep(own, "doctor: row ahead", timedelta(seconds=4))
    await write_target(own, post, status=TargetStatus.PUBLISHED)
    await write(own, post, status=PostStatus.PUBLISHED)
    finding = await only(own, FindingKind.ROW_AHEAD)
    assert finding.fixed_by is FixedBy.SYSTEM
    assert finding.by is not None
    assert abs(finding.by - (post.due_at or ALWAYS)) < timedelta(milliseconds=1)
    await asyncio.sleep(max(0, (finding.by - datetime.now(UTC)).total_seconds()))
    await until_agrees(own)
    assert await own.public("doctor: row ahead") == []


async def test_different_due_time_is_corrected_by_a_change(own: Stack) -> None:
    post, _ = await asleep(own, "doctor: due differs", HALF_AN_HOUR)
    moved = datetime.now(UTC) + timedelta(hours=2)
    await write(own, post, due_at=moved)
    assert (await only(own, FindingKind.DUE)).fixed_by is FixedBy.PERSON
    await own.change(post, due=moved)
    await until_agrees(own)


async def test_a_publication_missing_in_the_row_needs_a_person(own: Stack) -> None:
    post = await published(own, "doctor: row failed")
    await until_agrees(own)
    await write_target(own, post, status=TargetStatus.FAILED)
    await write(own, post, status=PostStatus.FAILED)
    finding = await only(own, FindingKind.TARGET, platforms=False)
    assert (finding.fixed_by, finding.subject.target_id) == (FixedBy.PERSON, post.targets[0].id)
    await write_target(own, post, status=TargetStatus.PENDING)
    await write(own, post, status=PostStatus.PUBLISHING)
    assert (await only(own, FindingKind.WORKFLOW_AHEAD, platforms=False)).fixed_by is FixedBy.PERSON


async def test_workflow_behind_its_row_is_harmless(own: Stack) -> None:
    await own.fault("twitter", "reject", "publish", status=403, accountId=own.accounts["plain"].id)
    post = await published(own, "doctor: row published")
    await until_agrees(own)
    await write_target(own, post, status=TargetStatus.PUBLISHED)
    await write(own, post, status=PostStatus.PUBLISHED)
    assert (await only(own, FindingKind.TARGET)).fixed_by is FixedBy.SYSTEM
    with pytest.raises(Conflict):
        await own.retry(post)
    assert await own.public("doctor: row published") == []


async def test_reopened_row_continues_after_its_workflow_is_terminated(own: Stack) -> None:
    await own.fault("twitter", "reject", "publish", status=403, accountId=own.accounts["plain"].id)
    post = await published(own, "doctor: row reopened")
    await until_agrees(own)
    await write_target(own, post, status=TargetStatus.PENDING)
    await write(own, post, status=PostStatus.PUBLISHING)
    assert (await only(own, FindingKind.WORKFLOW_AHEAD)).fixed_by is FixedBy.PERSON
    await own.client.get_workflow_handle(post.workflow_id).terminate()
    await Recovery(own.worker_database, own.workflows, Runs(own.client)).round(ALWAYS, datetime.now(UTC))
    assert (await own.settled(post.id)).status == PostStatus.PUBLISHED
    await until_agrees(own)


async def test_targets_of_a_partial_post_are_compared(own: Stack) -> None:
    await own.fault("twitter", "reject", "publish", status=403, accountId=own.accounts["plain"].id)
    post = await own.publish("doctor: partial", [own.accounts["plain"], own.accounts["other"]])
    await note_started(own, post)
    assert post.status == PostStatus.PARTIAL
    await until_agrees(own)
    async with own.database.transaction() as session:
        for target, status in zip(post.targets, (TargetStatus.PUBLISHED, TargetStatus.FAILED), strict=True):
            await session.merge(target)
            (await session.get_one(type(target), target.id)).status = status
    report = await diagnose(own, platforms=False)
    assert {(finding.kind, finding.fixed_by) for finding in report.findings} == {
        (FindingKind.TARGET, FixedBy.SYSTEM),
        (FindingKind.TARGET, FixedBy.PERSON),
    }


async def test_failing_workflow_tasks_need_a_person(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    # From then on Temporal waits longer and longer between the tasks.
    monkeypatch.setattr("workflows.client.runs._STUCK_FROM_TRY", 2)
    post = await own.save("doctor: stuck", [own.accounts["plain"]], due_in=timedelta(minutes=-2))
    await note_started(own, post)
    await own.client.start_workflow(
        "PostWorkflow",
        {"not": "a plan"},
        id=post.workflow_id,
        task_queue=POSTS_QUEUE,
        search_attributes=post_attributes(await own.plan(post), PostStatus.SCHEDULED),
    )
    async with asyncio.timeout(60):
        while not (  # noqa: ASYNC110 there is no event
            stuck := [finding for finding in (await diagnose(own)).findings if finding.kind is FindingKind.STUCK]
        ):
            await asyncio.sleep(0.5)
    assert [(entry.subject.post_id, entry.fixed_by) for entry in stuck] == [(post.id, FixedBy.PERSON)]


async def test_an_abandoned_send_is_confirmed_by_a_retry(own: Stack) -> None:
    await own.fault("instagram", "reject", "publish", status=400, accountId=own.accounts["instagram"].id)
    post = await published(own, "doctor: left", "instagram", media=["https://example.com/a.jpg"])
    await own.client.get_workflow_handle(post.workflow_id).terminate()
    before = datetime.now(UTC) - timedelta(minutes=5)
    async with own.database.transaction() as session:
        session.add(Attempt(target_id=post.targets[0].id, step="publish", state="sending", started_at=before))
    assert (await only(own, FindingKind.SENDING)).fixed_by is FixedBy.PERSON
    await own.retry(await own.read(post.id))
    async with asyncio.timeout(60):
        while (await own.read(post.id)).targets[0].status != TargetStatus.UNCONFIRMED:  # noqa: ASYNC110 the row is polled
            await asyncio.sleep(0.05)
    await until_agrees(own)


async def test_an_abandoned_edit_is_reported(own: Stack) -> None:
    post = await published(own, "doctor: edited", "other")
    await own.fault("twitter", "drop", "edit", times=100, accountId=own.accounts["other"].id)
    revision = await own.new_text(post, "doctor: edited again")
    async with own.database.transaction() as session:
        (await session.get_one(Revision, revision)).created_at = datetime.now(UTC) - timedelta(minutes=1)
    await own.workflows.edit(await own.plan(post), revision)
    assert (await only(own, FindingKind.REVISION)).fixed_by is FixedBy.SYSTEM
    await own.client.get_workflow_handle(post.workflow_id).terminate()
    report = await diagnose(own)
    assert {(finding.kind, finding.fixed_by) for finding in report.findings} == {(FindingKind.REVISION, FixedBy.PERSON)}


async def test_a_key_without_post_is_reported_until_it_expires(own: Stack) -> None:
    now = datetime.now(UTC)
    key = IdempotencyKey(
        workspace_id=own.workspace_id,
        key="doctor",
        generation=1,
        request_sha256=b"",
        post_id="post_gone",
        expires_at=now + timedelta(hours=1),
    )
    async with own.database.transaction() as session:
        session.add(key)
    finding = await only(own, FindingKind.KEY)
    assert (finding.fixed_by, finding.by) == (FixedBy.SYSTEM, key.expires_at)
    async with own.database.transaction() as session:
        (await session.get_one(IdempotencyKey, (own.workspace_id, "doctor"))).expires_at = now
    assert await agrees(own)


async def test_key_of_a_deleted_post_is_no_finding(own: Stack) -> None:
    """The audit trail knows the deletion, also if a restore has lost the workflow that made it."""
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    named = {"workspace_id": own.workspace_id, "post_id": "post_deleted"}
    async with own.database.transaction() as session:
        session.add(IdempotencyKey(**named, key="deleted", generation=1, request_sha256=b"", expires_at=expires_at))
        session.add(AuditEvent(**named, action="deleted", details={}))
    assert await agrees(own)


async def test_a_post_that_is_due_and_paused_is_not_examined_by_itself(own: Stack) -> None:
    post = await own.save("paused, and not late", [own.accounts["plain"]])
    await settle(own.database, post.targets[0].id, BeforeSend(None), paused())
    handle = await own.start(await own.read(post.id))
    await note_started(own, post)
    assert (await handle.query("status"))["status"] == PostStatus.PUBLISHING
    await write(own, post, due_at=datetime.now(UTC) - HALF_AN_HOUR)
    async with asyncio.timeout(60):
        while await examined(own, post):  # noqa: ASYNC110 the list of workflows follows a moment later
            await asyncio.sleep(0.2)
    await write_target(own, post, hold_reason=HoldReason.RECONNECT)
    assert await examined(own, post)


async def examined(stack: Stack, post: Post) -> bool:
    now, runs = datetime.now(UTC), Runs(stack.client)
    cases = await suspicious(stack.database, runs, now, stack.workspace_id, Counted())
    return post.workflow_id in cases


async def test_two_posts_of_a_queue_at_one_instant_need_a_person(own: Stack) -> None:
    account = own.accounts["plain"]
    posts = [await own.save(f"in one slot {number}", [account], due_in=timedelta(days=1)) for number in range(2)]
    for number, post in enumerate(posts):
        await own.start(post)
        in_slot = {"queue_id": "que_1", "scheduled_wall": f"2030-03-31T0{2 + number}:30:00", "due_at": posts[0].due_at}
        async with own.database.transaction() as session:
            await session.execute(
                update(Post)
                .where(Post.id == post.id)
                .values(**in_slot, scheduled_for=posts[0].due_at, delivered_version=post.version)
            )
    (finding,) = [finding for finding in (await diagnose(own)).findings if finding.kind is FindingKind.SLOT_DOUBLE]
    assert finding.fixed_by is FixedBy.PERSON
    assert all(post.id in finding.what for post in posts)
