"""Steps that are run twice, abandoned or overtaken: no step sends without confirming first."""

import asyncio
import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import publish, results
from activities.commands import GiveUpCommand, GiveUpReason, TargetCommand
from activities.posts import PostActivities
from domain import decisions
from domain.post import PostStatus, TargetStatus
from platforms.base import PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from runtime.parts import WorkerParts
from store.models import Attempt, Post, Target
from store.publishing import sending
from tests.stack import Stack

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def command(post: Post) -> TargetCommand:
    (target,) = post.targets
    return TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)


async def leave_behind(stack: Stack, post: Post) -> None:
    """Write the rows that a worker leaves if it is killed between its request and the response."""
    async with stack.database.transaction() as session:
        session.add(
            Attempt(
                target_id=post.targets[0].id,
                step="publish",
                state="sending",
                started_at=datetime.now(UTC) - timedelta(seconds=5),
            )
        )
        await session.execute(
            update(Target).where(Target.id == post.targets[0].id).values(status=TargetStatus.PUBLISHING)
        )


async def attempts(stack: Stack, post: Post) -> list[tuple[str, str]]:
    async with stack.database.transaction() as session:
        query = select(Attempt).where(Attempt.target_id == post.targets[0].id).order_by(Attempt.id)
        return [(attempt.step, attempt.state) for attempt in await session.scalars(query)]


@pytest.mark.parametrize("media", [(), ("https://example.com/left.jpg",)])
async def test_abandoned_send_is_not_repeated(stack: Stack, parts: WorkerParts, media: tuple[str, ...]) -> None:
    text = f"left behind {len(media)}"
    post = await stack.save(text, [stack.accounts["twitter"]], media=media)
    await leave_behind(stack, post)
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert outcome.status is TargetStatus.UNCONFIRMED
    assert outcome.confirming
    assert await stack.public(text) == []
    assert await attempts(stack, post) == [("publish", "unconfirmed")]


async def test_concurrent_runs_send_once(stack: Stack, parts: WorkerParts) -> None:
    """Temporal may run a step again while its first run, cut off from the server, still continues."""
    post = await stack.save("twice at once", [stack.accounts["instagram"]], media=["https://example.com/twice.jpg"])
    publishing = parts.publishing()
    await asyncio.gather(
        *(ActivityEnvironment().run(publishing.publish, command(post)) for _ in range(4)), return_exceptions=True
    )
    assert len(await stack.public("twice at once")) == 1
    assert (await attempts(stack, post)).count(("publish", "done")) == 1
    assert (await stack.read(post.id)).status == PostStatus.PUBLISHED


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.REJECTED, ErrorKind.CAPPED])
@pytest.mark.parametrize("answer", ["lost", "awaited"])
async def test_refusal_of_one_run_does_not_override_another_runs_send(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch, kind: ErrorKind, answer: str
) -> None:
    text = f"sent while another was refused: {kind}, {answer}"
    post = await stack.save(text, [stack.accounts["instagram"]], media=["https://example.com/refused.jpg"])
    publishing = parts.publishing()

    async def prepare(*_: object) -> None:
        monkeypatch.undo()
        if answer == "lost":
            await stack.fault("instagram", "accept_then_drop", "publish")
            await ActivityEnvironment().run(publishing.publish, command(post))
        else:
            await leave_behind(stack, post)
        raise PlatformError(kind, "Not now.", code="not_now")

    monkeypatch.setattr(platforms()["instagram"], "prepare", prepare)
    outcome = await ActivityEnvironment().run(publishing.publish, command(post))
    assert (outcome.status, outcome.confirming) == (TargetStatus.UNCONFIRMED, True)
    assert (await stack.read(post.id)).targets[0].status == TargetStatus.UNCONFIRMED
    assert (await attempts(stack, post))[-1] == ("publish", "unconfirmed")


async def test_a_published_target_is_not_sent_again(stack: Stack, parts: WorkerParts) -> None:
    post = await stack.publish("once is enough", [stack.accounts["plain"]])
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert outcome.platform_post_id == post.targets[0].platform_post_id
    assert len(await stack.public("once is enough")) == 1


