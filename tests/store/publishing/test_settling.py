"""One statement writes the result of a send into target, attempt and post."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from domain import transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState
from domain.plan import STALE, Outcome
from domain.post import ErrorCategory, PostStatus, TargetStatus
from domain.transitions import AnswerTo, BeforeSend, ConfirmationOf, TargetTransition, WriteResult
from store.database import Database
from store.models import Attempt, Post, Target
from store.posts.changes import lock_post
from store.publishing.sending import Settled, settle
from store.publishing.targets import close_attempt, refresh_post
from tests.store.publishing.sends import ROUNDS, announcements, attempts, begin, put, read, save

NOTE = AttemptResult(AttemptState.DONE, "published", http_status=200, request_id="r1")


REFUSED = AttemptResult(AttemptState.REFUSED, "failed", http_status=400, code="no")


def public(platform_post_id: str = "id on the platform") -> TargetTransition:
    return transitions.published(datetime.now(UTC), platform_post_id, "https://example.com/1", None, None)


async def land(database: Database, target: Target, attempt: Attempt) -> Settled:
    return await settle(database, target.id, AnswerTo(attempt.id), public(f"post of {target.id}"), NOTE)


async def refuse(database: Database, target: Target, attempt: Attempt) -> Settled:
    change = transitions.failed("No.", "no", ErrorCategory.REJECTED)
    return await settle(database, target.id, AnswerTo(attempt.id), change, REFUSED)


class TestSettle:
    async def test_writes_target_attempt_and_post(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, targets=1)
        target = post.targets[0]
        attempt = await begin(database, target)
        await put(database, target, error="before", error_code="x", error_category="platform", retryable=True)
        until, now = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC)
        change = transitions.published(now, "7", "https://example.com/7", until, "no comment")
        async with announcements(database) as heard:
            settled = await settle(database, target.id, AnswerTo(attempt.id), change, NOTE)
        stored = await read(database, post)
        row = stored.targets[0]
        assert settled == Settled(
            WriteResult.MADE,
            Outcome(
                status=TargetStatus.PUBLISHED,
                platform_post_id="7",
                platform_post_url="https://example.com/7",
                editable_until=until,
            ),
        )
        assert (row.status, row.platform_post_id, row.platform_post_url) == ("published", "7", "https://example.com/7")
        assert (row.editable_until, row.warning, row.published_at) == (until, "no comment", now)
        assert (row.error, row.error_code, row.error_category, row.retryable) == (None, None, None, None)
        assert (stored.status, stored.published_at) == (PostStatus.PUBLISHED, now)
        (line,) = await attempts(database, target)
        assert (line.state, line.decision, line.http_status, line.request_id) == ("done", "published", 200, "r1")
        assert line.finished_at == stored.updated_at
        assert heard == [post.id]

    @pytest.mark.parametrize("status", TargetStatus)
    async def test_published_overrides_all_but_an_earlier_publication(
        self, database: Database, workspace: str, status: TargetStatus
    ) -> None:
        post = await save(database, workspace, targets=1)
        attempt = await begin(database, post.targets[0])
        await put(database, post.targets[0], status=status, platform_post_id="first")
        async with database.transaction() as session:
            lost = AttemptResult(AttemptState.UNCONFIRMED, "lost", code=WORKER_LOST)
            await close_attempt(session, attempt.id, lost)
        settled = await land(database, post.targets[0], attempt)
        (row,) = (await read(database, post)).targets
        is_first = status is TargetStatus.PUBLISHED
        assert settled.write is (WriteResult.WRONG_STATUS if is_first else WriteResult.MADE)
        assert (row.status, row.platform_post_id) == ("published", "first" if is_first else f"post of {row.id}")
        assert (await attempts(database, post.targets[0]))[0].state == AttemptState.DONE

    async def test_a_refusal_of_a_send_that_was_given_up_changes_nothing(
        self, database: Database, workspace: str
    ) -> None:
        post = await save(database, workspace, targets=1)
        attempt = await begin(database, post.targets[0])
        unconfirmed = transitions.unconfirmed(WORKER_LOST, "Lost.")
        lost = AttemptResult(AttemptState.UNCONFIRMED, "lost", code=WORKER_LOST)
        assert (
            await settle(database, post.targets[0].id, AnswerTo(attempt.id), unconfirmed, lost)
        ).write is WriteResult.MADE
        refused = await refuse(database, post.targets[0], attempt)
        assert (refused.write, refused.outcome.status, refused.outcome.confirming) == (
            WriteResult.OVERTAKEN,
            TargetStatus.UNCONFIRMED,
            True,
        )
        (line,) = await attempts(database, post.targets[0])
        assert (line.state, line.code) == (AttemptState.UNCONFIRMED, WORKER_LOST)

    @pytest.mark.parametrize(
        ("version", "due", "write"),
        [
            (1, timedelta(0), WriteResult.MADE),
            (None, timedelta(0), WriteResult.MADE),
            (2, timedelta(0), WriteResult.SUPERSEDED),
            (1, timedelta(minutes=1), WriteResult.EARLY),
        ],
    )
    async def test_step_without_send_counts_only_for_its_version(
        self, database: Database, workspace: str, version: int | None, due: timedelta, write: WriteResult
    ) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        target = post.targets[0]
        async with database.transaction() as session:
            at = datetime.now(UTC) + due
            await session.execute(update(Post).where(Post.id == post.id).values(due_at=at))
        change = transitions.failed("No.", "no", ErrorCategory.REJECTED)
        settled = await settle(database, target.id, BeforeSend(version), change, REFUSED)
        assert settled.write is write
        lines = [(attempt.step, attempt.state, attempt.code) for attempt in await attempts(database, target)]
        assert lines == ([("prepare", "refused", "no")] if write is WriteResult.MADE else [])
        begun_at = (await read(database, post)).targets[0].begun_at
        assert (begun_at is not None) is (write is WriteResult.MADE)

    async def test_step_without_send_does_not_override_an_open_send(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        await begin(database, target)
        waiting = transitions.waiting(datetime.now(UTC))
        assert (await settle(database, target.id, BeforeSend(1), waiting)).write is WriteResult.SENDING

    async def test_early_warning_leaves_a_post_scheduled(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        warned = transitions.warned("Too large.")
        settled = await settle(database, post.targets[0].id, BeforeSend(1, due=False), warned, REFUSED)
        stored = await read(database, post)
        assert (settled.write, stored.status) == (WriteResult.MADE, PostStatus.SCHEDULED)
        assert (stored.targets[0].warning, stored.targets[0].begun_at) == ("Too large.", None)

    @pytest.mark.parametrize("again", [False, True])
    async def test_a_confirmation_counts_for_the_last_send(
        self, database: Database, workspace: str, again: bool
    ) -> None:
        target = (await save(database, workspace)).targets[0]
        sent = await begin(database, target)
        unconfirmed = transitions.unconfirmed("lost", "Lost.")
        note = AttemptResult(AttemptState.UNCONFIRMED, "confirming")
        await settle(database, target.id, AnswerTo(sent.id), unconfirmed, note)
        if again:
            await put(database, target, status=TargetStatus.PENDING)
            later = await begin(database, target)
            await settle(database, target.id, AnswerTo(later.id), unconfirmed, note)
        began = datetime.now(UTC) - timedelta(seconds=2)
        change = transitions.pending(datetime.now(UTC))
        settled = await settle(database, target.id, ConfirmationOf(sent.id, began), change, NOTE)
        assert settled.write is (WriteResult.OVERTAKEN if again else WriteResult.MADE)
        assert settled.outcome.status is (TargetStatus.UNCONFIRMED if again else TargetStatus.PENDING)
        line = (await attempts(database, target))[-1]
        assert (line.step, line.state, line.started_at) == ("confirm", "done", began)
        assert (await settle(database, target.id, ConfirmationOf(sent.id, began), None)).write is not WriteResult.MADE

    async def test_a_deleted_target_is_not_settled(self, database: Database) -> None:
        assert await settle(database, "tgt_none", AnswerTo(1), public(), NOTE) == Settled(WriteResult.GONE, STALE)

    async def test_published_at_is_the_first_publication(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        for target in post.targets:
            await land(database, target, await begin(database, target))
        stored = await read(database, post)
        assert stored.published_at == stored.targets[0].published_at

    @pytest.mark.parametrize("end", [TargetStatus.PUBLISHED, TargetStatus.FAILED])
    async def test_a_target_that_settles_while_it_waits_for_the_post_is_seen(
        self, database: Database, workspace: str, end: TargetStatus
    ) -> None:
        post = await save(database, workspace)
        mine, _ = [await begin(database, target) for target in post.targets]
        async with announcements(database) as heard:
            async with database.transaction() as session:
                other = await lock_post(session, post.id)
                assert other is not None
                other.targets[1].status = end
                await refresh_post(session, other)
                landing = asyncio.create_task(land(database, post.targets[0], mine))
                await asyncio.sleep(0.1)
                assert not landing.done()
            await landing
        stored = await read(database, post)
        assert stored.status == (PostStatus.PUBLISHED if end is TargetStatus.PUBLISHED else PostStatus.PARTIAL)
        assert [target.status for target in stored.targets] == [TargetStatus.PUBLISHED, end]
        assert heard == [post.id]

    async def test_of_equal_answers_of_one_moment_only_one_is_written(self, database: Database, workspace: str) -> None:
        for number in range(ROUNDS):
            targets = [(await save(database, workspace, targets=1)).targets[0] for _ in range(3)]
            begun = [await begin(database, target) for target in targets]
            answers = [
                settle(database, target.id, AnswerTo(attempt.id), public(f"one post, {number}"), NOTE)
                for target, attempt in zip(targets, begun, strict=True)
            ]
            settled = await asyncio.gather(*answers)
            assert sorted(one.write for one in settled) == [WriteResult.CLAIMED, WriteResult.CLAIMED, WriteResult.MADE]
            assert [one.outcome.platform_post_id is not None for one in settled].count(True) == 1

    @pytest.mark.parametrize("one_fails", [False, True])
    async def test_targets_that_settle_at_the_same_moment_see_each_other(
        self, database: Database, workspace: str, one_fails: bool
    ) -> None:
        posts = [await save(database, workspace, targets=3) for _ in range(ROUNDS)]
        async with announcements(database) as heard:
            for post in posts:
                begun = [await begin(database, target) for target in post.targets]
                ways = [land, refuse if one_fails else land, land]
                pairs = zip(post.targets, begun, strict=True)
                await asyncio.gather(*(ways[at](database, *pair) for at, pair in enumerate(pairs)))
        expected = PostStatus.PARTIAL if one_fails else PostStatus.PUBLISHED
        for post in posts:
            stored = await read(database, post)
            assert stored.status == expected
            assert stored.published_at == min(target.published_at for target in stored.targets if target.published_at)
            states = [line.state for target in post.targets for line in await attempts(database, target)]
            assert states == ["done", "refused" if one_fails else "done", "done"]
        assert sorted(heard) == sorted(post.id for post in posts)
