"""One statement each: begun and settled as the transactions would, whatever happens at the same moment."""

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

from domain.attempts import AttemptResult, AttemptState, AttemptStep
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.outcome import Outcome
from domain.post import PostStatus, TargetState, TargetStatus, post_status
from domain.transitions import TargetTransition
from store.accounts import save_account
from store.contents import new_post
from store.database import Database
from store.models import Account, Attempt, Post, Target
from store.outcomes import CHANNEL
from store.posts import find_post, insert_post
from store.publishing import close_attempt, finished_step, load, settle
from store.sending import Publication, begin_at_once, open_at_once, save_handles, settle_at_once
from store.vault import Vault, new_key
from store.workspaces import create_workspace
from tests.stack import new_database

NOTE = AttemptResult(AttemptState.DONE, "published", http_status=200, request_id="r1")
PUBLIC = Publication("id on the network", "https://example.com/1", None, None)
ROUNDS = 60


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
    async with database.transaction() as session:
        await insert_post(session, post)
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


async def begin(database: Database, target: Target) -> Attempt:
    attempt = await begin_at_once(database, target.id, 1, None, 0, None)
    assert attempt is not None
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


async def land(database: Database, target: Target, attempt: Attempt) -> Outcome:
    """Settle a target as published in the way its activity does."""
    if outcome := await settle_at_once(database, target.id, attempt.id, PUBLIC, NOTE):
        return outcome
    return await take_long_way(database, target, attempt, TargetStatus.PUBLISHED)


def ending(status: TargetStatus) -> TargetTransition:
    now = datetime.now(UTC) if status is TargetStatus.PUBLISHED else None
    return TargetTransition(frozenset({TargetStatus.PUBLISHING}), {"status": status, "published_at": now})