async def test_a_deleted_post_is_not_sent(stack: Stack, parts: WorkerParts) -> None:
    post = await stack.save("deleted before", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        await session.delete(await session.get_one(Post, post.id))
    assert (await ActivityEnvironment().run(parts.publishing().publish, command(post))).stale
    assert await stack.public("deleted before") == []


async def test_missing_account_holds_the_target_with_a_message(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("twitter")
    post = await stack.save("no account", [account])
    async with stack.database.transaction() as session:
        await session.delete(await session.merge(account))
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert outcome.status is TargetStatus.HELD
    (target,) = (await stack.read(post.id)).targets
    assert target.hold_reason == "account_needs_reconnecting"
    assert target.error_category == "auth"
    assert target.error == "This X account is not connected. Connect it again."


async def test_rate_limited_target_shows_its_next_attempt(stack: Stack, parts: WorkerParts) -> None:
    await stack.fault("twitter", "rate_limited", "publish", seconds=90)
    post = await stack.save("later", [stack.accounts["plain"]])
    with pytest.raises(ApplicationError) as failure:
        await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert failure.value.next_retry_delay is not None
    assert timedelta(seconds=60) < failure.value.next_retry_delay < timedelta(seconds=95)
    (target,) = (await stack.read(post.id)).targets
    assert target.status == TargetStatus.PUBLISHING
    assert target.next_attempt_at is not None
    assert (target.error_category, target.retryable) == ("rate_limited", False)
    assert target.error
    assert target.error_code


@pytest.mark.parametrize("renews", [False, True])
@pytest.mark.parametrize("refusal", [{"fault": "rate_limited", "seconds": 1}, {"fault": "token_expired"}], ids=str)
async def test_refused_target_is_looked_for_once_the_platform_would_show_it(
    stack: Stack, parts: WorkerParts, refusal: dict[str, Any], *, renews: bool
) -> None:
    renewed_by: dict[str, Any] = {"refreshToken": secrets.token_hex(8), "clientId": "app", "clientSecret": "app-s3cret"}
    account = await stack.connect("twitter", **(renewed_by if renews else {}))
    await stack.fault("twitter", operation="publish", accountId=account.id, **refusal)
    text = f"refused by {refusal}, renews: {renews}"
    post, environment = await stack.save(text, [account]), ActivityEnvironment()
    environment.info = replace(
        environment.info, scheduled_time=datetime.now(UTC), schedule_to_close_timeout=timedelta(hours=1)
    )
    outcome = await environment.run(parts.publishing().publish, command(post))
    (target,) = (await stack.read(post.id)).targets
    assert outcome.status == target.status == TargetStatus.PUBLISHING
    assert target.next_attempt_at is not None
    lag = platforms()["twitter"].read_lag
    assert lag - timedelta(seconds=5) < target.next_attempt_at - datetime.now(UTC) < lag + timedelta(seconds=5)


REPEATED = {
    "type": "about:blank",
    "title": "Forbidden",
    "status": 403,
    "detail": "You are not allowed to create a Tweet with duplicate content.",
}


@pytest.mark.parametrize("body", [None, REPEATED], ids=["content", "duplicate"])
async def test_retry_waits_until_a_list_can_show_a_refused_post_unless_its_content_was_refused(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(publish, "look_in", results.look_in)
    monkeypatch.setattr(type(platforms()["twitter"]), "read_lag", timedelta(seconds=1.5))
    account = await stack.connect("twitter")
    refusal: dict[str, Any] = {"status": 403, "body": body} if body else {}
    await stack.fault("twitter", "reject", "publish", accountId=account.id, **refusal)
    post = await stack.publish(f"refused with {body}, and retried at once", [account])
    assert post.status == PostStatus.FAILED
    await stack.retry(post)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    async with stack.database.reading() as session:
        of_target = select(Attempt).where(Attempt.target_id == post.targets[0].id).order_by(Attempt.id)
        refused, _, sent = list(await session.scalars(of_target))
    assert (refused.state, sent.state) == ("refused", "done")
    assert refused.finished_at
    waited = sent.started_at - refused.finished_at > timedelta(seconds=1.4)
    assert (waited, refused.decision) == (body is not None, "failed" if body else decisions.CONTENT_REFUSED)


@pytest.mark.parametrize(
    ("platform", "decision"),
    [("telegram", decisions.REFUSED_UNREAD), ("mastodon", decisions.MAY_BE_SENT)],
)
async def test_history_says_whether_a_refused_post_was_looked_up(stack: Stack, platform: str, decision: str) -> None:
    account = await stack.connect(platform)
    await stack.fault(platform, "reject", "publish", accountId=account.id, status=400)
    post = await stack.publish("refused, and looked up if that can be", [account])
    await stack.retry(post)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    async with stack.database.reading() as session:
        of_target = select(Attempt.decision).where(Attempt.target_id == post.targets[0].id, Attempt.step == "confirm")
        assert list(await session.scalars(of_target)) == [decision]


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [
        ({}, 44),
        ({"next_attempt_at": NOW + timedelta(seconds=9)}, 9),
        ({"next_attempt_at": NOW + timedelta(hours=1)}, 44),
        ({"http_status": None}, 0),
        ({"state": "unconfirmed"}, 0),
        ({"decision": decisions.CONTENT_REFUSED}, 0),
        ({"finished_at": None}, 0),
    ],
    ids=str,
)
def test_only_an_answer_that_refused_a_post_makes_its_retry_wait(attempt: dict[str, Any], seconds: int) -> None:
    refused = Attempt(**{"state": "refused", "http_status": 400, "finished_at": NOW - timedelta(seconds=1), **attempt})
    assert results.look_in(refused, platforms()["twitter"], NOW) == timedelta(seconds=seconds)
    assert results.look_in(refused, platforms()["telegram"], NOW) <= timedelta(0)


async def test_refused_target_is_not_tried_again_before_its_platform_would_show_it(
    stack: Stack, parts: WorkerParts
) -> None:
    account = await stack.connect("twitter")
    await stack.fault("twitter", "rate_limited", "publish", accountId=account.id, seconds=1)
    post, environment = await stack.save("refused near its end", [account]), ActivityEnvironment()
    environment.info = replace(
        environment.info, scheduled_time=datetime.now(UTC), schedule_to_close_timeout=timedelta(seconds=20)
    )
    with pytest.raises(ApplicationError) as failure:
        await environment.run(parts.publishing().publish, command(post))
    # Temporal ends the step, because its time is over before that.
    assert failure.value.next_retry_delay == platforms()["twitter"].read_lag


async def test_retry_whose_time_ends_before_its_platform_would_show_it_is_not_sent(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "look_in", results.look_in)
    monkeypatch.setattr(type(platforms()["twitter"]), "read_lag", timedelta(minutes=5))
    account = await stack.connect("twitter")
    await stack.fault("twitter", "reject", "publish", accountId=account.id, status=403, body=REPEATED)
    post = await stack.publish("refused, then retried too early", [account])
    assert post.status == PostStatus.FAILED
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(publish_within=60))
    await stack.retry(post)
    failed = await stack.settled(post.id)
    assert failed.targets[0].error_code == "publish_window_passed"
    assert re.match(
        r"X has refused it lately\. It can be sent again at 2[-0-9T:.]+Z, once X would show",
        failed.targets[0].error or "",
    )
    assert await stack.public("refused, then retried too early") == []


async def test_expired_open_send_is_not_failed(stack: Stack, parts: WorkerParts) -> None:
    post = await stack.save("given up", [stack.accounts["twitter"]])
    await leave_behind(stack, post)
    given_up = GiveUpCommand(**command(post).model_dump(), code=GiveUpReason.WINDOW_PASSED)
    outcome = await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, given_up)
    assert outcome.status is TargetStatus.UNCONFIRMED
    rested = await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, given_up)
    assert not rested.confirming
    assert (await stack.read(post.id)).status == PostStatus.PARTIAL


