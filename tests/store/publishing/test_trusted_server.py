"""No send begins on a server whose rows may lack commits."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from reconcile.lease_policy import LeasePolicy, WorkerPolicy
from reconcile.promotions import PromotionWatch
from store.database import Database
from store.maintenance.beats import Beat, read_state
from store.maintenance.servers import ServerPosition, is_server_trusted, trust_server
from store.publishing.sending import begin_send, extend_send
from tests.store.publishing.sends import attempts, begin, save


async def as_if_promoted(database: Database) -> None:
    """Let the rows name another timeline than the server's, as after a promotion."""
    async with database.transaction() as session:
        await session.execute(text("UPDATE trusted_server SET timeline = '00000000'"))


@pytest.fixture(autouse=True)
async def trusting(database: Database) -> AsyncIterator[None]:
    """Trust the server of the tests afterwards, whatever a test has done."""
    yield
    async with database.transaction() as session:
        await trust_server(session)


async def is_trusted(database: Database) -> bool:
    async with database.reading() as session:
        return await is_server_trusted(session)


async def test_no_send_begins_or_continues_after_a_promotion(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    first, second = post.targets
    attempt = await begin(database, first)
    await as_if_promoted(database)
    assert not await is_trusted(database)
    with pytest.raises(asyncpg.CannotConnectNowError, match="rows may lack commits"):
        await begin_send(database, second.id, 1, None, 0, None)
    with pytest.raises(asyncpg.CannotConnectNowError):
        await extend_send(database, attempt.id)
    assert await attempts(database, second) == []
    async with database.transaction() as session:
        await trust_server(session)
    assert await extend_send(database, attempt.id)
    await begin(database, second)


async def test_a_server_that_does_not_tell_its_timeline_is_trusted(database: Database, workspace: str) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE trusted_server SET timeline = NULL, identity = NULL"))
    assert await is_trusted(database)
    assert (await read_state(database)).server is None
    await begin(database, (await save(database, workspace)).targets[0])


async def test_a_worker_trusts_a_promotion_if_it_knows_that_nothing_is_lost(database: Database) -> None:
    await as_if_promoted(database)
    beat = await read_state(database)
    promoted = beat.server
    assert promoted is not None
    assert not promoted.is_trusted
    before = replace(promoted, timeline="00000000", waits_for_standby=True, log_end=promoted.log_end - 1)
    cases: list[tuple[str, ServerPosition | None, bool]] = [
        ("the worker was not there", None, False),
        ("commits did not wait", replace(before, waits_for_standby=False), False),
        ("it is behind", replace(before, log_end=promoted.log_end + 1), False),
        ("it was there on another timeline", replace(before, timeline="00000009", trusted_timeline="00000009"), False),
        ("it has all", before, True),
    ]
    for name, position, expected in cases:
        await as_if_promoted(database)
        watch = PromotionWatch(database, LeasePolicy())

        async def hear(server: ServerPosition, watch: PromotionWatch = watch, beat: Beat = beat) -> None:
            await watch.hear(replace(beat, server=server))

        if position:
            await hear(position)
        await watch.hear(None)
        await hear(promoted)
        # Its log grows. That says nothing any more.
        await hear(replace(promoted, log_end=promoted.log_end + 10))
        assert await is_trusted(database) is expected, name


async def test_a_worker_that_rests_decides_nothing(database: Database) -> None:
    """It has last seen the log half a minute ago: a standby that lacks the newest commits may be ahead of that."""
    await as_if_promoted(database)
    beat = await read_state(database)
    promoted = beat.server
    assert promoted is not None
    before = replace(promoted, timeline="00000000", waits_for_standby=True, log_end=promoted.log_end - 1)
    policy = WorkerPolicy()
    watch = PromotionWatch(database, policy)
    await watch.hear(replace(beat, server=before))
    policy._active_until = float("-inf")
    await watch.hear(replace(beat, server=before))
    with capture_logs() as lines:
        await watch.hear(beat)
        assert lines == [], "a worker that knows may decide first"
        assert watch._unknown_since is not None
        watch._unknown_since -= 11
        await watch.hear(beat)
    assert [line["event"] for line in lines] == ["database.promoted"]
    assert not await is_trusted(database)

    await as_if_promoted(database)
    leading = PromotionWatch(database, LeasePolicy())
    await leading.hear(replace(beat, server=before))
    await leading.hear(beat)
    assert await is_trusted(database)
