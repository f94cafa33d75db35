"""The number of waiting targets, their reasons, and the times since when they wait."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.plan import WaitsFor
from domain.post import PostStatus
from store.database import Database
from store.maintenance.waiting import DUE_TARGETS, WaitingCount, count_waiting
from store.models import Target
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.workspaces.keys import create_workspace

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=7)


async def target(database: Database, workspace: str, **row: object) -> None:
    post_id = new_id("post")
    content = PostContent(content="text", targets=[TargetContent(platform="twitter", account_id="tw_1")])
    post = new_columns(
        post_id, workspace, post_id, content, status=PostStatus.PUBLISHING, due_at=NOW, now=NOW
    ).as_post()
    await create_post(database, post)
    async with database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post_id).values(**row))


async def test_waiting_targets_are_counted_by_platform_and_reason(database: Database) -> None:
    async with database.transaction() as session:
        workspace = await create_workspace(session, "w")
    refused = {"status": "publishing", "next_attempt_at": NOW}
    await target(database, workspace, **refused, error_code="http_429", begun_at=NOW)
    await target(database, workspace, **refused, error_code="http_503", begun_at=EARLIER)
    await target(database, workspace, **refused)
    await target(database, workspace, status="held", hold_reason="account_needs_reconnecting", error_code="190")
    await target(database, workspace, status="unconfirmed", confirming=True)
    await target(database, workspace, status="unconfirmed")
    await target(database, workspace, status="publishing")
    await target(database, workspace, status="failed", error_code="rejected")
    async with database.reading() as session:
        assert await count_waiting(session) == {
            ("twitter", WaitsFor.PLATFORM): WaitingCount(2, EARLIER, frozenset({"http_429", "http_503"})),
            ("twitter", WaitsFor.RATE_LIMIT): WaitingCount(1, NOW),
            ("twitter", WaitsFor.ACCOUNT): WaitingCount(1, NOW),
            ("twitter", WaitsFor.ANSWER): WaitingCount(1, NOW),
            ("twitter", WaitsFor.PERSON): WaitingCount(1, NOW),
        }


async def test_counting_reads_only_the_index_of_waiting_targets(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await session.execute(text(f"EXPLAIN SELECT count(*) FROM targets WHERE {DUE_TARGETS.sql()}"))
        assert any("targets_waiting" in line for (line,) in plan)
