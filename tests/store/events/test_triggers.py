"""Triggers write an event in the transaction of each change, by any writer."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from domain import transitions
from domain.attempts import AttemptResult, AttemptState
from domain.audit import WORKER, AccountAction
from domain.ids import first_id, new_id
from domain.post import ErrorCategory, HoldReason
from domain.schedule import rfc3339
from domain.transitions import AnswerTo, BeforeSend, ConfirmationOf, TargetTransition
from domain.webhooks import KEPT, EventType
from reconcile.expiry import ends_task, expire
from store.accounts.connected import accept_account, refuse_account
from store.audit import add_account_event
from store.maintenance.waiting import note_late
from store.models import Account, ApiKey, Attempt, Campaign, Delivery, Event, Listener, Post, Target, Webhook, Workspace
from store.posts.changes import lock_post, write_off_post
from store.publishing.sending import begin_send, settle
from store.webhooks.deliveries import make_deliveries
from tests.stack import Stack
from tests.store.events.listening import events, listen, told

ANSWER = AttemptResult(AttemptState.DONE, "an answer", http_status=200)
NOW = datetime.now(UTC)
HELD = transitions.held(HoldReason.CAP, NOW, "It is full.", "platform_cap", ErrorCategory.RATE_LIMITED)
RESULTS: dict[str, tuple[TargetTransition, list[tuple[Any, ...]]]] = {
    "published": (
        transitions.published(NOW, "7", "https://example.com/7", None, None),
        [("post.published", "published", "7"), ("post.completed", "published", None)],
    ),
    "failed": (
        transitions.failed("No.", "no", ErrorCategory.REJECTED),
        [("post.failed", "failed", None), ("post.completed", "failed", None)],
    ),
    "unconfirmed": (transitions.unconfirmed("lost", "Lost."), [("post.unconfirmed", "unconfirmed", None)]),
    "held": (HELD, [("post.held", "held", None)]),
    "tried again": (transitions.tried_again(NOW, "Later.", "busy", ErrorCategory.PLATFORM), []),
}


async def begin(stack: Stack, post: Post, target: int = 0) -> Attempt:
    attempt = await begin_send(stack.worker_database, post.targets[target].id, post.version, None, 0, None)
    assert isinstance(attempt, Attempt)
    return attempt


async def settled(stack: Stack, change: TargetTransition, text_: str) -> Post:
    """Save and send a post, and settle it as a worker does: by the function of the first release."""
    post = await stack.save(text_, [stack.accounts["twitter"]])
    attempt = await begin(stack, post)
    await settle(stack.worker_database, post.targets[0].id, AnswerTo(attempt.id), change, ANSWER)
    return await stack.read(post.id)


async def post_events(stack: Stack, post: Post) -> list[Event]:
    """Return the events of one post: posts of other tests in the workspace may have events meanwhile."""
    return [row for row in await events(stack.database, stack.workspace_id) if row.post_id == post.id]


async def of_post(stack: Stack, post: Post, *fields: str) -> list[tuple[Any, ...]]:
    """Return the types of a post's events, with these fields."""
    return [(row.type, *(row.data.get(name) for name in fields)) for row in await post_events(stack, post)]


@pytest.fixture(autouse=True)
async def listening(stack: Stack) -> None:
    await listen(stack.database, stack.workspace_id)


@pytest.mark.parametrize("result", RESULTS)
async def test_a_result_has_its_events_in_its_own_transaction(stack: Stack, result: str) -> None:
    change, expected = RESULTS[result]
    post = await settled(stack, change, f"settled {result}")
    assert await of_post(stack, post, "status", "platformPostId") == expected
    rows = await post_events(stack, post)
    async with stack.database.reading() as session:
        xmin = await session.scalar(
            select(text("xmin::text::bigint")).select_from(Target).where(Target.id == post.targets[0].id)
        )
    assert {row.xid % 2**32 for row in rows} <= {xmin}