async def take_long_way(database: Database, target: Target, attempt: Attempt, status: TargetStatus) -> Outcome:
    async with database.transaction() as session:
        outcome = await settle(session, target.id, ending(status))
        await close_attempt(session, attempt.id, NOTE)
        return outcome


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
    async def test_reads_what_the_long_way_reads(self, database: Database, workspace: str, connected: bool) -> None:
        target = (await save(database, workspace)).targets[0]
        await put(database, target, handles={"é": [1]}, settings={"a": None}, next_attempt_at=datetime.now(UTC))
        if connected:
            async with database.transaction() as session:
                await connect(session, workspace, target.account_id)
        async with database.transaction() as session:
            long = await load(session, target.id)
        short = await open_at_once(database, target.id)
        assert long is not None
        assert short is not None
        assert (long.account is not None) == (short.account is not None) == connected
        for one, other in ((long.post, short.post), (long.target, short.target), (long.account, short.account)):
            for name in type(one).__mapper__.column_attrs.keys() if one else ():
                assert getattr(one, name) == getattr(other, name), name
        assert (short.sent, short.unclear_since) == (None, None)
        async with database.transaction() as session:
            await session.execute(delete(Account))

    async def test_leaves_a_target_that_was_sent_or_is_gone(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        attempt = await begin(database, target)
        async with database.transaction() as session:
            await close_attempt(session, attempt.id, AttemptResult(AttemptState.REFUSED, "trying again"))
        assert await open_at_once(database, target.id) is None
        assert await open_at_once(database, "tgt_none") is None


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
        await put(database, target, handles={"old": 1, "version": 3}, next_attempt_at=datetime.now(UTC))
        started = datetime.now(UTC) - timedelta(seconds=3)
        prepared = finished_step(
            target.id,
            AttemptStep.PREPARE,
            started,
            AttemptResult(AttemptState.DONE, "ready", http_status=201, request_id="p"),
        )
        handles = {"media": ["é", 1], "version": 4}
        attempt = await begin_at_once(database, target.id, 1, prepared, 3, handles)
        assert attempt is not None
        first, second = await attempts(database, target)
        assert (first.step, first.state, first.started_at, first.http_status) == ("prepare", "done", started, 201)
        assert (first.finished_at, first.request_id, first.decision) == (prepared.finished_at, "p", "ready")
        assert (second.id, second.state) == (attempt.id, "sending")
        async with database.transaction() as session:
            row = await session.get_one(Target, target.id)
        assert (row.handles, row.next_attempt_at) == (handles, None)

    @pytest.mark.parametrize("status", [each for each in TargetStatus if each is not TargetStatus.PENDING])
    async def test_takes_no_other_target(self, database: Database, workspace: str, status: TargetStatus) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        await put(database, post.targets[0], status=status)
        assert await begin_at_once(database, post.targets[0].id, 1, None, 0, None) is None
        assert await attempts(database, post.targets[0]) == []
        assert (await read(database, post)).status == PostStatus.SCHEDULED

    async def test_does_not_send_beside_an_open_send(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        await begin(database, target)
        await put(database, target, status=TargetStatus.PENDING)
        assert await begin_at_once(database, target.id, 1, None, 0, None) is None

    async def test_does_not_overwrite_what_another_run_saved(self, database: Database, workspace: str) -> None:
        target = (await save(database, workspace)).targets[0]
        assert await save_handles(database, target.id, {"container": "1"}, 0)
        assert not await save_handles(database, target.id, {"container": "3"}, 0)
        assert await begin_at_once(database, target.id, 1, None, 0, {"container": "2", "version": 1}) is None
        assert await attempts(database, target) == []

    async def test_a_post_that_is_gone_is_not_sent(self, database: Database) -> None:
        assert await begin_at_once(database, "tgt_none", 1, None, 0, None) is None

    async def test_only_one_of_many_takes_a_target(self, database: Database, workspace: str) -> None:
        for _ in range(ROUNDS // 4):
            target = (await save(database, workspace)).targets[0]
            begun = await asyncio.gather(*(begin_at_once(database, target.id, 1, None, 0, None) for _ in range(4)))
            assert sum(attempt is not None for attempt in begun) == 1
            assert len(await attempts(database, target)) == 1

    async def test_what_changes_while_it_waits_for_the_post_is_seen(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        async with database.transaction() as session:
            await session.execute(select(Post).where(Post.id == post.id).with_for_update())
            beginning = asyncio.create_task(begin_at_once(database, post.targets[0].id, 1, None, 0, None))
            await asyncio.sleep(0.1)
            assert not beginning.done()
            failed = update(Target).where(Target.id == post.targets[0].id)
            await session.execute(failed.values(status=TargetStatus.FAILED))
        assert await beginning is None
        assert await attempts(database, post.targets[0]) == []


class TestSettle:
    async def test_writes_target_attempt_and_post(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, targets=1)
        target = post.targets[0]
        attempt = await begin(database, target)
        await put(database, target, error="before", error_code="x", error_category="platform", retryable=True)
        until = datetime.now(UTC) + timedelta(hours=1)
        public = Publication("7", "https://example.com/7", until, "no comment")
        async with announcements(database) as heard:
            outcome = await settle_at_once(database, target.id, attempt.id, public, NOTE)
        found = await read(database, post)
        row = found.targets[0]
        assert outcome == Outcome(
            status=TargetStatus.PUBLISHED,
            platform_post_id="7",
            platform_post_url="https://example.com/7",
            editable_until=until,
        )
        assert (row.status, row.platform_post_id, row.platform_post_url) == ("published", "7", "https://example.com/7")
        assert (row.editable_until, row.warning) == (until, "no comment")
        assert (row.error, row.error_code, row.error_category, row.retryable) == (None, None, None, None)
        assert found.status == PostStatus.PUBLISHED
        assert found.published_at == row.published_at == found.updated_at
        (line,) = await attempts(database, target)
        assert (line.state, line.decision, line.http_status, line.request_id) == ("done", "published", 200, "r1")
        assert line.finished_at == row.published_at
        assert heard == [post.id]

    @pytest.mark.parametrize("others", list(itertools.combinations_with_replacement(TargetStatus, 2)))
    async def test_derives_the_posts_status_as_the_domain_does(
        self, database: Database, workspace: str, others: tuple[TargetStatus, ...]
    ) -> None:
        post = await save(database, workspace, targets=3)
        attempt = await begin(database, post.targets[0])
        for target, status in zip(post.targets[1:], others, strict=True):
            await put(database, target, status=status, looking=False)
        expected = post_status([TargetState(TargetStatus.PUBLISHED), *(TargetState(status) for status in others)])
        outcome = await settle_at_once(database, post.targets[0].id, attempt.id, PUBLIC, NOTE)
        found = await read(database, post)
        if outcome is None:
            # The long way is for these.
            assert set(others) - {TargetStatus.PUBLISHED}
            assert found.targets[0].status == TargetStatus.PUBLISHING
            assert found.status == PostStatus.PUBLISHING
        else:
            assert found.status == expected
        plain = {TargetStatus.PENDING, TargetStatus.PUBLISHING}
        assert (outcome is not None) == (set(others) <= {TargetStatus.PUBLISHED} or bool(set(others) & plain))

    @pytest.mark.parametrize("status", [each for each in TargetStatus if each is not TargetStatus.PUBLISHING])
    async def test_settles_no_other_target(self, database: Database, workspace: str, status: TargetStatus) -> None:
        post = await save(database, workspace, targets=1)
        attempt = await begin(database, post.targets[0])
        await put(database, post.targets[0], status=status, platform_post_id="first")
        assert await settle_at_once(database, post.targets[0].id, attempt.id, PUBLIC, NOTE) is None
        found = await read(database, post)
        assert (found.status, found.targets[0].platform_post_id) == (PostStatus.PUBLISHING, "first")
        assert (await attempts(database, post.targets[0]))[0].state == "sending"

    async def test_the_first_publication_stays_the_posts_time(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        for target in post.targets:
            await land(database, target, await begin(database, target))
        found = await read(database, post)
        assert found.published_at == found.targets[0].published_at
        assert found.updated_at == found.targets[1].published_at

    @pytest.mark.parametrize("end", [TargetStatus.PUBLISHED, TargetStatus.FAILED])
    async def test_a_target_that_settles_while_it_waits_for_the_post_is_seen(
        self, database: Database, workspace: str, end: TargetStatus
    ) -> None:
        """The statement's own snapshot is older than the other's commit."""
        post = await save(database, workspace)
        mine, other = [await begin(database, target) for target in post.targets]
        async with announcements(database) as heard:
            async with database.transaction() as session:
                await settle(session, post.targets[1].id, ending(end))
                await close_attempt(session, other.id, NOTE)
                await session.flush()
                landing = asyncio.create_task(land(database, post.targets[0], mine))
                await asyncio.sleep(0.1)
                assert not landing.done()
            await landing
        found = await read(database, post)
        assert found.status == (PostStatus.PUBLISHED if end is TargetStatus.PUBLISHED else PostStatus.PARTIAL)
        assert [target.status for target in found.targets] == [TargetStatus.PUBLISHED, end]
        assert heard == [post.id]

    @pytest.mark.parametrize("long_way", [None, TargetStatus.PUBLISHED, TargetStatus.FAILED])
    async def test_targets_that_settle_at_the_same_moment_see_each_other(
        self, database: Database, workspace: str, long_way: TargetStatus | None
    ) -> None:
        posts = [await save(database, workspace, targets=3) for _ in range(ROUNDS)]
        async with announcements(database) as heard:
            for post in posts:
                begun = [await begin(database, target) for target in post.targets]
                ways = [land(database, *pair) for pair in zip(post.targets, begun, strict=True)]
                if long_way:
                    ways[1].close()
                    ways[1] = take_long_way(database, post.targets[1], begun[1], long_way)
                await asyncio.gather(*ways)
        expected = PostStatus.PARTIAL if long_way is TargetStatus.FAILED else PostStatus.PUBLISHED
        for post in posts:
            found = await read(database, post)
            assert found.status == expected
            assert found.published_at == min(each.published_at for each in found.targets if each.published_at)
            for target in post.targets:
                assert [line.state for line in await attempts(database, target)] == ["done"]
        assert sorted(heard) == sorted(post.id for post in posts)