async def test_a_post_that_gets_another_time_meanwhile_is_not_failed(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await stack.save("moved while given up", [stack.accounts["twitter"]], due_in=timedelta(seconds=1))
    settle, later = sending.settle, datetime.now(UTC) + timedelta(hours=1)

    async def settle_after_a_change(*arguments: Any, **named: Any) -> Any:
        if (await stack.read(post.id)).version == 1:
            await stack.write_change(post, due=later)
        return await settle(*arguments, **named)

    monkeypatch.setattr("activities.posts.settle", settle_after_a_change)
    given_up = GiveUpCommand(**command(post).model_dump(), code=GiveUpReason.WINDOW_PASSED)
    outcome = await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, given_up)
    assert outcome.stale
    moved = await stack.read(post.id)
    assert (moved.status, moved.due_at, moved.targets[0].status) == (PostStatus.SCHEDULED, later, TargetStatus.PENDING)


async def test_failures_in_temporal_contain_no_content(stack: Stack, parts: WorkerParts) -> None:
    secret = "a sentence that must stay in the database"
    await stack.fault(
        "twitter", "reject", "publish", status=400, body={"type": "about:blank", "detail": secret, "title": "Forbidden"}
    )
    post = await stack.save(secret, [stack.accounts["plain"]])
    with pytest.raises(ApplicationError) as failure:
        await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert secret not in f"{failure.value} {failure.value.details}"


