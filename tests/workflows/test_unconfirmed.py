"""Lost responses: confirmed, and never sent again without confirming."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from activities import options
from domain.errors import Conflict
from domain.post import PostStatus, TargetStatus
from store.publishing.targets import list_attempts
from tests.stack import Stack


@pytest.mark.parametrize("platform", ["twitter", "instagram"])
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_public_post_is_found_with_its_id(stack: Stack, platform: str, fault: str) -> None:
    text = f"{platform} {fault}"
    await stack.fault(platform, fault, "publish")
    post = await stack.publish(text, [stack.accounts[platform]], media=["https://example.com/x.jpg"])
    (public,) = await stack.public(text)
    (target,) = post.targets
    assert post.status == PostStatus.PUBLISHED
    assert target.platform_post_id == public["platformPostId"]
    assert target.error is None


@pytest.mark.parametrize("platform", ["twitter", "instagram"])
async def test_certainly_absent_post_is_sent_again(stack: Stack, platform: str, quick_confirms: None) -> None:
    text = f"{platform} dropped"
    await stack.fault(platform, "drop", "publish")
    post = await stack.publish(text, [stack.accounts[platform]], media=["https://example.com/y.jpg"])
    assert post.status == PostStatus.PUBLISHED
    assert len(await stack.public(text)) == 1


async def test_unlisted_public_post_is_published(
    stack: Stack, quick_confirms: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platforms.meta.containers.UNLISTED_FOR", timedelta(0))
    account = stack.accounts["instagram"]
    await stack.switch_on("instagram", "reels_unlisted", account)
    await stack.fault("instagram", "accept_then_drop", "publish")
    media = ["https://example.com/unlisted.mp4"]
    post = await stack.publish("a reel that is not listed", [account], media=media, settings={"shareToFeed": False})
    (target,) = post.targets
    assert (post.status, target.platform_post_id, target.error) == (PostStatus.PUBLISHED, None, None)
    assert target.published_at is not None
    assert "does not list it" in (target.warning or "")
    assert len(await stack.public("a reel that is not listed")) == 1


@pytest.mark.thorough
async def test_post_is_publishing_until_it_is_confirmed(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503)
    post = await stack.save("waits for confirmation", [stack.accounts["twitter"]])
    handle = await stack.start(post)

    async def unconfirmed() -> bool:
        return (await stack.read(post.id)).targets[0].status == TargetStatus.UNCONFIRMED

    assert await stack.outcomes.wait(post.id, unconfirmed, 10)
    row = await stack.read(post.id)
    assert row.status == PostStatus.PUBLISHING
    assert row.targets[0].error_category == "unconfirmed"
    assert (await handle.query("status"))["status"] == "publishing"
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("waits for confirmation")) == 1
    async with stack.database.transaction() as session:
        sent, refused, confirmed = [attempt for attempt, _ in await list_attempts(session, post.id)]
    assert (sent.state, refused.state, confirmed.state) == ("unconfirmed", "refused", "done")
    for attempt, seconds in ((sent, 1), (refused, 5)):
        assert attempt.next_attempt_at is not None
        assert attempt.finished_at is not None
        assert abs(attempt.next_attempt_at - attempt.finished_at - timedelta(seconds=seconds)) < timedelta(seconds=0.5)
    assert confirmed.next_attempt_at is None


async def test_possibly_public_post_is_not_deleted_by_a_new_run(stack: Stack) -> None:
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=9)
    post = await stack.save("unconfirmed and unwanted", [stack.accounts["twitter"]])
    handle = await stack.start(post)

    async def unconfirmed() -> bool:
        return (await stack.read(post.id)).targets[0].status == TargetStatus.UNCONFIRMED

    assert await stack.outcomes.wait(post.id, unconfirmed, 10)
    await handle.terminate(reason="by mistake")
    with pytest.raises(Conflict):
        await stack.delete(await stack.read(post.id))
    await stack.clear_faults()
    # The sweep delivers it again, because its workflow was terminated before the start was recorded.
    await stack.deliver(await stack.read(post.id))
    (target,) = (await stack.settled(post.id)).targets
    assert target.status == TargetStatus.PUBLISHED


@pytest.mark.parametrize(
    ("platform", "fault", "times"),
    [
        ("mastodon", "accept_then_drop", 2),
        ("mastodon", "accept_then_drop", 1),
        ("mastodon", "drop", 1),
        ("reddit", "accept_then_drop", 2),
        ("threads", "accept_then_drop", 2),
    ],
)
async def test_equal_posts_are_both_published_despite_lost_answers(
    stack: Stack, platform: str, fault: str, times: int, quick_confirms: None
) -> None:
    """Only the account's other posts show which of two equal posts a platform shows."""
    text, account = f"equal posts {platform} {fault} {times}", await stack.connect(platform)
    await stack.fault(platform, fault, "publish", times=times)
    settings = {"subreddit": "test"} if platform == "reddit" else None
    posts = [await stack.save(text, [account], settings=settings) for _ in range(2)]
    for post in posts:
        await stack.start(post)
    settled = [await stack.settled(post.id) for post in posts]
    assert [post.status for post in settled] == [PostStatus.PUBLISHED] * 2
    public = sorted(entry["platformPostId"] for entry in await stack.public(text))
    assert sorted(post.targets[0].platform_post_id or "" for post in settled) == public
    assert len(public) == 2


