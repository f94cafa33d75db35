"""A worker that was frozen before its request was sent does not send if another worker has taken over the step."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.commands import EditCommand, TargetCommand
from activities.heartbeat import Fence
from domain.content import EditedText
from domain.loop_share import Stopwatch
from domain.ownership import FENCE, last_moment
from domain.plan import Outcome
from domain.post import TargetStatus
from platforms.capabilities import Editable
from platforms.errors import ErrorKind, PlatformError
from platforms.http.transport import Transport
from platforms.http.wire import Wire
from platforms.registry import platforms
from runtime.parts import WorkerParts
from store.models import Account, Attempt, Post, Revision
from store.posts.queries import add_revision
from tests.stack import CLIENT, Stack

LONG_AGO = (FENCE + timedelta(seconds=1)).total_seconds()


def frozen(monkeypatch: pytest.MonkeyPatch, clock: str, of: str = "activities.publish.Stopwatch") -> None:
    """Make a clock show that the step was frozen after it began to write its attempt."""

    def stopwatch() -> Stopwatch:
        watch = Stopwatch()
        name = f"_{clock}"
        setattr(watch, name, getattr(watch, name) - LONG_AGO)
        return watch

    monkeypatch.setattr(of, stopwatch)


async def publish(parts: WorkerParts, post: Post) -> Outcome:
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    return await ActivityEnvironment().run(parts.publishing().publish, command)


@pytest.mark.parametrize("clock", ["wall", "monotonic"])
async def test_attempt_closed_by_another_worker_is_not_sent(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    text = f"frozen by its {clock} clock"
    post = await stack.save(text, [stack.accounts["plain"]])
    frozen(monkeypatch, clock)
    send, others = platforms()["twitter"].publish, list[Outcome]()

    async def thaws(*args: Any) -> Any:
        # Another run of the step finds an attempt whose worker does not respond.
        others.append(await publish(parts, post))
        return await send(*args)

    monkeypatch.setattr(platforms()["twitter"], "publish", thaws)
    mine = await publish(parts, post)
    assert [(outcome.status, outcome.confirming) for outcome in (*others, mine)] == [
        (TargetStatus.UNCONFIRMED, True)
    ] * 2
    assert await stack.public(text) == []
    async with stack.database.transaction() as session:
        attempts = await session.scalars(select(Attempt).where(Attempt.target_id == post.targets[0].id))
        assert [(attempt.step, attempt.state, attempt.code) for attempt in attempts] == [
            ("publish", "unconfirmed", "worker_lost")
        ]


async def test_own_open_attempt_is_sent_however_late(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await stack.save("late, and still its own", [stack.accounts["plain"]])
    frozen(monkeypatch, "wall")
    assert (await publish(parts, post)).status is TargetStatus.PUBLISHED
    assert len(await stack.public("late, and still its own")) == 1


async def edit(parts: WorkerParts, stack: Stack, post: Post) -> Outcome | None:
    """Run the one edit of a post once more."""
    (target,) = post.targets
    async with stack.database.transaction() as session:
        revision_id = await session.scalar(select(Revision.id).where(Revision.post_id == post.id))
        if revision_id is None:
            text = EditedText(content=f"{post.content}!", target_ids=[target.id])
            revision_id = await add_revision(session, post, text, CLIENT, datetime.now(UTC))
    command = EditCommand(
        post_id=post.id,
        version=post.version,
        target_id=target.id,
        platform=target.platform,
        revision_id=revision_id,
    )
    return await ActivityEnvironment().run(parts.editing().edit, command)


async def list_edits(stack: Stack, account: Account) -> list[dict[str, Any]]:
    requests = (await stack.control("GET", "requests"))["requests"]
    return [request for request in requests if request["accountId"] == account.id and request["operation"] == "edit"]


async def test_edit_closed_by_another_worker_is_not_sent(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await stack.connect("twitter", premium=True)
    post = await stack.publish("to be edited by a frozen worker", [account])
    frozen(monkeypatch, "monotonic", "activities.complete.Stopwatch")
    platform = platforms()["twitter"]
    assert isinstance(platform, Editable)
    send = platform.edit

    async def thaws(*args: Any) -> Any:
        with pytest.raises(ApplicationError, match="edit_unconfirmed"):
            await edit(parts, stack, post)
        return await send(*args)

    monkeypatch.setattr(platform, "edit", thaws)
    with pytest.raises(ApplicationError, match="overtaken"):
        await edit(parts, stack, post)
    assert await list_edits(stack, account) == []
    async with stack.database.transaction() as session:
        (attempt,) = await session.scalars(
            select(Attempt).where(Attempt.target_id == post.targets[0].id, Attempt.step == "edit")
        )
        assert (attempt.state, attempt.code) == ("unconfirmed", "worker_lost")


async def test_unconfirmed_edit_is_not_sent_again_after_failed_confirmation(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("twitter", premium=True)
    post = await stack.publish("to be edited once", [account])
    await stack.fault("twitter", "accept_then_drop", "edit", accountId=account.id)
    with pytest.raises(ApplicationError, match="unconfirmed"):
        await edit(parts, stack, post)
    await stack.fault("twitter", "reject", "confirm", status=503, accountId=account.id)
    with pytest.raises(ApplicationError, match="service_unavailable"):
        await edit(parts, stack, post)
    async with stack.database.transaction() as session:
        query = select(Attempt.state).where(Attempt.target_id == post.targets[0].id, Attempt.step == "edit")
        assert list(await session.scalars(query)) == ["unconfirmed"]
    assert await edit(parts, stack, post)
    assert len(await list_edits(stack, account)) == 1


async def test_edit_that_was_not_made_is_sent_by_a_new_attempt(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms()["twitter"], "read_lag", timedelta(0))
    account = await stack.connect("twitter", premium=True)
    post = await stack.publish("to be edited after all", [account])
    await stack.fault("twitter", "drop", "edit", accountId=account.id)
    with pytest.raises(ApplicationError):
        await edit(parts, stack, post)
    assert await edit(parts, stack, post)
    async with stack.database.transaction() as session:
        query = select(Attempt.state).where(Attempt.target_id == post.targets[0].id, Attempt.step == "edit")
        assert list(await session.scalars(query.order_by(Attempt.id))) == ["refused", "done"]


async def test_nothing_is_sent_while_the_database_is_unavailable(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise OSError("away")

    monkeypatch.setattr("activities.heartbeat.extend_send", away)
    watch = Stopwatch(_wall=0)
    with pytest.raises(PlatformError) as caught:
        await Fence(stack.worker_database.answers, 1, watch)()
    assert caught.value.kind is ErrorKind.TRANSIENT


async def test_prompt_send_does_not_query_the_database(stack: Stack) -> None:
    await Fence(stack.worker_database.answers, -1, Stopwatch())()


@pytest.mark.parametrize("public", [True, False])
async def test_fence_is_checked_after_connecting_and_before_the_first_byte(stack: Stack, *, public: bool) -> None:
    moments: list[str] = []

    async def fence() -> None:
        moments.append("fence")
        raise PlatformError(ErrorKind.TRANSIENT, "Held up.", code="held_up")

    def read_error(_: object) -> PlatformError:
        return PlatformError(ErrorKind.REJECTED, "No.", code="no")

    async with Transport() as transport:
        wire = Wire(transport, stack.sandbox_url, "Network", read_error, fence=fence)
        for _ in range(2):
            with pytest.raises(PlatformError) as caught:
                await wire.send("POST", "/nowhere", public=public, json={})
            assert caught.value.code == ("held_up" if public else "no")
        away = Wire(transport, "http://127.0.0.1:1", "Network", read_error, fence=fence)
        with pytest.raises(PlatformError) as caught:
            await away.send("POST", "/nowhere", public=public, json={})
        assert caught.value.code == "unreachable", "without a connection there is nothing to hold back"
    assert moments == (["fence"] * 2 if public else [])


async def test_absence_counts_from_the_latest_possible_send(stack: Stack) -> None:
    began = stack.began_at
    ended = began + timedelta(seconds=30)
    assert last_moment(began, ended, worker_lost=False) == ended
    assert last_moment(began, ended, worker_lost=True) == ended + FENCE
    assert last_moment(began, None, worker_lost=False) == began + FENCE
