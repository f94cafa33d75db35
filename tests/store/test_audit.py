"""Lines of the audit trail: written once, kept for a while, and never changed."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from asyncpg import InsufficientPrivilegeError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import ProgrammingError

from domain.attempts import AttemptStep
from domain.audit import (
    LONGEST_VALUE,
    MOST_CHANGES,
    RECOVERY,
    WORKER,
    Action,
    Actor,
    AuditEntry,
    FieldChange,
    api_key,
    changes_between,
    operator,
)
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import PostStatus
from reconcile.expiry import expire
from store.audit import add_entry, add_unless_recorded, is_recorded
from store.database import Database
from store.models import AccountEvent, Attempt, AuditEvent, Base, Post
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.posts.history import read_history
from store.posts.queries import find_post
from store.roles import Component
from tests.stack import Stack


async def saved(own: Stack) -> Post:
    return await own.save("audited", [own.accounts["plain"]], due_in=timedelta(hours=5))


async def entries(database: Database, post: Post) -> list[AuditEvent]:
    async with database.reading() as session:
        events = await session.scalars(
            select(AuditEvent).where(AuditEvent.post_id == post.id).order_by(AuditEvent.at, AuditEvent.id)
        )
        return list(events)


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
        written = [await add_unless_recorded(session, row, entry) for entry in (HELD, HELD, RELEASED, HELD)]
    assert written == [True, False, True, True]
    assert [entry.action for entry in await entries(own.database, post)] == ["held", "released", "held"]


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
        await add_and_fail(own.worker_database, post)
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
    assert [entry.action for entry in await entries(own.database, post)] == ["released"]


async def test_no_process_changes_a_line_and_the_api_deletes_none(own: Stack) -> None:
    post = await saved(own)
    await write(own.api_database, post, AuditEntry(Action.RETRIED, await own.actor()))
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


@pytest.mark.parametrize("actor", [WORKER, RECOVERY, operator("alice"), api_key("key_x")])
async def test_the_api_writes_lines_of_clients_alone(own: Stack, actor: Actor) -> None:
    post = await saved(own)
    with pytest.raises(ProgrammingError, match="permission denied"):
        await write(own.api_database, post, AuditEntry(Action.RETRIED, actor))
    assert await entries(own.database, post) == []


@pytest.mark.parametrize("component", Component)
async def test_lines_name_keys_of_their_workspace(own: Stack, stack: Stack, component: Component) -> None:
    post, database = await saved(own), {"api": own.api_database, "worker": own.worker_database}[component]
    with pytest.raises(ProgrammingError, match="the actor is no API key of the workspace"):
        await write(database, post, AuditEntry(Action.RETRIED, await stack.actor()))
    await write(database, post, AuditEntry(Action.RETRIED, await own.actor()))
    (line,) = await entries(own.database, post)
    assert (line.actor_type, line.actor_id) == ("api_key", (await own.actor()).id)


async def test_lines_of_clients_are_about_what_clients_can_do(own: Stack) -> None:
    post, actor = await saved(own), await own.actor()
    done = {Action.CHANGED, Action.CORRECTED, Action.EDITED, Action.DELETED, Action.RETRIED, Action.RESOLVED}
    for action in Action:
        if action in done:
            await write(own.api_database, post, AuditEntry(action, actor))
        else:
            with pytest.raises(ProgrammingError, match="no client can do this"):
                await write(own.api_database, post, AuditEntry(action, actor))
    assert {entry.action for entry in await entries(own.database, post)} == done


async def test_lines_of_a_workspace_are_about_its_posts(own: Stack, stack: Stack) -> None:
    post = await stack.save("another workspace's", [stack.accounts["plain"]], due_in=timedelta(hours=5))
    stolen = AuditEvent(workspace_id=own.workspace_id, post_id=post.id, action="deleted", details={})
    stolen.actor_id = (await own.actor()).id
    with pytest.raises(ProgrammingError, match="the post is not of the workspace"):
        async with own.api_database.transaction() as session:
            session.add(stolen)


@pytest.mark.parametrize("component", Component)
@pytest.mark.parametrize("model", [AuditEvent, AccountEvent])
async def test_the_database_dates_a_line(own: Stack, component: Component, model: type[Base]) -> None:
    database = {"api": own.api_database, "worker": own.worker_database}[component]
    backdated = insert(model).values(at=datetime.now(UTC) - timedelta(days=1), workspace_id=own.workspace_id)
    with pytest.raises(ProgrammingError, match="permission denied for table"):
        async with database.transaction() as session:
            await session.execute(backdated)


async def test_the_author_of_a_post_is_a_key_of_its_workspace_and_stays_so(own: Stack, stack: Stack) -> None:
    def written(created_by: str, created_at: datetime) -> Post:
        content, post_id = PostContent(), new_id("post")
        return new_columns(
            *(post_id, own.workspace_id, post_id, content),
            status=PostStatus.DRAFT,
            due_at=None,
            now=created_at,
            created_by=created_by,
        ).as_post()

    key, since = (await own.actor()).id, datetime.now(UTC)
    for stranger in ("key_x", (await stack.actor()).id):
        with pytest.raises(InsufficientPrivilegeError, match="the author is no API key of the workspace"):
            await create_post(own.api_database, written(stranger or "", since), None)
    backdated = written(key or "", since - timedelta(days=1))
    await create_post(own.api_database, backdated, None)
    assert (await own.read(backdated.id)).created_at >= since
    for change in ({"created_by": "key_x"}, {"created_at": since}, {"workspace_id": stack.workspace_id}):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with own.api_database.transaction() as session:
                await session.execute(update(Post).where(Post.id == backdated.id).values(change))


async def test_the_api_takes_no_step_towards_a_platform(own: Stack) -> None:
    post = await saved(own)
    for step in AttemptStep:
        attempt = Attempt(target_id=post.targets[0].id, step=step, state="done", started_at=datetime.now(UTC))
        allowed = step in {AttemptStep.RESOLVE, AttemptStep.CORRECT}
        with nullcontext() if allowed else pytest.raises(ProgrammingError, match="only a worker takes steps"):
            async with own.api_database.transaction() as session:
                session.add(attempt)


async def test_a_post_that_is_deleted_without_the_product_leaves_its_history(own: Stack) -> None:
    post = await own.publish("deleted by a statement", [own.accounts["plain"]])
    async with own.api_database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == post.id))
    async with own.database.transaction() as session:
        lines = await read_history(session, own.workspace_id, post.id, 10) or []
    assert [line.event.action for line in lines] == ["created", "published"]
    assert lines[1].event.details["platformPostId"] == post.targets[0].platform_post_id


def test_a_line_is_bounded() -> None:
    before = PostContent(
        targets=[TargetContent(platform="twitter", account_id=f"tw_{number}") for number in range(100)]
    )
    changes = changes_between(before, PostContent())
    document = AuditEntry(
        Action.CHANGED, WORKER, changes, tuple(("twitter", f"tw_{number}") for number in range(100))
    ).as_json()
    assert len(document["changes"]) == len(document["targets"]) == MOST_CHANGES
    assert document["moreChanges"] == 100 - MOST_CHANGES
    long = changes_between(PostContent(timezone="x" * 1000), PostContent(timezone="UTC"))
    assert long == (FieldChange("timezone", "x" * LONGEST_VALUE, "UTC"),)
    assert operator("x" * 1000).id == "x" * LONGEST_VALUE