@pytest.mark.parametrize("platform", ["twitter", "linkedin"])
async def test_refused_repeat_is_not_confirmed_by_the_equal_post(
    stack: Stack, platform: str, quick_confirms: None
) -> None:
    text, account = f"refused repeats on {platform}", await stack.connect(platform)
    first = await stack.publish(text, [account])
    await stack.fault(platform, "drop", "publish")
    second = await stack.publish(text, [account])
    assert first.status == PostStatus.PUBLISHED
    (target,) = second.targets
    assert (target.status, target.error_category, target.retryable) == (TargetStatus.FAILED, "rejected", False)
    assert "repeats" in (target.error or "")
    assert target.platform_post_id is None
    assert len(await stack.public(text)) == 1


@pytest.mark.parametrize("verdict", ["REJECTED", "LIVE"])
async def test_post_under_review_at_google_waits_for_the_result(
    stack: Stack, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platforms.googlebusiness.platform.CHECK_PAUSES", (0,))
    account = await stack.connect("googlebusiness", refreshToken="1//r")
    name = f"accounts/1/locations/{account.id.removeprefix('gb_')}/localPosts/{verdict}"
    for operation, state in (("publish", "PROCESSING"), ("confirm", "PROCESSING"), ("confirm", verdict)):
        body = {"name": name, "state": state, "searchUrl": "https://local.google.com/place?id=3"}
        await stack.fault("googlebusiness", "reject", operation, status=200, body=body)
    post = await stack.publish(f"checked, then {verdict}", [account])
    (target,) = post.targets
    if verdict == "LIVE":
        assert (target.status, target.platform_post_id) == (TargetStatus.PUBLISHED, name)
        return
    assert (target.status, target.error_category, target.error_code) == (TargetStatus.FAILED, "rejected", "rejected")
    assert (target.retryable, target.platform_post_id) == (False, None)
    assert "does not show it" in (target.error or "")


@pytest.mark.thorough
async def test_the_wait_before_a_send_is_repeated_doubles_each_time(stack: Stack, quick_confirms: None) -> None:
    account = await stack.connect("linkedin")
    await stack.fault("linkedin", "drop", "publish", times=4)
    post = await stack.publish("dropped again and again", [account])
    assert post.status == PostStatus.PUBLISHED
    async with stack.database.transaction() as session:
        attempts = [attempt for attempt, _ in await list_attempts(session, post.id)]
    sends = [attempt for attempt in attempts if attempt.step == "publish"]
    assert [attempt.state for attempt in sends] == ["unconfirmed"] * 4 + ["done"]
    waits = [
        after.started_at - before.finished_at for before, after in pairwise(sends) if before.finished_at is not None
    ]
    for number, wait in enumerate(waits):
        assert wait >= timedelta(seconds=2**number)
    assert len([entry for entry in attempts if entry.step == "confirm"]) == 4, "only attempts that decided or asked"


@pytest.mark.parametrize("signal", ["retry", "release"])
async def test_signal_confirms_immediately(stack: Stack, signal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "FIRST_CONFIRM_WAITS", (timedelta(seconds=0.1), timedelta(hours=1)))
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503)
    post = await stack.save(f"confirmed after {signal}", [stack.accounts["twitter"]])
    handle = await stack.start(post)

    async def refused_once() -> bool:
        async with stack.database.transaction() as session:
            attempts = [attempt for attempt, _ in await list_attempts(session, post.id)]
        return [attempt.step for attempt in attempts] == ["publish", "confirm"]

    assert await stack.outcomes.wait(post.id, refused_once, 10)
    await handle.signal(signal)
    (target,) = (await stack.settled(post.id)).targets
    assert target.status == TargetStatus.PUBLISHED
    assert len(await stack.public(f"confirmed after {signal}")) == 1


async def test_an_attempt_that_is_asked_for_makes_no_later_one_wait_longer(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = (timedelta(seconds=0.1), timedelta(seconds=4), timedelta(hours=1))
    monkeypatch.setattr(options, "FIRST_CONFIRM_WAITS", waits)
    await stack.fault("twitter", "accept_then_drop", "publish")
    await stack.fault("twitter", "reject", "confirm", status=503, times=2)
    post = await stack.save("asked for too early", [stack.accounts["twitter"]])
    handle = await stack.start(post)

    async def confirmed(times: int) -> bool:
        async with stack.database.transaction() as session:
            attempts = [attempt for attempt, _ in await list_attempts(session, post.id)]
        return [attempt.step for attempt in attempts] == ["publish", *["confirm"] * times]

    assert await stack.outcomes.wait(post.id, lambda: confirmed(1), 60)
    await handle.signal("retry")
    assert await stack.outcomes.wait(post.id, lambda: confirmed(2), 3)
    (waiting,) = (await stack.read(post.id)).targets
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at - datetime.now(UTC) < timedelta(seconds=4)
    (target,) = (await stack.settled(post.id)).targets
    assert target.status == TargetStatus.PUBLISHED
