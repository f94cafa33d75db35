"""Sends begin and settle with one statement each, whatever happens at the same time."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import AttemptResult, AttemptState, AttemptStep
from domain.ownership import TOLERANCE, RowState, SendDecision, decide_send
from domain.post import PostStatus, TargetState, TargetStatus, post_status
from domain.transitions import WriteResult
from store.accounts.connected import save_account
from store.database import Database
from store.models import Account, Attempt, Post, Target
from store.publishing.sending import begin_send, open_target, save_handles
from store.publishing.targets import close_attempt, finished_step, load
from store.secrets.vault import Vault, new_key
from tests.store.publishing.sends import ROUNDS, attempts, begin, put, read, save


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
        for row, other in (*pairs, (long.sent, short.sent)):
            for name in type(row).__mapper__.column_attrs.keys() if row else ():
                assert getattr(row, name) == getattr(other, name), name
        assert short.sent is not None
        assert (short.sent.state, short.sent_since) == (AttemptState.REFUSED, long.sent_since)
        assert short.sent_since is not None
        assert short.must_confirm is long.must_confirm is True
        async with database.transaction() as session:
            await session.execute(delete(Account))

    async def test_finds_no_target_that_is_gone(self, database: Database) -> None:
        assert await open_target(database, "tgt_none") is None


class TestBegin:
    async def test_takes_a_pending_target(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, status=PostStatus.SCHEDULED)
        attempt = await begin(database, post.targets[0])
        stored = await read(database, post)
        assert stored.status == PostStatus.PUBLISHING
        assert stored.updated_at == attempt.started_at
        assert [target.status for target in stored.targets] == [TargetStatus.PUBLISHING, TargetStatus.PENDING]
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

    async def test_does_not_overwrite_handles_of_another_run(self, database: Database, workspace: str) -> None:
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


async def test_database_and_domain_decide_sends_alike(database: Database) -> None:
    now = datetime.now(UTC)
    times = [None, *(now + timedelta(seconds=seconds) for seconds in (-1, 0, 1)), now + TOLERANCE * 2]
    for status, version, due_at in itertools.product(PostStatus, (0, 1), times):
        row = await database.row("SELECT decide_send_v1($1, $2, 1, $3, $4)", status, due_at, version, now + TOLERANCE)
        assert row is not None
        assert row[0] == decide_send(RowState(status, 1, due_at), version, now), (status, version, due_at)
        assert WriteResult(row[0]) if row[0] != SendDecision.GO else True


async def test_database_and_domain_derive_post_status_alike(database: Database, workspace: str) -> None:
    post = await save(database, workspace, targets=2)
    all_states = [TargetState(*state) for state in itertools.product(TargetStatus, [False, True])]
    for states in itertools.combinations_with_replacement(all_states, 2):
        for row, state in zip(post.targets, states, strict=True):
            await put(database, row, status=state.status, confirming=state.confirming)
        refreshed = await database.row("SELECT * FROM refresh_post_v1($1, now())", post.id)
        assert refreshed is not None
        assert (await read(database, post)).status == refreshed["status"] == post_status(states), states
        assert refreshed["moving"] == any(state.moving for state in states), states
