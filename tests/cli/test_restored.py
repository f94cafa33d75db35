"""After a restore from a backup, posts that may already be public are confirmed before they are sent."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from temporalio.service import RPCError

from api.auth import required_scope
from api.openapi.components import OPERATIONS
from cli import restored
from cli.environment import Environment
from cli.errors import UserError
from domain.api_keys import Scope
from domain.campaigns import CampaignStatus
from domain.ownership import FENCE
from domain.post import PostStatus, TargetStatus
from domain.request_limits import Policy, PolicyName
from platforms.registry import platforms
from reconcile.doctor.findings import FindingKind
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.campaigns.pausing import find_pause_of_campaign
from store.maintenance.restores import begin_restore, finish_restore
from store.maintenance.servers import is_server_trusted
from store.models import Attempt, Campaign, Listener, Post, Restore, Target
from store.posts.delivery import record_delivered
from tests.api.conftest import limited_app, make_client
from tests.reconcile.doctor.conftest import diagnose
from tests.stack import Stack
from tests.store.events.listening import listen


@pytest.fixture(autouse=True)
async def command(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the command use the stack's database, and delete its restore afterwards."""
    monkeypatch.setattr(restored, "find_environment", lambda *_: Environment(stack.settings))
    monkeypatch.setattr(restored, "HEARD_AFTER_S", 0)
    yield
    async with stack.database.transaction() as session:
        await session.execute(delete(Restore))


async def handle_restore(since: datetime, *, database: bool = False, temporal: bool = False) -> list[str]:
    loss = restored.Loss(since, database=database, temporal=temporal)
    return [sentence async for sentence in restored.handle_restore(loss, None)]


async def rewind(stack: Stack, post: Post) -> None:
    """Reset the rows of a post to their state before it was published, as an older backup does."""
    async with stack.database.transaction() as session:
        before: dict[str, Any] = {"status": PostStatus.SCHEDULED, "published_at": None, "updated_at": post.created_at}
        await session.execute(update(Post).where(Post.id == post.id).values(version=1, delivered_version=1, **before))
        nothing = {"platform_post_id": None, "platform_post_url": None, "published_at": None, "begun_at": None}
        await session.execute(
            update(Target).where(Target.post_id == post.id).values(status=TargetStatus.PENDING, handles={}, **nothing)
        )
        await session.execute(delete(Attempt).where(Attempt.target_id.in_([target.id for target in post.targets])))


async def due_at(stack: Stack, post: Post, due: datetime) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(due_at=due))


@pytest.mark.parametrize("both", [False, True])
async def test_posts_published_after_the_backup_are_not_resent(stack: Stack, *, both: bool) -> None:
    text = f"published in the lost time {both}"
    account = await stack.connect("twitter")
    before = datetime.now(UTC)
    post = await stack.publish(text, [account])
    if both:
        await stack.client.get_workflow_handle(post.workflow_id).terminate()
    await rewind(stack, post)
    sentences = await handle_restore(before, database=True, temporal=both)
    assert sentences[-1] == "The API takes writes again."
    await stack.deliver(await stack.read(post.id))
    settled = await stack.settled(post.id)
    (public,) = await stack.public(text)
    assert (settled.status, settled.targets[0].platform_post_id) == (PostStatus.PUBLISHED, public["platformPostId"])


async def test_posts_that_cannot_be_confirmed_wait_for_a_person(stack: Stack) -> None:
    account = await stack.connect("bluesky")
    post = await stack.publish("published where nothing can be found", [account])
    await rewind(stack, post)
    await handle_restore(post.created_at, database=True)
    await stack.deliver(await stack.read(post.id))
    settled = await stack.settled(post.id)
    assert (settled.targets[0].status, settled.targets[0].confirming) == (TargetStatus.UNCONFIRMED, False)
    assert len(await stack.public("published where nothing can be found")) == 1