async def test_an_event_has_the_ids_that_a_client_needs_and_no_content(stack: Stack) -> None:
    post = await settled(stack, RESULTS["published"][0], "words that stay here")
    (event, completed) = await post_events(stack, post)
    # They begin with the time, so that the log of deliveries and the expiry can go by them.
    assert first_id("evt", NOW - timedelta(minutes=1)) < event.id < completed.id < first_id("evt", datetime.now(UTC))
    assert {len(event.id), len(completed.id)} == {len(new_id("evt"))}
    assert list(event.data)[:5] == ["postId", "platform", "platformPostId", "platformPostUrl", "status"]
    assert event.data["postId"] == post.id
    assert event.data["accountId"] == stack.accounts["twitter"].id
    assert datetime.fromisoformat(event.data["publishedAt"]) == NOW.replace(microsecond=NOW.microsecond // 1000 * 1000)
    assert completed.data["platforms"] == [
        {
            "platform": "twitter",
            "accountId": stack.accounts["twitter"].id,
            "status": "published",
            "platformPostId": "7",
            "platformPostUrl": "https://example.com/7",
            "errorCode": None,
        }
    ]
    assert "words" not in str(event.data) + str(completed.data)


async def test_a_workspace_that_does_not_listen_has_no_events(stack: Stack) -> None:
    async with stack.database.transaction() as session:
        await session.execute(delete(Listener).where(Listener.workspace_id == stack.workspace_id))
    post = await settled(stack, RESULTS["published"][0], "nobody hears it")
    assert await post_events(stack, post) == []


async def test_a_repeated_result_has_no_second_event(stack: Stack) -> None:
    post = await settled(stack, RESULTS["published"][0], "published twice")
    async with stack.database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post.id).values(status="published"))
        await session.execute(update(Post).where(Post.id == post.id).values(status="published"))
    assert len(await post_events(stack, post)) == 2


@pytest.mark.parametrize("writer", ["owner", "api", "worker"])
async def test_an_update_typed_by_hand_has_its_events(stack: Stack, writer: str) -> None:
    database = {"owner": stack.database, "api": stack.api_database, "worker": stack.worker_database}[writer]
    post = await stack.save(f"corrected by the {writer}", [stack.accounts["twitter"]])
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE targets SET status = 'published', platform_post_id = '9' WHERE post_id = :id"), {"id": post.id}
        )
        await session.execute(text("UPDATE posts SET status = 'published' WHERE id = :id"), {"id": post.id})
    assert await of_post(stack, post) == [("post.published",), ("post.completed",)]
    assert len({row.xid for row in await post_events(stack, post)}) == 1


async def test_a_change_that_is_rolled_back_has_no_event(stack: Stack) -> None:
    post = await stack.save("rolled back", [stack.accounts["twitter"]])
    async with stack.worker_database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post.id).values(status="failed"))
        await session.execute(text("ROLLBACK"))
    assert await of_post(stack, post) == []


async def test_the_end_of_a_confirmation_has_an_event_of_its_own(stack: Stack) -> None:
    post = await settled(stack, RESULTS["unconfirmed"][0], "rests unconfirmed")
    target = post.targets[0].id
    async with stack.database.reading() as session:
        sent = await session.scalar(select(func.max(Attempt.id)).where(Attempt.target_id == target))
    await settle(stack.worker_database, target, ConfirmationOf(sent, NOW), transitions.resting(), ANSWER)
    assert await of_post(stack, post, "looking") == [
        ("post.unconfirmed", True),
        ("post.unconfirmed", False),
        ("post.completed", None),
    ]


async def test_an_edit_names_the_version_before(stack: Stack) -> None:
    post = await settled(stack, RESULTS["published"][0], "edited later")
    await listen(stack.database, stack.workspace_id)
    async with stack.worker_database.transaction() as session:
        version = {
            "platformPostId": "7",
            "platformPostUrl": None,
            "content": "edited",
            "editedAt": "2026-02-01T14:00:00Z",
        }
        values = {"edit_history": [version], "platform_post_id": "8"}
        await session.execute(update(Target).where(Target.post_id == post.id).values(**values))
    assert await of_post(stack, post, "previousPlatformPostId", "platformPostId") == [("post.edited", "7", "8")]


