"""Lines of the audit trail: written once, kept for a while, and never changed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import ProgrammingError

from domain.audit import LONGEST_VALUE, MOST_CHANGES, WORKER, Action, AuditEntry, FieldChange, changes_between, operator
from domain.content import PostContent, TargetContent
from reconcile.expiry import expire
from store.audit.trail import add_entry, add_unless_recorded, is_recorded
from store.database import Database
from store.models import AuditEvent, Post
from store.posts.queries import find_post
from tests.reconcile.doctor.conftest import new_workspace
from tests.stack import Stack


@pytest.fixture
async def own(stack: Stack) -> AsyncIterator[Stack]:
    async with new_workspace(stack) as mine:
        yield mine


async def saved(own: Stack) -> Post:
    return await own.save("audited", [own.accounts["plain"]], due_in=timedelta(hours=5))


async def entries(database: Database, post: Post) -> list[AuditEvent]:
    async with database.reading() as session:
        found = await session.scalars(
            select(AuditEvent).where(AuditEvent.post_id == post.id).order_by(AuditEvent.at, AuditEvent.id)
        )
        return list(found)


async def write(database: Database, post: Post, *written: AuditEntry) -> None:
    async with database.transaction() as session:
        row = await find_post(session, post.workspace_id, post.id, lock=True)
        assert row
        for entry in written:
            add_entry(row, entry)


async def add_and_fail(database: Database, post: Post) -> None:
    async with database.transaction() as session:
        row = await find_post(session, post.workspace_id, post.id, lock=True)
        assert row
        add_entry(row, HELD)
        await session.flush()
        raise RuntimeError("no")


HELD = AuditEntry(Action.HELD, WORKER, targets=(("twitter", "tw_1"),), details=(("code", "platform_cap"),))
RELEASED = AuditEntry(Action.RELEASED, WORKER, targets=(("twitter", "tw_1"),))


async def test_a_repeat_without_change_writes_one_line(own: Stack) -> None:
    post = await saved(own)
    async with own.worker_database.transaction() as session:
        row = await find_post(session, post.workspace_id, post.id, lock=True)
        assert row
        said = [await add_unless_recorded(session, row, each) for each in (HELD, HELD, RELEASED, HELD)]
    assert said == [True, False, True, True]
    assert [each.action for each in await entries(own.database, post)] == ["held", "released", "held"]


async def test_a_step_that_is_run_again_finds_its_line_by_the_run(own: Stack) -> None:
    post = await saved(own)
    cancelled = AuditEntry(Action.CANCELLED, operator("alice"), details=(("runId", "one"), ("reason", "stop")))
    await write(own.worker_database, post, cancelled)
    async with own.database.reading() as session:
        assert await is_recorded(session, post, Action.CANCELLED, runId="one")
        assert not await is_recorded(session, post, Action.CANCELLED, runId="two")
        assert not await is_recorded(session, post, Action.RETRIED, runId="one")


async def test_a_change_that_is_rolled_back_leaves_no_line(own: Stack) -> None:
    post = await saved(own)
    with pytest.raises(RuntimeError, match="no"):
        await add_and_fail(own.api_database, post)
    assert await entries(own.database, post) == []


async def test_lines_are_deleted_when_they_are_old(own: Stack) -> None:
    post = await saved(own)
    await write(own.worker_database, post, HELD, RELEASED)
    now = datetime.now(UTC)
    async with own.database.transaction() as session:
        # Lines are deleted in the order of their ids, 500 at a time, so lines of other tests would come first.
        await session.execute(delete(AuditEvent).where(AuditEvent.post_id != post.id))
        old = update(AuditEvent).where(AuditEvent.post_id == post.id, AuditEvent.action == "held")
        await session.execute(old.values(at=now - timedelta(days=8)))
    await expire(own.worker_database, now, timedelta(days=9))
    assert len(await entries(own.database, post)) == 2
    await expire(own.worker_database, now, timedelta(days=7))
    assert [each.action for each in await entries(own.database, post)] == ["released"]


async def test_audit_lines_cannot_be_changed_or_deleted_by_the_api(own: Stack) -> None:
    post = await saved(own)
    await write(own.api_database, post, HELD)
    changed = update(AuditEvent).where(AuditEvent.post_id == post.id).values(actor_id="somebody else")
    deleted = delete(AuditEvent).where(AuditEvent.post_id == post.id)
    for database, statement in (
        (own.api_database, changed),
        (own.api_database, deleted),
        (own.worker_database, changed),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.transaction() as session:
                await session.execute(statement)
    assert len(await entries(own.database, post)) == 1


def test_a_line_is_bounded() -> None:
    before = PostContent(
        targets=[TargetContent(platform="twitter", account_id=f"tw_{number}") for number in range(100)]
    )
    changes = changes_between(before, PostContent())
    kept = AuditEntry(
        Action.CHANGED, WORKER, changes, tuple(("twitter", f"tw_{number}") for number in range(100))
    ).as_json()
    assert len(kept["changes"]) == len(kept["targets"]) == MOST_CHANGES
    assert kept["moreChanges"] == 100 - MOST_CHANGES
    long = changes_between(PostContent(timezone="x" * 1000), PostContent(timezone="UTC"))
    assert long == (FieldChange("timezone", "x" * LONGEST_VALUE, "UTC"),)
    assert operator("x" * 1000).id == "x" * LONGEST_VALUE
