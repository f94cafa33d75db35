"""The end of a pause publishes or skips exactly what the pause has missed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from domain.audit import WORKER, Action, AuditEntry, api_key
from domain.ownership import BULK_LEAD
from domain.pauses import WORKSPACE_GATE, Gate, MissedPolicy, Resumed, account_gate, campaign_gate
from domain.post import HoldReason, PostStatus, TargetStatus
from domain.transitions import BeforeSend, WriteResult, paused, published
from store.audit import newest_event
from store.database import Database
from store.models import Pause, Post, Target
from store.pauses.gates import close_gate, open_gate, plan_gate
from store.pauses.missed import lock_free, publish_missed, spaced
from store.pauses.pauses import begin_pause, end_pause, preview_end
from store.publishing.sending import settle
from tests.store.publishing.sends import put, read, save

ACTOR = api_key("key_x")


CAMPAIGN = campaign_gate("cmp_missed")


async def hold(database: Database, target: Target) -> None:
    settled = await settle(database, target.id, BeforeSend(None), paused())
    assert settled.write is WriteResult.MADE
    assert settled.outcome.hold_reason is HoldReason.PAUSED


async def pause(database: Database, workspace: str, gate: Gate = WORKSPACE_GATE) -> Pause:
    async with database.transaction() as session:
        begun, is_new = await begin_pause(session, workspace, gate, "a crisis", ACTOR)
    assert is_new
    return begun


async def resume(
    database: Database, begun: Pause, policy: MissedPolicy | None, spacing: timedelta = timedelta(0)
) -> tuple[Resumed, list[str]] | None:
    async with database.transaction() as session:
        return await end_pause(session, await session.merge(begun), policy, spacing, ACTOR)


async def held_posts(database: Database, workspace: str, number: int) -> list[Post]:
    posts = [await save(database, workspace, targets=1) for _ in range(number)]
    for post in posts:
        await hold(database, post.targets[0])
    return [await read(database, post) for post in posts]


def statuses(post: Post) -> Sequence[str]:
    return [target.status for target in post.targets]


async def test_a_held_target_has_no_failure_and_no_time(database: Database, workspace: str) -> None:
    (post,) = await held_posts(database, workspace, 1)
    (target,) = post.targets
    assert (post.status, target.status, target.error_code) == (PostStatus.PUBLISHING, TargetStatus.HELD, "paused")
    assert (target.error_category, target.retryable, target.next_attempt_at) == (None, None, None)


async def test_spacing_counts_for_each_account(database: Database, workspace: str) -> None:
    begun = await pause(database, workspace)
    posts = await held_posts(database, workspace, 3)
    resumed = await resume(database, begun, MissedPolicy.PUBLISH, timedelta(minutes=10))
    assert resumed is not None
    assert resumed[1] == [posts[0].id], "the others are delivered at the pace"
    first, *others = [(await read(database, post)).due_at for post in posts]
    assert first is not None
    assert [due - first for due in others if due] == [timedelta(minutes=10), timedelta(minutes=20)]
    rows = [await read(database, post) for post in posts]
    moments = [row.due_at - BULK_LEAD for row in rows[1:] if row.due_at]
    assert [row.next_delivery_at for row in rows] == [None, *moments]


async def test_a_post_that_was_due_and_not_begun_was_missed_and_a_later_one_was_not(
    database: Database, workspace: str
) -> None:
    begun = await pause(database, workspace)
    due, later = [await save(database, workspace, targets=1, status=PostStatus.SCHEDULED) for _ in range(2)]
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await put(database, later.targets[0], due_at=ahead)
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == later.id).values(due_at=ahead))
    assert await resume(database, begun, MissedPolicy.SKIP) == (Resumed(skipped=1), [])
    due, later = await read(database, due), await read(database, later)
    assert (due.status, due.due_at, due.skip_reason) == (PostStatus.DRAFT, None, "paused")
    assert (later.status, later.version) == (PostStatus.SCHEDULED, 1)


async def test_a_skipped_post_is_a_draft_that_the_sweep_reports_to_its_workflow(
    database: Database, workspace: str
) -> None:
    begun = await pause(database, workspace)
    (post,) = await held_posts(database, workspace, 1)
    assert await resume(database, begun, MissedPolicy.SKIP) == (Resumed(skipped=1), [])
    post = await read(database, post)
    assert (post.status, statuses(post), post.skip_reason) == (PostStatus.DRAFT, [TargetStatus.PENDING], "paused")
    assert post.next_delivery_at is not None
    async with database.reading() as session:
        event = await newest_event(session, post.id)
    assert event is not None
    assert (event.action, event.actor_id) == ("changed", "key_x")
    assert event.details == {"version": 2, "pause": begun.id, "missed": "skip"}


async def test_a_post_that_is_partly_public_is_no_draft_after_a_skip(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    public, missed = post.targets
    begun = await pause(database, workspace, account_gate(missed.platform, missed.account_id))
    await settle(database, public.id, BeforeSend(None), published(datetime.now(UTC), "1", None, None, None))
    await hold(database, missed)
    assert await resume(database, begun, MissedPolicy.SKIP) == (Resumed(skipped=1), [])
    post = await read(database, post)
    assert (post.status, statuses(post)) == (PostStatus.PARTIAL, [TargetStatus.PUBLISHED, TargetStatus.FAILED])
    assert (post.targets[1].error_code, post.targets[1].retryable) == ("skipped", True)


async def test_the_rest_of_a_post_that_is_partly_public_continues(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    public, missed = post.targets
    begun = await pause(database, workspace, account_gate(missed.platform, missed.account_id))
    await settle(database, public.id, BeforeSend(None), published(datetime.now(UTC), "1", None, None, None))
    await hold(database, missed)
    assert await resume(database, begun, MissedPolicy.PUBLISH) == (Resumed(published=1), [post.id])
    post = await read(database, post)
    assert (post.status, statuses(post)) == (PostStatus.PUBLISHING, [TargetStatus.PUBLISHED, TargetStatus.PENDING])


async def test_the_end_of_a_pause_is_repeated_with_the_same_answer(database: Database, workspace: str) -> None:
    begun = await pause(database, workspace)
    await held_posts(database, workspace, 2)
    first = await resume(database, begun, MissedPolicy.PUBLISH)
    assert first is not None
    assert await resume(database, begun, MissedPolicy.SKIP) == (first[0], [])


async def test_a_post_that_another_pause_stops_stays_held(database: Database, workspace: str) -> None:
    (post,) = await held_posts(database, workspace, 1)
    (target,) = post.targets
    account = await pause(database, workspace, account_gate(target.platform, target.account_id))
    whole = await pause(database, workspace)
    async with database.reading() as session:
        assert await preview_end(session, whole, None) == Resumed(still_paused=1)
    assert await resume(database, whole, None) == (Resumed(still_paused=1), [])
    assert statuses(await read(database, post)) == [TargetStatus.HELD]
    assert await resume(database, account, MissedPolicy.PUBLISH) == (Resumed(published=1), [post.id])


async def test_a_post_in_a_blackout_of_its_campaign_stays_held_when_the_pause_ends(
    database: Database, workspace: str
) -> None:
    (post,) = await held_posts(database, workspace, 1)
    async with database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(campaign_id="cmp_missed"))
        await plan_gate(session, workspace, CAMPAIGN, [(datetime.now(UTC) - timedelta(hours=1), None)])
    begun = await pause(database, workspace, CAMPAIGN)
    assert await resume(database, begun, None) == (Resumed(still_paused=1), [])
    assert statuses(await read(database, post)) == [TargetStatus.HELD]


async def test_targets_under_an_open_gate_are_found_and_others_are_not(database: Database, workspace: str) -> None:
    (post,) = await held_posts(database, workspace, 1)
    async with database.transaction() as session:
        await close_gate(session, workspace, WORKSPACE_GATE)
    now = datetime.now(UTC)
    async with database.transaction() as session:
        assert post.id not in {free.id for free in await lock_free(session, now, 200)}
        await open_gate(session, workspace, WORKSPACE_GATE)
    async with database.transaction() as session:
        free = [lifted for lifted in await lock_free(session, now, 200) if lifted.id == post.id]
        await publish_missed(session, free, spaced(free, now, timedelta(0)), AuditEntry(Action.RELEASED, WORKER), now)
    assert statuses(await read(database, post)) == [TargetStatus.PENDING]
    async with database.reading() as session:
        assert await session.scalar(select(Target.due_at).where(Target.post_id == post.id)) == now
