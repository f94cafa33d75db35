"""A post that a platform does not show is sent again only once the platform cannot publish it any more."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from temporalio.testing import ActivityEnvironment

from activities.commands import ConfirmCommand, TargetCommand
from activities.results import LONGEST_BEFORE_RESEND
from domain.attempts import WORKER_LOST
from domain.post import TargetStatus
from platforms.http.answers import MOST_VALUES
from platforms.http.timeouts import LONGEST_ANSWER_S
from platforms.http.wire import TIMED_OUT
from runtime.parts import WorkerParts
from store.models import Account, Attempt, Post, Target
from tests.stack import Stack

MINUTE = timedelta(minutes=1)
LONG = timedelta(seconds=LONGEST_ANSWER_S) + MINUTE
DROPPED: dict[str, object] = {"fault": "drop"}
FAILED = {"fault": "reject", "status": 500}


async def dropped(stack: Stack, parts: WorkerParts, text: str, *, files: bool, how: dict[str, object]) -> Post:
    await stack.fault("discord", operation="publish", **how)  # type: ignore[arg-type]
    media = [f"{stack.sandbox_url}/_/media/a.jpg"] if files else []
    post = await stack.save(text, [await stack.connect("discord")], media=media)
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    assert (await ActivityEnvironment().run(parts.publishing().publish, command)).status is TargetStatus.UNCONFIRMED
    return await stack.read(post.id)


@pytest.mark.parametrize(
    ("files", "how", "code", "ago", "status"),
    [
        (False, DROPPED, None, MINUTE, TargetStatus.PENDING),
        (True, DROPPED, None, MINUTE, TargetStatus.UNCONFIRMED),
        (True, DROPPED, None, LONG, TargetStatus.PENDING),
        (True, DROPPED, WORKER_LOST, MINUTE, TargetStatus.UNCONFIRMED),
        (True, DROPPED, WORKER_LOST, LONG, TargetStatus.PENDING),
        (True, DROPPED, TIMED_OUT, MINUTE, TargetStatus.PENDING),
        (True, FAILED, None, MINUTE, TargetStatus.PENDING),
    ],
    ids=["text", "file", "file, later", "worker lost", "worker lost, later", "waited for", "answered"],
)
async def test_absence_counts_later_after_a_request_with_files(
    stack: Stack,
    parts: WorkerParts,
    request: pytest.FixtureRequest,
    *,
    files: bool,
    how: dict[str, object],
    code: str | None,
    ago: timedelta,
    status: TargetStatus,
) -> None:
    post = await dropped(stack, parts, f"absent: {request.node.callspec.id}", files=files, how=how)
    (target,) = post.targets
    async with stack.database.transaction() as session:
        (sent,) = await session.scalars(
            select(Attempt).where(Attempt.target_id == target.id, Attempt.step == "publish")
        )
        then = datetime.now(UTC) - ago
        values = {"started_at": then, "finished_at": then, **({"code": code} if code else {})}
        await session.execute(update(Attempt).where(Attempt.id == sent.id).values(values))
    command = ConfirmCommand(
        post_id=post.id, version=post.version, target_id=target.id, platform=target.platform, again_in=MINUTE
    )
    assert (await ActivityEnvironment().run(parts.confirming().confirm, command)).status is status


@pytest.mark.parametrize(("ago", "confirming"), [(MINUTE, True), (LONGEST_BEFORE_RESEND, False)])
@pytest.mark.parametrize("shown", [{"content": "short"}, {}], ids=["the rest is not read", "nothing is read"])
async def test_person_is_asked_if_a_list_is_too_large_to_be_read(
    stack: Stack, parts: WorkerParts, shown: dict[str, str], ago: timedelta, *, confirming: bool
) -> None:
    post = await dropped(stack, parts, f"far down a list: {shown}, {ago}", files=False, how=DROPPED)
    (target,) = post.targets
    too_large = {"id": "1", "values": [0] * MOST_VALUES}
    messages = [{"id": "2", **shown}, too_large] if shown else [too_large]
    for body in ({"id": "7"}, *([messages] * 5)):
        await stack.fault("discord", "reject", "confirm", status=200, body=body)
    async with stack.database.transaction() as session:
        then = datetime.now(UTC) - ago
        changed = update(Attempt).where(Attempt.target_id == target.id).values(started_at=then, finished_at=then)
        await session.execute(changed)
    command = ConfirmCommand(
        post_id=post.id, version=post.version, target_id=target.id, platform=target.platform, again_in=MINUTE
    )
    outcome = await ActivityEnvironment().run(parts.confirming().confirm, command)
    assert (outcome.status, outcome.confirming) == (TargetStatus.UNCONFIRMED, confirming)
    (target,) = (await stack.read(post.id)).targets
    assert (target.error_code == "answer_too_large") is not confirming
    if not confirming:
        assert target.error == (
            "Discord lists more posts than are read of its response, and this one is not among those. "
            "Look at the account."
        )


@pytest.mark.parametrize("retried", [False, True])
async def test_post_that_cannot_be_looked_up_is_not_called_absent(
    stack: Stack, parts: WorkerParts, *, retried: bool
) -> None:
    """LinkedIn shows no posts of a member, and refuses a repeat by naming the first: so the repeat is safe."""
    await stack.fault("linkedin", "drop", "publish")
    post = await stack.save(f"a member's post, {retried}", [await stack.connect("linkedin")])
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    assert (await ActivityEnvironment().run(parts.publishing().publish, command)).status is TargetStatus.UNCONFIRMED
    async with stack.database.transaction() as session:
        then = datetime.now(UTC) - MINUTE
        values = {"started_at": then, "finished_at": then}
        await session.execute(update(Attempt).where(Attempt.target_id == target.id).values(values))
        if retried:
            await session.execute(update(Target).where(Target.id == target.id).values(status=TargetStatus.PENDING))
    if retried:
        outcome = await ActivityEnvironment().run(parts.publishing().publish, command)
    else:
        confirm = ConfirmCommand(**command.model_dump(), again_in=MINUTE)
        outcome = await ActivityEnvironment().run(parts.confirming().confirm, confirm)
    assert outcome.status is (TargetStatus.PUBLISHED if retried else TargetStatus.PENDING)
    async with stack.database.transaction() as session:
        looked_up = select(Attempt.decision).where(Attempt.target_id == target.id, Attempt.step == "confirm")
        assert list(await session.scalars(looked_up)) == [
            "it cannot be looked up; it may be sent, because the platform refuses a repeat"
            if retried
            else "it cannot be looked up; it is sent again, because the platform refuses a repeat"
        ]


@pytest.mark.parametrize("known", [False, True])
async def test_account_is_held_if_its_platform_refuses_to_confirm(
    stack: Stack, parts: WorkerParts, *, known: bool
) -> None:
    """One post's error is no proof: the platform must also not know the account when it is asked whose the token is."""
    account = await stack.connect("twitter")
    await stack.fault("twitter", "drop", "publish")
    post = await stack.save(f"not confirmed, {known}", [account])
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    assert (await ActivityEnvironment().run(parts.publishing().publish, command)).status is TargetStatus.UNCONFIRMED
    for operation in ("confirm",) if known else ("confirm", "auth"):
        await stack.fault("twitter", "token_expired", operation)
    confirm = ConfirmCommand(**command.model_dump(), again_in=MINUTE)
    outcome = await ActivityEnvironment().run(parts.confirming().confirm, confirm)
    assert (outcome.status, outcome.confirming) == (TargetStatus.UNCONFIRMED, True)
    async with stack.database.transaction() as session:
        refusals = select(Account.refused_at).where(Account.id == account.id)
        assert ((await session.scalars(refusals)).one() is None) is known
