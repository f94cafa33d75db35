"""Begun and settled by one statement each, whatever happens at the same moment."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from domain import transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState, AttemptStep
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.outcome import STALE, Outcome
from domain.ownership import TOLERANCE, RowState, SendDecision, judge_send
from domain.post import ErrorCategory, PostStatus, TargetState, TargetStatus, post_status
from domain.transitions import AnswerTo, BeforeSend, ConfirmationOf, TargetTransition, WriteResult
from store.accounts import save_account
from store.contents import new_post
from store.creating import create_post
from store.database import Database
from store.models import Account, Attempt, Post, Target
from store.outcomes import CHANNEL
from store.post_changes import lock_post
from store.posts import find_post
from store.publishing import close_attempt, finished_step, load, refresh_post
from store.sending import Settled, begin_send, open_target, save_handles, settle
from store.vault import Vault, new_key
from store.workspaces import create_workspace
from tests.stack import new_database

NOTE = AttemptResult(AttemptState.DONE, "published", http_status=200, request_id="r1")
REFUSED = AttemptResult(AttemptState.REFUSED, "failed", http_status=400, code="no")
ROUNDS = 60


def public(platform_post_id: str = "id on the network") -> TargetTransition:
    return transitions.published(datetime.now(UTC), platform_post_id, "https://example.com/1", None, None)


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def workspace(database: Database) -> str:
    async with database.transaction() as session:
        return await create_workspace(session, new_id("w"))


async def save(
    database: Database, workspace: str, targets: int = 2, status: PostStatus = PostStatus.PUBLISHING
) -> Post:
    content = PostContent(
        content="text", targets=[TargetContent(platform="twitter", account_id=f"tw_{n}") for n in range(targets)]
    )
    now = datetime.now(UTC)
    post = new_post(post_id := new_id("post"), workspace, post_id, content, status=status, due_at=now, now=now)
    await create_post(database, post)
    return await read(database, post)


async def read(database: Database, post: Post) -> Post:
    async with database.transaction() as session:
        found = await find_post(session, post.workspace_id, post.id)
    assert found is not None
    return found


async def attempts(database: Database, target: Target) -> list[Attempt]:
    async with database.transaction() as session:
        query = select(Attempt).where(Attempt.target_id == target.id).order_by(Attempt.id)
        return list(await session.scalars(query))


async def put(database: Database, target: Target, **values: object) -> None:
    async with database.transaction() as session:
        await session.execute(update(Target).where(Target.id == target.id).values(**values))


async def begin(
    database: Database,
    target: Target,
    prepared: Attempt | None = None,
    handles: tuple[int, dict[str, object] | None] = (0, None),
) -> Attempt:
    attempt = await begin_send(database, target.id, 1, prepared, *handles)
    assert isinstance(attempt, Attempt)
    return attempt


async def connect(session: AsyncSession, workspace: str, account_id: str) -> None:
    await save_account(
        session,
        Vault([SecretStr(new_key())]),
        workspace_id=workspace,
        account_id=account_id,
        platform="twitter",
        user_id="7",
        username="é",
        premium=True,
        credentials={"accessToken": "x"},
        limits={"characters": 500},
    )


async def land(database: Database, target: Target, attempt: Attempt) -> Settled:
    return await settle(database, target.id, AnswerTo(attempt.id), public(), NOTE)


async def refuse(database: Database, target: Target, attempt: Attempt) -> Settled:
    change = transitions.failed("No.", "no", ErrorCategory.REJECTED)
    return await settle(database, target.id, AnswerTo(attempt.id), change, REFUSED)


@asynccontextmanager
async def announcements(database: Database) -> AsyncIterator[list[str]]:
    """Collect the ids of the posts that were announced during the block."""
    heard: list[str] = []
    ended = asyncio.Event()

    def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        ended.set() if payload == "end" else heard.append(str(payload))

    url = make_url(database.engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    await connection.add_listener(CHANNEL, hear)
    try:
        yield heard
        # Notifications come in the order of the commits: after this one, all are there.
        await connection.execute(f"NOTIFY {CHANNEL}, 'end'")
        await asyncio.wait_for(ended.wait(), 5)
    finally:
        await connection.close()


class TestOpen:
    @pytest.mark.parametrize("connected", [True, False])
    async def test_reads_what_a_session_reads(self, database: Database, workspace: str, connected: bool) -> None:
        target = (await save(database, workspace)).targets[0]
        await put(database, target, handles={"é": [1]}, settings={"a": None}, next_attempt_at=datetime.now(UTC))
        for state in (AttemptState.UNCONFIRMED, AttemptState.REFUSED):
            first = await begin(database, target)
            async with database.transaction() as session:
                await close_attempt(session, first.id, AttemptResult(state, "trying again"))
        if connected:
            async with database.transaction() as session:
                await connect(session, workspace, target.account_id)
        async with database.transaction() as session:
            long = await load(session, target.id)
        short = await open_target(database, target.id)
        assert long is not None
        assert short is not None
        assert (long.account is not None) == (short.account is not None) == connected
        pairs = ((long.post, short.post), (long.target, short.target), (long.account, short.account))
        for one, other in (*pairs, (long.sent, short.sent)):
            for name in type(one).__mapper__.column_attrs.keys() if one else ():
                assert getattr(one, name) == getattr(other, name), name
        assert short.sent is not None
        assert (short.sent.state, short.unconfirmed_since) == (AttemptState.REFUSED, long.unconfirmed_since)
        assert short.unconfirmed_since is not None
        async with database.transaction() as session:
            await session.execute(delete(Account))

    async def test_finds_no_target_that_is_gone(self, database: Database) -> None:
        assert await open_target(database, "tgt_none") is None


class TestBegin:
    async def test_takes_a_pending_target(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        attempt = await begin(database, post.targets[0])
        found = await read(database, post)
        assert found.status == PostStatus.PUBLISHING
        assert found.updated_at == attempt.started_at
        assert [target.status for target in found.targets] == [TargetStatus.PUBLISHING, TargetStatus.PENDING]
        (line,) = await attempts(database, post.targets[0])
        assert (line.id, line.step, line.state, line.started_at) == (
            attempt.id,
            "publish",
            "sending",
            attempt.started_at,
        )
        assert line.finished_at is None

    async def test_leaves_a_post_that_is_publishing_as_it_is(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        await begin(database, post.targets[0])
        assert (await read(database, post)).updated_at == post.updated_at

    async def test_keeps_handles_and_the_step_before(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        await put(database, target, handles={"old": 1, "version": 3}, next_attempt_at=datetime.now(UTC), warning="w")
        started = datetime.now(UTC) - timedelta(seconds=3)
        ready = AttemptResult(AttemptState.DONE, "ready", http_status=201, request_id="p")
        prepared = finished_step(target.id, AttemptStep.PREPARE, started, ready)
        handles = {"media": ["é", 1], "version": 4}
        attempt = await begin(database, target, prepared, (3, handles))
        first, second = await attempts(database, target)
        assert (first.step, first.state, first.started_at, first.http_status) == ("prepare", "done", started, 201)
        assert (first.finished_at, first.request_id, first.decision) == (prepared.finished_at, "p", "ready")
        assert (second.id, second.state) == (attempt.id, "sending")
        async with database.transaction() as session:
            row = await session.get_one(Target, target.id)
        assert (row.handles, row.next_attempt_at, row.warning) == (handles, None, None)

    @pytest.mark.parametrize("status", TargetStatus)
    async def test_takes_a_target_that_may_be_sent(
        self, database: Database, workspace: str, status: TargetStatus
    ) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        await put(database, post.targets[0], status=status)
        begun = await begin_send(database, post.targets[0].id, 1, None, 0, None)
        assert isinstance(begun, Attempt) if status.is_unsent else begun is WriteResult.WRONG_STATUS
        assert len(await attempts(database, post.targets[0])) == (1 if status.is_unsent else 0)
        is_scheduled = (await read(database, post)).status == PostStatus.SCHEDULED
        assert is_scheduled is not status.is_unsent

    @pytest.mark.parametrize("status", [TargetStatus.PENDING, TargetStatus.PUBLISHING])
    async def test_does_not_send_beside_an_open_send(
        self, database: Database, workspace: str, status: TargetStatus
    ) -> None:
        target = (await save(database, workspace)).targets[0]
        await begin(database, target)
        await put(database, target, status=status)
        assert await begin_send(database, target.id, 1, None, 0, None) is WriteResult.SENDING

    async def test_does_not_overwrite_what_another_run_saved(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        assert await save_handles(database, target.id, {"container": "1"}, 0)
        assert not await save_handles(database, target.id, {"container": "3"}, 0)
        handles = {"container": "2", "version": 1}
        assert await begin_send(database, target.id, 1, None, 0, handles) is WriteResult.OVERTAKEN
        assert await attempts(database, target) == []

    async def test_a_post_that_is_gone_is_not_sent(self, database: Database) -> None:
        assert await begin_send(database, "tgt_none", 1, None, 0, None) is WriteResult.GONE

    @pytest.mark.parametrize("status", [TargetStatus.PENDING, TargetStatus.PUBLISHING])
    async def test_only_one_of_many_takes_a_target(
        self, database: Database, workspace: str, status: TargetStatus
    ) -> None:
        for _ in range(ROUNDS // 4):
            target = (await save(database, workspace)).targets[0]
            await put(database, target, status=status)
            begun = await asyncio.gather(*(begin_send(database, target.id, 1, None, 0, None) for _ in range(4)))
            assert sum(isinstance(attempt, Attempt) for attempt in begun) == 1
            assert begun.count(WriteResult.SENDING) == 3
            assert len(await attempts(database, target)) == 1

    @pytest.mark.parametrize("change", ["failed", "sent"])
    async def test_changes_during_the_lock_wait_are_seen(self, database: Database, workspace: str, change: str) -> None:
        post = await save(database, workspace)
        target = post.targets[0]
        async with database.transaction() as session:
            await session.execute(select(Post).where(Post.id == post.id).with_for_update())
            beginning = asyncio.create_task(begin_send(database, target.id, 1, None, 0, None))
            await asyncio.sleep(0.1)
            assert not beginning.done()
            if change == "failed":
                await session.execute(update(Target).where(Target.id == target.id).values(status=TargetStatus.FAILED))
            else:
                sent = Attempt(target_id=target.id, started_at=datetime.now(UTC))
                sent.step, sent.state = AttemptStep.PUBLISH, AttemptState.SENDING
                session.add(sent)
        assert await beginning is (WriteResult.WRONG_STATUS if change == "failed" else WriteResult.SENDING)


@pytest.mark.parametrize("status", PostStatus)
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("due_in", [None, timedelta(seconds=-1), timedelta(0), timedelta(seconds=1), TOLERANCE * 2])
async def test_the_database_judges_a_send_as_the_domain_does(
    database: Database, status: PostStatus, version: int, due_in: timedelta | None
) -> None:
    now = datetime.now(UTC)
    due_at = None if due_in is None else now + due_in
    row = await database.row("SELECT judge_send_v1($1, $2, 1, $3, $4)", status, due_at, version, now + TOLERANCE)
    assert row is not None
    assert row[0] == judge_send(RowState(status, 1, due_at), version, now)
    assert WriteResult(row[0]) if row[0] != SendDecision.GO else True


@pytest.mark.parametrize(
    "targets", list(itertools.combinations_with_replacement(itertools.product(TargetStatus, [False, True]), 2))
)
async def test_the_database_derives_a_post_s_status_as_the_domain_does(
    database: Database, workspace: str, targets: tuple[tuple[TargetStatus, bool], ...]
) -> None:
    post = await save(database, workspace, targets=len(targets))
    for row, (status, confirming) in zip(post.targets, targets, strict=True):
        await put(database, row, status=status, confirming=confirming)
    states = [TargetState(*each) for each in targets]
    async with announcements(database) as heard:
        await database.rows("SELECT refresh_post_v1($1, now())", post.id)
    assert (await read(database, post)).status == post_status(states)
    assert heard == ([] if any(state.moving for state in states) else [post.id])


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
        found = await read(database, post)
        row = found.targets[0]
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
        assert (found.status, found.published_at) == (PostStatus.PUBLISHED, now)
        (line,) = await attempts(database, target)
        assert (line.state, line.decision, line.http_status, line.request_id) == ("done", "published", 200, "r1")
        assert line.finished_at == found.updated_at
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
        assert (row.status, row.platform_post_id) == ("published", "first" if is_first else "id on the network")
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
    async def test_a_step_that_sent_nothing_counts_for_the_post_that_it_knew(
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
        lines = [(each.step, each.state, each.code) for each in await attempts(database, target)]
        assert lines == ([("prepare", "refused", "no")] if write is WriteResult.MADE else [])
        begun_at = (await read(database, post)).targets[0].begun_at
        assert (begun_at is not None) is (write is WriteResult.MADE)

    async def test_a_step_that_sent_nothing_does_not_count_beside_a_send(
        self, database: Database, workspace: str
    ) -> None:
        target = (await save(database, workspace)).targets[0]
        await begin(database, target)
        waiting = transitions.waiting(datetime.now(UTC))
        assert (await settle(database, target.id, BeforeSend(1), waiting)).write is WriteResult.SENDING

    async def test_a_warning_ahead_of_its_time_leaves_a_post_scheduled(
        self, database: Database, workspace: str
    ) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        warned = transitions.warned("Too large.")
        settled = await settle(database, post.targets[0].id, BeforeSend(1, due=False), warned, REFUSED)
        found = await read(database, post)
        assert (settled.write, found.status) == (WriteResult.MADE, PostStatus.SCHEDULED)
        assert (found.targets[0].warning, found.targets[0].begun_at) == ("Too large.", None)

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

    async def test_the_first_publication_stays_the_posts_time(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        for target in post.targets:
            await land(database, target, await begin(database, target))
        found = await read(database, post)
        assert found.published_at == found.targets[0].published_at

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
        found = await read(database, post)
        assert found.status == (PostStatus.PUBLISHED if end is TargetStatus.PUBLISHED else PostStatus.PARTIAL)
        assert [target.status for target in found.targets] == [TargetStatus.PUBLISHED, end]
        assert heard == [post.id]

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
            found = await read(database, post)
            assert found.status == expected
            assert found.published_at == min(each.published_at for each in found.targets if each.published_at)
            states = [line.state for target in post.targets for line in await attempts(database, target)]
            assert states == ["done", "refused" if one_fails else "done", "done"]
        assert sorted(heard) == sorted(post.id for post in posts)