@pytest.mark.parametrize("platform", ["twitter", "discord"])
async def test_later_posts_publish_as_planned(stack: Stack, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(platforms()["twitter"], "read_lag", timedelta(seconds=-FENCE.total_seconds()))
    text = f"due after the restore on {platform}"
    post = await stack.save(text, [await stack.connect(platform)], due_in=timedelta(seconds=3))
    await stack.start(post)
    await handle_restore(datetime.now(UTC), database=True, temporal=True)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public(text)) == 1


@pytest.mark.parametrize("platform", ["twitter", "telegram"])
async def test_posts_moved_in_the_lost_time_are_confirmed_at_the_old_time(stack: Stack, platform: str) -> None:
    text = f"moved forward on {platform}"
    account, before = await stack.connect(platform), datetime.now(UTC)
    post = await stack.publish(text, [account])
    with suppress(RPCError):
        # The workflow may have ended by itself.
        await stack.client.get_workflow_handle(post.workflow_id).terminate()
    await rewind(stack, post)
    await due_at(stack, post, datetime.now(UTC) + timedelta(days=2))
    await handle_restore(before, database=True, temporal=True)
    await due_at(stack, post, datetime.now(UTC))
    await stack.deliver(await stack.read(post.id))
    settled = await stack.settled(post.id)
    public = await stack.public(text)
    assert settled.status == PostStatus.PUBLISHED
    assert settled.targets[0].platform_post_id in {public_post["platformPostId"] for public_post in public}
    assert len(public) == (1 if platform == "twitter" else 2), "docs/backup.md says where this cannot be known"


async def test_a_later_equal_post_does_not_hide_a_published_one(stack: Stack) -> None:
    text, account, before = "every week the same", await stack.connect("twitter"), datetime.now(UTC)
    post = await stack.publish(text, [account])
    later = await stack.save(text, [account], due_in=timedelta(days=2))
    await rewind(stack, post)
    await handle_restore(before, database=True)
    async with stack.database.transaction() as session:
        lost = select(Attempt.target_id).where(Attempt.target_id.in_([post.targets[0].id, later.targets[0].id]))
        assert len(set(await session.scalars(lost))) == 2
    await stack.deliver(await stack.read(post.id))
    settled = await stack.settled(post.id)
    assert settled.targets[0].platform_post_id == post.targets[0].platform_post_id


@pytest.mark.thorough
async def test_an_equal_post_made_after_the_restore_is_not_matched(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms()["pinterest"], "read_lag", timedelta(seconds=-FENCE.total_seconds()))
    monkeypatch.setattr("platforms.steps.matching.CLOCKS_APART", timedelta(0))
    text, account = "said again by hand", await stack.connect("pinterest")
    settings = {"boardId": "549755885175"}
    media = ["https://example.com/p.jpg"]
    post = await stack.save(text, [account], due_in=timedelta(seconds=6), media=media, settings=settings)
    await stack.start(post)
    await handle_restore(datetime.now(UTC), database=True)
    # Pinterest dates a pin by the second.
    await asyncio.sleep(1.1)
    other = await stack.publish(text, [account], media=media, settings=settings)
    async with stack.database.transaction() as session:
        await session.execute(delete(Post).where(Post.id == other.id))
    assert (await stack.settled(post.id)).targets[0].platform_post_id != other.targets[0].platform_post_id


async def test_workflows_of_an_older_temporal_are_notified_again(stack: Stack) -> None:
    post = await stack.save("told again", [stack.accounts["plain"]], due_in=timedelta(minutes=5))
    async with stack.database.transaction() as session:
        await record_delivered(session, {post.id: 1})
    await handle_restore(datetime.now(UTC), temporal=True)
    assert not (await stack.read(post.id)).is_delivered