async def test_unsaved_handles_after_the_send_make_it_unconfirmed(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await stack.save("overtaken while sending", [stack.accounts["twitter"]])

    async def publish(_: object, context: PublishContext[Any]) -> Published:
        async with stack.database.transaction() as session:
            overtaken = update(Target).where(Target.id == post.targets[0].id).values(handles={"version": 99})
            await session.execute(overtaken)
        await context.save(context.handles)
        return Published("1", None)

    monkeypatch.setattr(platforms()["twitter"], "publish", publish)
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert (outcome.status, outcome.error_code) == (TargetStatus.UNCONFIRMED, "overtaken")


def at_its_end(rest: timedelta) -> ActivityEnvironment:
    """Return the environment of a step that was retried until only this much of its time is left."""
    environment, whole = ActivityEnvironment(), timedelta(hours=2)
    began = datetime.now(UTC) - whole + rest
    environment.info = replace(environment.info, scheduled_time=began, schedule_to_close_timeout=whole)
    return environment


async def test_expired_follow_up_is_reported(stack: Stack, parts: WorkerParts) -> None:
    await stack.fault("instagram", "reject", "confirm", status=503, times=3)
    picture = ("https://example.com/given-up.jpg",)
    post = await stack.save("given up", [stack.accounts["instagram"]], media=picture)
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert (outcome.status, outcome.incomplete) == (TargetStatus.PUBLISHED, True)
    with pytest.raises(ApplicationError):
        await at_its_end(timedelta(minutes=30)).run(parts.completing().complete, command(post))
    assert (await stack.read(post.id)).targets[0].warning is None
    outcome = await at_its_end(timedelta(milliseconds=100)).run(parts.completing().complete, command(post))
    (target,) = (await stack.read(post.id)).targets
    assert (target.status, outcome.incomplete) == (TargetStatus.PUBLISHED, False)
    assert (target.warning or "").startswith("What follows the post was given up.")


async def test_follow_up_that_waits_says_until_when(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platforms.steps.thread.FIRST_WAIT", timedelta(minutes=5))
    await stack.fault("twitter", "accept_then_delay", "publish", seconds=0)
    await stack.fault("twitter", "drop", "publish")
    items = {"threadItems": [{"content": "waits, the second"}]}
    post = await stack.save("waits, the first", [stack.accounts["twitter"]], settings=items)
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert (outcome.status, outcome.incomplete) == (TargetStatus.PUBLISHED, True)
    # A post that resembles the thread's second one leaves open whether that is public.
    await stack.publish("waits, the second one", [stack.accounts["twitter"]])
    with pytest.raises(ApplicationError):
        await at_its_end(timedelta(minutes=30)).run(parts.completing().complete, command(post))
    (target,) = (await stack.read(post.id)).targets
    assert re.fullmatch(
        r"What follows the post is not complete yet; it is tried again at \S+ \d\d:\d\dZ\. .* post 2 of the thread .*",
        target.warning or "",
    )
    given_up = GiveUpCommand(**command(post).model_dump(), code=GiveUpReason.INCOMPLETE)
    await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, given_up)
    assert "could not be added in time" in ((await stack.read(post.id)).targets[0].warning or "")