async def test_a_risk_is_told_once_until_it_is_gone(stack: Stack) -> None:
    post = await stack.save("at risk", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await listen(stack.database, stack.workspace_id)
    for code in ("account_refused", "platform_cap", None, "account_refused"):
        async with stack.worker_database.transaction() as session:
            await session.execute(update(Target).where(Target.post_id == post.id).values(preflight_code=code))
    assert await of_post(stack, post, "risk") == [("post.at_risk", "account_refused")] * 2


async def test_posts_are_scheduled_and_cancelled(stack: Stack) -> None:
    post = await stack.save("scheduled, then not", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    await stack.change(post, due=None, draft=True)
    await stack.change(post, due=NOW + timedelta(hours=2))
    await stack.change(post, due=NOW + timedelta(hours=3))
    await stack.delete(post)
    assert await of_post(stack, post, "status") == [
        ("post.scheduled", "scheduled"),
        ("post.cancelled", "draft"),
        ("post.scheduled", "scheduled"),
        ("post.cancelled", "deleted"),
    ]


async def test_an_operator_who_writes_a_post_off_is_told_to_its_owner(stack: Stack) -> None:
    post = await stack.save("written off", [stack.accounts["twitter"]])
    async with stack.worker_database.transaction() as session:
        row = await lock_post(session, post.id)
        assert row
        await write_off_post(session, row, WORKER)
    assert await of_post(stack, post, "errorCode") == [("post.failed", "cancelled"), ("post.completed", None)]


async def test_a_step_that_fails_before_its_send_has_its_events(stack: Stack) -> None:
    post = await stack.save("fails before", [stack.accounts["twitter"]])
    change = transitions.failed("No.", "no", ErrorCategory.REJECTED)
    await settle(stack.worker_database, post.targets[0].id, BeforeSend(post.version), change, ANSWER)
    assert await of_post(stack, post) == [("post.failed",), ("post.completed",)]


async def test_a_late_post_is_told(stack: Stack) -> None:
    post = await stack.save("late", [stack.accounts["twitter"]])
    async with stack.worker_database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post.id).values(due_at=NOW - timedelta(hours=1)))
        await note_late(session, NOW - timedelta(minutes=1), NOW, 500)
    assert await of_post(stack, post, "status") == [("post.late", "publishing")]


async def test_accounts_are_told(stack: Stack) -> None:
    account = await stack.connect("twitter")
    workspace, name = account.workspace_id, account.id
    async with stack.worker_database.transaction() as session:
        for action in AccountAction:
            add_account_event(
                session, workspace_id=workspace, platform="twitter", account_id=name, action=action, actor=WORKER
            )
    async with stack.worker_database.transaction() as session:
        for _ in range(2):
            await refuse_account(session, account, account.credentials, "Sign in again.", "expired")
    async with stack.worker_database.transaction() as session:
        row = await session.get(Account, (account.workspace_id, account.id))
        assert row
        await accept_account(session, row)
    rows = await told(stack.database, stack.workspace_id, "accountId")
    assert [row for row in rows if row[1] == account.id] == [
        ("account.connected", account.id),
        ("account.reconnected", account.id),
        ("account.disconnected", account.id),
        ("account.refused", account.id),
        ("account.accepted", account.id),
    ]


async def test_each_end_is_told_once(stack: Stack) -> None:
    account = await stack.connect("twitter")
    soon, later = NOW + timedelta(days=3), NOW + timedelta(days=4)
    key = ApiKey.id == (await stack.actor()).id

    async def end_at(end: datetime | None) -> None:
        async with stack.database.transaction() as session:
            await session.execute(update(Account).where(Account.id == account.id).values(refresh_expires_at=end))
            await session.execute(update(ApiKey).where(key).values(expires_at=end))

    task = ends_task(stack.worker_database)
    for end in (soon, soon, later, NOW + timedelta(days=30), NOW - timedelta(days=1)):
        await end_at(end)
        await task.work()
    await end_at(None)
    # Other tests leave accounts and keys that end soon.
    ends = {rfc3339(soon), rfc3339(later)}
    rows = [row for row in await told(stack.database, stack.workspace_id, "endsAt") if row[1] in ends]
    assert sorted(type_ for type_, _ in rows) == ["account.expiring"] * 2 + ["api_key.expiring"] * 2
    assert len(set(rows)) == 4


async def test_a_paused_campaign_has_one_event_for_all_its_posts(stack: Stack) -> None:
    post = await stack.save("of a campaign", [stack.accounts["twitter"]])
    await listen(stack.database, stack.workspace_id)
    campaign = Campaign(
        id=new_id("cmp"),
        workspace_id=stack.workspace_id,
        name="Black Friday",
        tags=[],
        timezone="UTC",
        blackouts=[],
        status="active",
        created_at=NOW,
        updated_at=NOW,
    )
    async with stack.database.transaction() as session:
        session.add(campaign)
        await session.flush()
        await session.execute(update(Post).where(Post.id == post.id).values(campaign_id=campaign.id))
    for status in ("paused", "active", "ended"):
        async with stack.database.transaction() as session:
            await session.execute(update(Campaign).where(Campaign.id == campaign.id).values(status=status))
        if status == "paused":
            await settle(stack.worker_database, post.targets[0].id, BeforeSend(None), transitions.paused(), ANSWER)
    rows = await told(stack.database, stack.workspace_id, "campaignId", "status")
    assert [row for row in rows if row[1] == campaign.id] == [
        ("campaign.paused", campaign.id, "paused"),
        ("campaign.resumed", campaign.id, "active"),
        ("campaign.ended", campaign.id, "ended"),
    ]