async def test_api_refuses_writes_and_doctor_reports_an_open_restore(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.shared.caches.FRESH_S", 0.05)
    post = await stack.save("not now", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    async with stack.database.transaction() as session:
        open_one = await begin_restore(session, datetime.now(UTC), datetime.now(UTC), database=True, temporal=False)
    one_post = Policy(PolicyName.POSTS, 1, 1)
    async with limited_app(stack, posts=one_post) as app, make_client(app, stack.api_key) as client:
        for _, _, operation in OPERATIONS:
            if operation.method != "GET" and required_scope(operation.route) not in {Scope.READ, Scope.KEYS}:
                refused = await client.request(operation.method, re.sub(r"{\w+}", "1", operation.path))
                assert (refused.status_code, refused.headers.get("retry-after")) == (503, "30"), operation.route
        assert (await client.get(f"/v1/posts/{post.id}")).status_code == 200
        assert FindingKind.RESTORE in {finding.kind for finding in (await diagnose(stack, platforms=False)).findings}
        async with stack.database.transaction() as session:
            await finish_restore(session, open_one.id, datetime.now(UTC))
        async with asyncio.timeout(60):
            while (await client.send_post({"content": "taken"})).status_code != 201:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)


async def test_an_interrupted_restore_continues(stack: Stack) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    async with stack.database.transaction() as session:
        first = await begin_restore(session, since, datetime.now(UTC), database=True, temporal=False)
    async with stack.database.transaction() as session:
        later = await begin_restore(session, datetime.now(UTC), datetime.now(UTC), database=True, temporal=True)
        assert (later.id, later.restored_to, later.temporal) == (first.id, since, False)
        await session.execute(text("UPDATE trusted_server SET timeline = '00000000'"))
    with pytest.raises(UserError, match="was interrupted"):
        await anext(restored.handle_restore(None, None))
    async with stack.database.reading() as session:
        assert not await is_server_trusted(session)
    await handle_restore(since)
    async with stack.database.reading() as session:
        assert await is_server_trusted(session)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-01T14:00:00", "2099-01-01T00:00:00Z"])
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--from"):
        restored.parse_moment(text)


@pytest.mark.parametrize("database", [True, False])
async def test_feeds_of_events_begin_again_with_the_database(stack: Stack, database: bool) -> None:
    await listen(stack.database, stack.workspace_id)
    own = Listener.workspace_id == stack.workspace_id
    async with stack.database.transaction() as session:
        await session.execute(update(Listener).where(own).values(since=datetime.now(UTC)))
    await handle_restore(datetime.now(UTC) - timedelta(minutes=1), database=database, temporal=not database)
    async with stack.database.reading() as session:
        assert (await session.scalar(select(Listener.since).where(own)) is None) is database


async def test_campaigns_that_were_active_at_the_copy_are_named_and_paused(stack: Stack) -> None:
    now = datetime.now(UTC)
    async with stack.database.transaction() as session:
        active, draft = [
            await add_campaign(session, stack.workspace_id, CampaignFields(f"restored {status}"), status, now)
            for status in (CampaignStatus.ACTIVE, CampaignStatus.DRAFT)
        ]
    sentences = await handle_restore(now - timedelta(minutes=5), database=True)
    assert f"Active: {active.id} restored active" in sentences
    assert any("--pause-campaigns" in sentence for sentence in sentences)
    assert not any(draft.id in sentence for sentence in sentences)
    sentences = [
        sentence
        async for sentence in restored.handle_restore(restored.Loss(now, database=True, pause_campaigns=True), None)
    ]
    assert f"Paused: {active.id} restored active" in sentences
    async with stack.database.transaction() as session:
        row = await session.get_one(Campaign, active.id)
        pause = await find_pause_of_campaign(session, row)
    assert row.status == "paused"
    assert pause is not None
    assert pause.reason is not None
    assert "was restored to" in pause.reason


async def test_a_campaigns_post_is_confirmed_however_far_ahead_it_is_due(stack: Stack) -> None:
    far = timedelta(days=40)
    posts = [await stack.save(f"far ahead {number}", [stack.accounts["plain"]], due_in=far) for number in (1, 2)]
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == posts[0].id).values(campaign_id="cmp_x"))
    await handle_restore(datetime.now(UTC) - timedelta(minutes=5), database=True)
    async with stack.database.reading() as session:
        confirmed = set(await session.scalars(select(Target.post_id).join(Attempt)))
    assert {post.id for post in posts} & confirmed == {posts[0].id}
    for post in posts:
        await stack.delete(await stack.read(post.id))
