"""Posts that wait for the operator of the service: doctor names the cause first, and they continue once it is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from activities.meters import Meters
from cli.doctor import to_text
from domain.ids import new_id
from domain.plan import KEY_MISSING, NO_DISK_SPACE
from domain.post import PostStatus
from reconcile.app_setup import check_keys
from reconcile.doctor.findings import Exit, FindingKind
from store.accounts.connected import open_credentials, seal_credentials
from store.models import Account, Delivery, Event, Listener, Post, Target, Webhook
from store.secrets.vault import Vault, new_key
from tests.reconcile.doctor.conftest import agrees, diagnose, only
from tests.stack import Stack
from tests.store.events.listening import listen
from tests.workspaces import new_workspace


async def set_credentials(stack: Stack, account: Account, sealed: bytes) -> None:
    async with stack.database.transaction() as session:
        its = (Account.workspace_id == account.workspace_id) & (Account.id == account.id)
        await session.execute(update(Account).where(its).values(credentials=sealed))


async def test_posts_wait_for_a_key_that_a_worker_lacks(own: Stack) -> None:
    vault, account = Vault(own.settings.encryption_keys), own.accounts["plain"]
    assert await check_keys(own.worker_database, vault, Meters()) == 0
    lost = Vault([SecretStr(new_key())])
    credentials = open_credentials(vault, account)
    await set_credentials(own, account, seal_credentials(lost, account.workspace_id, account.id, credentials))
    with capture_logs() as lines:
        assert await check_keys(own.worker_database, vault, Meters()) == 1
    (line,) = [line for line in lines if line["event"] == "keys.missing"]
    assert (line["accounts"], line["key_ids"]) == (1, [lost.key_ids[0].hex()])

    post = await own.save("nobody can open its account", [account])
    handle = await own.start(post)

    async def waits() -> bool:
        return (await own.read(post.id)).targets[0].error_code == KEY_MISSING

    assert await own.outcomes.wait(post.id, waits, 20)
    report = await diagnose(own)
    assert report.exit is Exit.NEEDS_A_PERSON
    assert to_text(report, 1).startswith("encryption_key_missing: ")
    assert [entry for entry in report.waiting if "because workers lack an encryption key" in entry]

    await set_credentials(own, account, account.credentials)
    await handle.signal("retry")
    assert (await own.settled(post.id)).status == PostStatus.PUBLISHED
    assert FindingKind.KEY_MISSING not in {finding.kind for finding in (await diagnose(own)).findings}


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        (NO_DISK_SPACE, "1 post to X waits for the operator, because the disk of a worker is full."),
        (
            "http_429",
            "1 post to X waits because the platform refuses for now; they are tried again by themselves (http_429).",
        ),
    ],
)
async def test_a_waiting_post_names_its_cause(own: Stack, code: str, waits: str) -> None:
    post = await own.save("waits for something", [own.accounts["plain"]])
    async with own.database.transaction() as session:
        values = {
            "status": "publishing",
            "error_code": code,
            "next_attempt_at": datetime.now(UTC),
            "begun_at": post.due_at,
        }
        await session.execute(update(Target).where(Target.post_id == post.id).values(**values))
    report = await diagnose(own)
    assert any(waits in line for line in report.waiting), report.waiting
    assert (FindingKind.DISK_FULL in {finding.kind for finding in report.findings}) is (code == NO_DISK_SPACE)


async def test_a_skewed_clock_is_named_before_what_follows_from_it(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ahead(_: object) -> timedelta:
        return timedelta(minutes=10)

    monkeypatch.setattr("reconcile.doctor.loose_ends.measure_skew", ahead)
    text = to_text(await diagnose(own), 1)
    assert text.startswith("clock_skew: ")
    assert "600 s ahead of the database's" in text


async def test_a_transaction_that_stays_open(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.doctor.loose_ends.TOO_OLD", timedelta(microseconds=1))
    assert FindingKind.OLD_TRANSACTION not in {finding.kind for finding in (await diagnose(own)).findings}
    async with own.database.transaction() as session:
        await session.execute(select(1))
        finding = await only(own, FindingKind.OLD_TRANSACTION)
    assert "events and webhooks wait for it" in finding.what


async def test_events_that_no_worker_sends_to_webhooks(own: Stack) -> None:
    webhook = Webhook(
        id=new_id("wh"),
        workspace_id=own.workspace_id,
        url="https://hooks.example.com/",
        events=["*"],
        secret=b"",
        secret_key="",
    )
    late = datetime.now(UTC) - timedelta(minutes=5)
    async with own.database.transaction() as session:
        session.add(webhook)
        session.add(Delivery(webhook_id=webhook.id, event_id=new_id("evt"), next_at=late))
    try:
        finding = await only(own, FindingKind.WEBHOOKS)
        assert "1 event waits for webhooks" in finding.what
        async with new_workspace(own) as other:
            assert await agrees(other), "it is not the other workspace's"
        # A webhook that fails waits for its probe.
        async with own.database.transaction() as session:
            await session.execute(update(Webhook).where(Webhook.id == webhook.id).values(probe_at=datetime.now(UTC)))
        assert await agrees(own)
    finally:
        async with own.database.transaction() as session:
            await session.execute(delete(Webhook).where(Webhook.id == webhook.id))
            await session.execute(delete(Delivery).where(Delivery.webhook_id == webhook.id))


async def test_a_published_target_without_an_event(own: Stack) -> None:
    await listen(own.database, own.workspace_id)
    post = await own.save("published while a trigger is disabled", [own.accounts["plain"]])
    now = datetime.now(UTC)
    async with own.database.transaction() as session:
        began = {"since": now - timedelta(hours=2)}
        await session.execute(update(Listener).where(Listener.workspace_id == own.workspace_id).values(**began))
        published = {"status": "published", "published_at": now, "platform_post_id": "1"}
        await session.execute(update(Target).where(Target.post_id == post.id).values(**published))
        await session.execute(update(Post).where(Post.id == post.id).values(status="published", updated_at=now))
    assert not [finding for finding in (await diagnose(own)).findings if finding.kind is FindingKind.NO_EVENT]
    async with own.database.transaction() as session:
        await session.execute(delete(Event).where(Event.post_id == post.id))
    (finding,) = [finding for finding in (await diagnose(own)).findings if finding.kind is FindingKind.NO_EVENT]
    assert finding.subject.post_id == post.id
    async with own.database.transaction() as session:
        await session.execute(delete(Listener).where(Listener.workspace_id == own.workspace_id))
    assert not [finding for finding in (await diagnose(own)).findings if finding.kind is FindingKind.NO_EVENT]
