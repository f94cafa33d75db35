"""Targets that wait for their account: they are held, do not fail, and continue by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from activities import local_publish
from domain.post import HoldReason, PostStatus, TargetStatus
from store.models import Account, Post, Target
from store.publishing.targets import list_attempts
from tests.running import OTHERS_APP
from tests.stack import Stack


async def comes_to_be(stack: Stack, post_id: str, status: TargetStatus, seconds: float = 60) -> Post:
    async with asyncio.timeout(seconds):
        while (post := await stack.read(post_id)).targets[0].status != status:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    return post


async def sends(stack: Stack) -> int:
    requests = (await stack.control("GET", "requests"))["requests"]
    return sum(request["platform"] == "twitter" and request["operation"] == "publish" for request in requests)


async def row(stack: Stack, account: Account) -> Account:
    async with stack.database.transaction() as session:
        return (await session.scalars(select(Account).where(Account.id == account.id))).one()


async def held_post(stack: Stack, words: str, account: Account, **values: Any) -> Post:
    post = await stack.save(words, [account])
    if values:
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post.id).values(**values))
    await stack.start(await stack.read(post.id))
    return await comes_to_be(stack, post.id, TargetStatus.HELD)


async def test_posts_of_a_revoked_account_are_held_until_it_is_reconnected(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    first = await held_post(stack, "held first", account)
    (target,) = first.targets
    assert first.status == PostStatus.PUBLISHING
    assert target.hold_reason == HoldReason.RECONNECT
    assert target.error_category == "auth"
    assert "connect" in (target.error or "").lower()
    asked = await sends(stack)
    second = await held_post(stack, "held second", account)
    assert await sends(stack) == asked, "an account that is known to be refused is not tried"
    await stack.reconnect(account)
    for post in (first, second):
        published = await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
        assert published.targets[0].hold_reason is None
        assert published.targets[0].error is None
    assert [len(await stack.public(words)) for words in ("held first", "held second")] == [1, 1]


async def test_posts_of_a_locked_account_are_held_although_x_still_knows_it(stack: Stack) -> None:
    account = await stack.connect("twitter")
    locked = {"errors": [{"code": 326, "message": "To protect our users, this account is temporarily locked."}]}
    await stack.fault("twitter", "reject", "publish", accountId=account.id, status=403, body=locked)
    post = await held_post(stack, "held while locked", account)
    (target,) = post.targets
    assert (target.hold_reason, target.error_category) == (HoldReason.RECONNECT, "auth")
    assert target.error is not None
    assert "Log in at x.com and unlock it" in target.error
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(recheck_at=datetime.now(UTC)))
    await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
    assert len(await stack.public("held while locked")) == 1


async def test_posts_of_a_private_account_are_held_although_instagram_still_knows_it(stack: Stack) -> None:
    account = await stack.connect("instagram")
    error = {"message": "(#10) The user is not an Instagram Business", "type": "OAuthException", "code": 10}
    await stack.fault("instagram", "reject", "prepare", accountId=account.id, status=400, body={"error": error})
    post = await stack.save("held while private", [account], media=["https://example.com/a.jpg"])
    await stack.start(post)
    (target,) = (await comes_to_be(stack, post.id, TargetStatus.HELD)).targets
    assert (target.hold_reason, target.error_category) == (HoldReason.RECONNECT, "auth")
    assert "professional" in (target.error or "")


async def test_posts_of_an_account_with_another_workspaces_app_are_held(stack: Stack) -> None:
    account = await stack.connect("twitter", clientId=OTHERS_APP["clientId"])
    (target,) = (await held_post(stack, "not by this app", account)).targets
    assert (target.hold_reason, target.error_category) == (HoldReason.RECONNECT, "auth")
    assert target.error == (
        "This X account was connected by an app that its workspace may not use. "
        "Connect it again by an app of the workspace."
    )
    assert await stack.public("not by this app") == []


async def test_an_account_that_works_again_releases_its_posts_by_itself(stack: Stack) -> None:
    account = await stack.connect("instagram")
    await stack.fault("instagram", "token_expired", "publish")
    await stack.fault("instagram", "token_expired", "auth")
    post = await stack.save("a hiccup", [account], media=["https://example.com/hiccup.jpg"])
    await stack.start(post)
    await comes_to_be(stack, post.id, TargetStatus.HELD)
    refused = await row(stack, account)
    assert refused.refusal_count == 1
    assert refused.recheck_at is not None
    assert refused.recheck_at > datetime.now(UTC) + timedelta(seconds=5)
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(recheck_at=datetime.now(UTC)))
    await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
    assert len(await stack.public("a hiccup")) == 1

    async def trusted() -> bool:
        return (await row(stack, account)).refusal_count == 0

    async with asyncio.timeout(60):
        while not await trusted():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)


async def test_held_post_fails_after_its_publish_window(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await held_post(stack, "too stale", account, publish_within=3)
    failed = await stack.settled(post.id)
    (target,) = failed.targets
    assert failed.status == PostStatus.FAILED
    assert (target.error_code, target.error_category) == ("publish_window_passed", "auth")
    assert target.retryable
    assert target.hold_reason is None
    assert "within the time" in (target.error or "")
    await stack.reconnect(account)
    await stack.retry(failed)
    await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)


async def test_a_held_post_can_be_deleted_and_is_surely_not_sent(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await held_post(stack, "held and deleted", account)
    await stack.delete(post)
    await stack.reconnect(account)
    await stack.client.get_workflow_handle(post.workflow_id).result()
    assert await stack.public("held and deleted") == []


async def test_post_is_held_once_its_other_targets_are_published(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_publish, "LOCAL_LIMIT_S", 0.1)
    await stack.fault("instagram", "accept_then_delay", "publish", seconds=3)
    accounts = [await stack.revoked("twitter"), stack.accounts["instagram"]]
    post = await stack.save("one held, one slow", accounts, media=["https://example.com/slow.jpg"])
    handle = await stack.start(post)
    await comes_to_be(stack, post.id, TargetStatus.HELD)
    assert (await handle.query("status"))["waiting_for"] == "Publishing."
    async with asyncio.timeout(60):
        while (status := await handle.query("status"))["waiting_for"] == "Publishing.":  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert status["waiting_for"].startswith("Held")
    assert {target["status"] for target in status["targets"]} == {"held", "published"}


async def test_an_operator_releases_by_signal_and_it_is_held_again(stack: Stack) -> None:
    account = await stack.revoked("twitter")
    post = await held_post(stack, "let go in vain", account)
    handle = stack.client.get_workflow_handle(post.workflow_id)
    status = await handle.query("status")
    assert status["waiting_for"].startswith("Held")
    assert status["targets"][0]["status"] == "held"
    await handle.signal("release")

    async def tried() -> int:
        async with stack.database.transaction() as session:
            return len(await list_attempts(session, post.id))

    async with asyncio.timeout(60):
        while await tried() < 2:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert (await stack.read(post.id)).targets[0].status == TargetStatus.HELD
    await stack.delete(post)


async def test_overdue_target_beyond_its_window_is_not_sent(stack: Stack) -> None:
    post = await stack.save("yesterday's news", [stack.accounts["plain"]])
    async with stack.database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=25)
        await session.execute(update(Post).where(Post.id == post.id).values(due_at=long_ago))
        await session.execute(update(Target).where(Target.post_id == post.id).values(due_at=long_ago))
    await stack.start(await stack.read(post.id))
    failed = await stack.settled(post.id)
    assert failed.targets[0].error_code == "publish_window_passed"
    assert await stack.public("yesterday's news") == []


async def test_one_posts_refusal_does_not_refuse_the_account(stack: Stack) -> None:
    account = await stack.connect("twitter")
    refusal = {
        "title": "Forbidden",
        "type": "https://api.x.com/2/problems/not-authorized-for-resource",
        "detail": "No.",
    }
    await stack.fault("twitter", "reject", "publish", status=403, body=refusal, accountId=account.id, times=3)
    post = await stack.save("forbidden here", [account])
    await stack.start(post)
    failed = await comes_to_be(stack, post.id, TargetStatus.FAILED, seconds=40)
    assert failed.targets[0].error_code == "not_authorized_for_resource"
    assert (await row(stack, account)).refused_at is None
    # The number of attempts depends on X's rules, and is not checked here.
    await stack.clear_faults()
    assert (await stack.publish("allowed here", [account])).status == PostStatus.PUBLISHED


@pytest.mark.usefixtures("no_read_lag")
async def test_unverified_refusal_does_not_refuse_the_account(stack: Stack) -> None:
    account = await stack.connect("instagram")
    await stack.fault("instagram", "token_expired", "publish", accountId=account.id)
    await stack.fault("instagram", "drop", "auth")
    post = await stack.save("who is this", [account], media=["https://example.com/who.jpg"])
    await stack.start(post)
    await comes_to_be(stack, post.id, TargetStatus.PUBLISHED)
    assert (await row(stack, account)).refused_at is None
