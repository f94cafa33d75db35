"""Problems that only the operator can fix: apps that a platform refuses, and API versions that end."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from cli.doctor import to_text
from domain.post import HoldReason, PostStatus, TargetStatus
from reconcile.doctor.doctor import Doctor
from store.apps import refused_apps
from store.models import Account, AppRefusal, Post
from tests.stack import Stack
from tests.workflows.test_held import comes_to_be, held_post, sends
from workflows.client.runs import Runs

DEPLETED = {
    "title": "Payment Required",
    "detail": "credits depleted",
    "type": "https://api.x.com/2/problems/credits-depleted",
}


async def refuse_app(stack: Stack, times: int = 1) -> None:
    await stack.fault("twitter", "reject", "publish", status=402, body=DEPLETED, times=times)


async def with_app(stack: Stack, app_id: str) -> Account:
    """Connect an account with an app of its own, so that the refusals of other tests do not affect it."""
    account = await stack.connect("twitter")
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(app_id=app_id))
    return account


async def probe_now(stack: Stack, app_id: str) -> None:
    async with stack.database.transaction() as session:
        due = update(AppRefusal).where(AppRefusal.app_id == app_id)
        await session.execute(due.values(probe_at=datetime.now(UTC)))


async def refusal(stack: Stack, app_id: str) -> AppRefusal | None:
    async with stack.database.reading() as session:
        return next((app for app in await refused_apps(session) if app.app_id == app_id), None)


async def test_posts_wait_for_the_operator_and_continue_once_the_app_is_accepted(stack: Stack) -> None:
    app_id = f"app_{secrets.token_hex(4)}"
    account, neighbour = await with_app(stack, app_id), await with_app(stack, app_id)
    await refuse_app(stack)
    first = await held_post(stack, "no credits 1", account)
    (target,) = first.targets
    assert first.status == PostStatus.PUBLISHING
    assert (target.hold_reason, target.error_category) == (HoldReason.OPERATOR, "internal")
    assert "credits" in (target.error or "")
    asked = await sends(stack)
    second = await held_post(stack, "no credits 2", neighbour)
    assert await sends(stack) == asked, "an app that is known to be refused is not tried"
    async with stack.database.reading() as session:
        refused = select(Account.refused_at).where(Account.id.in_([account.id, neighbour.id]))
        assert list(await session.scalars(refused)) == [None, None], "no account is refused for the operator's app"

    await probe_now(stack, app_id)
    for post in (first, second):
        published = await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
        assert (published.targets[0].hold_reason, published.targets[0].error) == (None, None)
    assert [len(await stack.public(words)) for words in ("no credits 1", "no credits 2")] == [1, 1]
    assert await refusal(stack, app_id) is None


@pytest.mark.thorough
async def test_a_probe_that_is_refused_sends_no_other_post(stack: Stack) -> None:
    app_id = f"app_{secrets.token_hex(4)}"
    account = await with_app(stack, app_id)
    await refuse_app(stack, times=2)
    posts = [await held_post(stack, f"probed {number}", account) for number in range(3)]
    asked, before = await sends(stack), await refusal(stack, app_id)
    assert before
    await probe_now(stack, app_id)
    async with asyncio.timeout(60):
        while (now := await refusal(stack, app_id)) and now.last_refused_at == before.last_refused_at:  # noqa: ASYNC110 a row
            await asyncio.sleep(0.05)
    assert now
    await asyncio.sleep(3)
    assert await sends(stack) == asked + 1
    assert now.refused_at == before.refused_at
    await probe_now(stack, app_id)
    for post in posts:
        await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)


async def test_a_retry_probes_a_corrected_app_immediately(stack: Stack) -> None:
    app_id = f"app_{secrets.token_hex(4)}"
    account = await with_app(stack, app_id)
    await refuse_app(stack)
    posts = [await held_post(stack, f"retried {number}", account) for number in range(3)]
    async with stack.database.transaction() as session:
        later = update(AppRefusal).where(AppRefusal.app_id == app_id)
        await session.execute(later.values(probe_at=datetime.now(UTC) + timedelta(minutes=15)))
    asked = await sends(stack)
    await stack.client.get_workflow_handle(posts[2].workflow_id).signal("retry")
    for post in posts:
        await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
    assert await sends(stack) == asked + 3


async def test_another_app_of_the_platform_is_unaffected(stack: Stack) -> None:
    account = await with_app(stack, f"app_{secrets.token_hex(4)}")
    other = await with_app(stack, f"app_{secrets.token_hex(4)}")
    await refuse_app(stack)
    await held_post(stack, "their app", account)
    assert (await stack.publish("our app", [other])).status == PostStatus.PUBLISHED


async def test_refused_app_without_posts_is_forgotten_at_its_probe(stack: Stack) -> None:
    app_id = f"app_{secrets.token_hex(4)}"
    account = await with_app(stack, app_id)
    await refuse_app(stack)
    post = await held_post(stack, "deleted meanwhile", account)
    await stack.delete(post)
    await probe_now(stack, app_id)
    async with asyncio.timeout(60):
        while await refusal(stack, app_id):  # noqa: ASYNC110 a row
            await asyncio.sleep(0.05)


async def test_doctor_warns_of_a_version_of_an_api_that_ends(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.registry.WARN_AHEAD", timedelta(days=36_500))
    report = await Doctor(stack.database, Runs(stack.client), stack.workspace_id).diagnose()
    ending = {finding.subject.platform: finding for finding in report.findings if finding.kind == "api_version_ends"}
    assert ending["linkedin"].what == (
        "LinkedIn serves 202609 of its API until 2027-09-01, and this release of socialsyncer speaks it."
    )


async def test_doctor_advises_the_operator(stack: Stack) -> None:
    app_id = f"app_{secrets.token_hex(4)}"
    await refuse_app(stack)
    await held_post(stack, "ask the doctor", await with_app(stack, app_id))
    report = await Doctor(stack.database, Runs(stack.client), stack.workspace_id).diagnose()
    (finding,) = [candidate for candidate in report.findings if app_id in candidate.what]
    assert finding.kind == "app_refused"
    assert "Buy credits" in finding.what
    assert "app_refused" in to_text(report, 0)


TIKTOK = {"contentPreviewConfirmed": True, "expressConsentGiven": True}
ONLY_SELF, EVERYONE = {**TIKTOK, "privacyLevel": "SELF_ONLY"}, {**TIKTOK, "privacyLevel": "PUBLIC_TO_EVERYONE"}


async def tiktok_with_app(stack: Stack) -> Account:
    account = await stack.connect("tiktok")
    async with stack.database.transaction() as session:
        named = update(Account).where(Account.id == account.id).values(app_id=f"app_{secrets.token_hex(4)}")
        await session.execute(named)
    return account


async def publish(stack: Stack, words: str, account: Account, media: str, settings: dict[str, Any]) -> Post:
    post = await stack.save(words, [account], media=[f"https://example.com/{media}"], settings=settings)
    await stack.start(post)
    async with asyncio.timeout(60):
        while (post := await stack.read(post.id)).targets[0].status not in _AT_REST:  # noqa: ASYNC110 a row
            await asyncio.sleep(0.05)
    return post


_AT_REST = {TargetStatus.HELD, TargetStatus.PUBLISHED, TargetStatus.FAILED}


async def test_a_refusal_holds_only_the_posts_that_it_applies_to(stack: Stack) -> None:
    account = await tiktok_with_app(stack)
    await stack.switch_on("tiktok", "app_refused", account)
    seen = await publish(stack, "for everyone", account, "a.mp4", EVERYONE)
    photo = await publish(stack, "a photo", account, "a.jpg", ONLY_SELF)
    assert [(post.targets[0].status, post.targets[0].error_code) for post in (seen, photo)] == [
        (TargetStatus.HELD, "unaudited_client_can_only_post_to_private_accounts"),
        (TargetStatus.HELD, "no_public_url"),
    ]
    for words, settings in (("for myself", ONLY_SELF), ("an inbox draft", {**TIKTOK, "draft": True})):
        post = await publish(stack, words, account, "a.mp4", settings)
        assert post.targets[0].status == TargetStatus.PUBLISHED, post.targets[0].error
    async with stack.database.reading() as session:
        codes = {app.code for app in await refused_apps(session) if app.platform == "tiktok"}
    assert codes == {seen.targets[0].error_code, photo.targets[0].error_code}, "a post of another kind proves nothing"


async def test_held_posts_alternate_as_probes(stack: Stack) -> None:
    account, private = await tiktok_with_app(stack), await stack.connect("tiktok")
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == private.id).values(app_id=await _app(stack, account)))
    for holder in (account, private):
        await stack.switch_on("tiktok", "app_refused", holder)
        await stack.switch_on("tiktok", "public_account", holder)
    first = await publish(stack, "still public", account, "a.mp4", ONLY_SELF)
    second = await publish(stack, "made private", private, "a.mp4", ONLY_SELF)
    assert {post.targets[0].status for post in (first, second)} == {TargetStatus.HELD}
    await stack.control("DELETE", f"conditions?platform=tiktok&accountId={private.id}")
    for _ in range(2):
        before = await _last_refused(stack, account)
        await probe_now(stack, await _app(stack, account))
        async with asyncio.timeout(60):
            while await _waits(stack, second) and await _last_refused(stack, account) == before:  # noqa: ASYNC110 rows
                await asyncio.sleep(0.05)
    await comes_to_be(stack, second.id, TargetStatus.PUBLISHED)
    assert (await stack.read(first.id)).targets[0].status == TargetStatus.HELD


async def _waits(stack: Stack, post: Post) -> bool:
    return (await stack.read(post.id)).targets[0].status == TargetStatus.HELD


async def _app(stack: Stack, account: Account) -> str:
    async with stack.database.reading() as session:
        return str(await session.scalar(select(Account.app_id).where(Account.id == account.id)))


async def _last_refused(stack: Stack, account: Account) -> datetime | None:
    refused = await refusal(stack, await _app(stack, account))
    return refused.last_refused_at if refused else None
