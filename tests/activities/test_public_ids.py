"""The ids of published posts: saved late, assigned before, and given to one target only."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.testing import ActivityEnvironment

from domain.post import TargetStatus
from platforms.base import PublishContext, Published
from platforms.registry import platforms
from runtime.parts import WorkerParts
from store.models import Target
from tests.activities.test_publish import at_its_end, attempts, command
from tests.stack import Stack


async def test_late_public_id_is_saved(stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.tiktok.media.CHECK_PAUSES", (0,))
    monkeypatch.setattr("platforms.tiktok.media.CHECKS_FOR_ID", 1)
    account = await stack.connect("tiktok", refreshToken="r", clientKey="k", clientSecret="s")
    settings = {"privacyLevel": "PUBLIC_TO_EVERYONE", "contentPreviewConfirmed": True, "expressConsentGiven": True}
    video = ("https://example.com/late.mp4",)
    post = await stack.save("moderated", [account], media=video, settings=settings)
    for ids in ([], [], ["7301"]):
        body = {"data": {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids}, "error": {"code": "ok"}}
        await stack.fault("tiktok", "reject", "confirm", status=200, body=body)
    outcome = await ActivityEnvironment().run(parts.publishing().publish, command(post))
    assert (outcome.status, outcome.incomplete) == (TargetStatus.PUBLISHED, True)
    assert outcome.platform_post_id != "7301"
    outcome = await at_its_end(timedelta(hours=1)).run(parts.completing().complete, command(post))
    (target,) = (await stack.read(post.id)).targets
    assert (outcome.platform_post_id, target.platform_post_id) == ("7301", "7301")
    assert (target.platform_post_url or "").endswith("/video/7301")


async def test_assigned_key_is_saved_with_the_attempt(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await stack.save("known by its key", [await stack.connect("bluesky")])
    rows = list[dict[str, Any]]()

    async def assign_key(context: PublishContext[Any]) -> None:
        await context.save({"key": "ours"})
        rows.append((await stack.read(post.id)).targets[0].handles)

    async def publish(_: object, context: PublishContext[Any]) -> Published:
        rows.append((await stack.read(post.id)).targets[0].handles)
        return Published("1", None)

    monkeypatch.setattr(platforms()["bluesky"], "assign_key", assign_key)
    monkeypatch.setattr(platforms()["bluesky"], "publish", publish)
    await ActivityEnvironment().run(parts.publishing().publish, command(post))
    before, sending = rows
    assert (before, sending["key"], sending["version"]) == ({}, "ours", 1)


@pytest.mark.parametrize("days", [0, 2])
async def test_an_old_answer_to_a_first_send_gives_no_post_to_two_targets(
    stack: Stack, parts: WorkerParts, days: int
) -> None:
    """A proxy may send an old answer once more. Ids of other days may come again, as if a group of Telegram moves."""
    account, run = await stack.connect("twitter"), ActivityEnvironment().run
    first = await stack.save(f"first of {days} days", [account])
    second = await stack.save(f"second of {days} days", [account])
    published = await run(parts.publishing().publish, command(first))
    async with stack.database.transaction() as session:
        then = datetime.now(UTC) - timedelta(days=days)
        await session.execute(update(Target).where(Target.id == first.targets[0].id).values(published_at=then))
    stale = {"data": {"id": published.platform_post_id, "text": "first"}}
    await stack.fault("twitter", "reject", "publish", status=201, body=stale)
    outcome = await run(parts.publishing().publish, command(second))
    if days:
        assert (outcome.status, outcome.platform_post_id) == (TargetStatus.PUBLISHED, published.platform_post_id)
    else:
        assert (outcome.status, outcome.confirming, outcome.platform_post_id) == (TargetStatus.UNCONFIRMED, True, None)
        assert (await attempts(stack, second))[-1] == ("publish", "unconfirmed")
        assert (await stack.read(first.id)).targets[0].platform_post_id == published.platform_post_id