DENIED = (
    "INSERT INTO events (workspace_id, type, data) VALUES ('ws', 'post.published', '{}')",
    "UPDATE events SET data = '{}'",
    "SELECT emit_v1('ws', 'post.published', NULL, '{}')",
)


@pytest.mark.parametrize("statement", DENIED)
async def test_no_process_can_write_an_event(stack: Stack, statement: str) -> None:
    for database in (stack.api_database, stack.worker_database):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.reading() as session:
                await session.execute(text(statement))


async def test_the_api_may_not_delete_events_or_look_for_ends(stack: Stack) -> None:
    for statement in ("DELETE FROM events", "SELECT emit_ends_v1(interval '7 days')"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with stack.api_database.reading() as session:
                await session.execute(text(statement))


async def test_a_result_notifies_nobody_of_its_events(stack: Stack) -> None:
    """Transactions that notify commit one after the other, in the whole server."""
    heard: list[str] = []
    listener = await asyncpg.connect(
        make_url(stack.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    for channel in ("events", "webhook_due", "end"):
        await listener.add_listener(channel, lambda *args: heard.append(args[2]))
    async with stack.database.transaction() as session:
        values = {"id": new_id("wh"), "workspace_id": stack.workspace_id, "url": "https://none.test/", "events": ["*"]}
        await session.execute(insert(Webhook).values(**values, secret=b"", secret_key=""))
    await settled(stack, RESULTS["published"][0], "published quietly")
    async with stack.database.transaction() as session:
        await make_deliveries(session)
        (endpoint,) = await session.scalars(delete(Webhook).where(Webhook.id == values["id"]).returning(Webhook.id))
        delivered = await session.scalars(
            delete(Delivery).where(Delivery.webhook_id == endpoint).returning(Delivery.id)
        )
        assert len(delivered.all()) == 2
        await session.execute(text("SELECT pg_notify('end', '')"))
    async with asyncio.timeout(60):
        while "end" not in heard:  # noqa: ASYNC110 the listener has no event
            await asyncio.sleep(0.01)
    await listener.close()
    assert heard == ["end"]


async def test_nobody_may_call_a_function_that_acts_with_the_owners_rights(stack: Stack) -> None:
    query = text(
        "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef AND acl.grantee = 0"
        " AND prorettype <> 'trigger'::regtype"
    )
    async with stack.database.reading() as session:
        assert set(await session.scalars(query)) == set()


async def test_every_type_is_one_that_clients_know(stack: Stack) -> None:
    query = text("SELECT string_agg(prosrc, ' ') FROM pg_proc WHERE proname ~ '^emit_|^test_webhook'")
    async with stack.database.reading() as session:
        source = str(await session.scalar(query))
    written_out = {name for name in EventType if f"'{name}'" in source}
    assert set(EventType) - written_out == {
        *(EventType(f"post.{status}") for status in ("published", "failed")),
        *(EventType(f"campaign.{status}") for status in ("paused", "resumed", "ended")),
        *(EventType(f"account.{action}") for action in ("connected", "reconnected", "disconnected")),
    }


async def test_a_workspace_with_events_can_be_deleted(stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    await listen(stack.database, workspace_id)
    post = await stack.save("of a workspace that goes", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(workspace_id=workspace_id))
        await session.execute(delete(Workspace).where(Workspace.id == workspace_id))


async def test_events_and_listeners_are_kept_for_30_days(stack: Stack) -> None:
    async with stack.database.transaction() as session:
        # Webhooks of other tests would keep the listener.
        await session.execute(delete(Webhook).where(Webhook.workspace_id == stack.workspace_id))
    post = await settled(stack, RESULTS["published"][0], "told long ago")
    for days, remaining in ((29, 2), (31, 0)):
        async with stack.database.transaction() as session:
            for row in await session.scalars(select(Event).where(Event.workspace_id == stack.workspace_id)):
                row.id = first_id("evt", NOW - timedelta(days=days)) + row.id[-4:]
            await session.execute(update(Listener).values(read_at=NOW - timedelta(days=days)))
        await expire(stack.worker_database, NOW)
        assert len(await post_events(stack, post)) == remaining
        async with stack.database.reading() as session:
            assert bool(await session.get(Listener, stack.workspace_id)) is bool(remaining)
    assert timedelta(days=29) < KEPT < timedelta(days=31)
