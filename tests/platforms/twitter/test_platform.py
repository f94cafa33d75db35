"""Accounts, replies, quotes and refusals of X over real HTTP."""

import time
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import Identity
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from platforms.twitter.errors import read_error
from platforms.twitter.lookup import published
from platforms.twitter.media import PIECE_BYTES, media_ids, media_keys
from platforms.twitter.platform import post_body
from platforms.twitter.rules import MEGABYTE, file_rules
from tests.platforms.error_shapes import answer
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig, Sandbox
from tests.platforms.sources import Given


async def test_whoami_returns_the_account_and_whether_it_is_premium(x: Rig, premium: Rig) -> None:
    who = await PLATFORM.whoami(x.connection())
    assert (who.user_id, who.username, who.premium) == (x.account.user_id, x.account.username, False)
    assert (await PLATFORM.whoami(premium.connection())).premium


@pytest.mark.parametrize(
    ("facts", "is_premium"),
    [
        ({"verified_type": "blue"}, True),
        ({"verified_type": "business"}, False),
        ({"verified_type": "blue", "subscription_type": "None"}, False),
        ({"subscription_type": "PremiumPlus"}, True),
        ({}, False),
    ],
)
async def test_premium_follows_the_subscription_that_x_reports(
    x: Rig, sandbox: Sandbox, facts: dict[str, str], is_premium: bool
) -> None:
    body = {"data": {"id": "7", "username": "seven", **facts}}
    await sandbox.fault("twitter", "reject", "auth", status=200, body=body)
    assert await PLATFORM.whoami(x.connection()) == Identity("7", "seven", is_premium)


async def test_a_premium_account_publishes_long_texts(premium: Rig) -> None:
    text = "long " * 1000
    result = await publish(premium, premium.context(text))
    [post] = await premium.posts()
    assert (post["platformPostId"], post["text"]) == (result.platform_post_id, text)


async def test_polls_replies_and_quotes_are_published(x: Rig) -> None:
    poll = {"options": ["Yes", "No"], "durationMinutes": 60}
    await publish(x, x.context("which?", settings={"poll": poll, "replySettings": "mentionedUsers"}))
    first = await publish(x, x.context("first"))
    await publish(x, x.context("second", settings={"replyToTweetId": first.platform_post_id}))
    await publish(x, x.context("third", settings={"quoteTweetId": first.platform_post_id}))
    assert [post["text"] for post in await x.posts()] == ["third", "second", "first", "which?"]


@pytest.mark.parametrize("name", ["replyToTweetId", "quoteTweetId"])
async def test_a_post_that_may_not_be_answered_refuses_no_account(x: Rig, name: str) -> None:
    own = await publish(x, x.context("our own"))
    await x.sandbox.switch_on("twitter", "not_mentioned", x.account.account_id)
    error = await refused(publish(x, x.context("not summoned", settings={name: "1445880548472328192"})))
    assert (error.kind, error.status) == (ErrorKind.REJECTED, 403)
    assert "mention" in error.message
    await publish(x, x.context("summoned", settings={name: own.platform_post_id}))


@pytest.mark.parametrize("name", ["replyToTweetId", "quoteTweetId"])
async def test_anothers_post_must_mention_the_account(connect: Connect, x: Rig, name: str) -> None:
    other = await connect("twitter")
    silent = await publish(other, other.context("to nobody"))
    summons = await publish(other, other.context(f"what does @{x.account.username} say?"))
    error = await refused(publish(x, x.context("unasked", settings={name: silent.platform_post_id})))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "not_authorized_for_resource")
    await publish(x, x.context("asked", settings={name: summons.platform_post_id}))


@pytest.mark.parametrize(
    ("condition", "status", "words"),
    [
        ("app_refused", 402, "Buy credits"),
        ("spend_cap_reached", 403, "Raise the cap"),
        ("app_forbidden", 403, "access level"),
    ],
)
async def test_a_refusal_of_the_app_by_x_is_an_operator_error(
    x: Rig, sandbox: Sandbox, condition: str, status: int, words: str
) -> None:
    with_picture = x.context("with a picture", [sandbox.media("unpaid.jpg")])
    await sandbox.switch_on("twitter", condition, x.account.account_id)
    calls: list[Awaitable[Any]] = [
        PLATFORM.whoami(x.connection()),
        PLATFORM.prepare(x.connection(), with_picture),
        PLATFORM.publish(x.connection(), x.context("a text")),
        PLATFORM.confirm(x.connection(), x.context("a text", started_at=datetime.now(UTC))),
        PLATFORM.edit(x.connection(), published("1"), "a text", {}),
    ]
    for call in calls:
        error = await refused(call)
        assert (error.kind, error.status) == (ErrorKind.OPERATOR, status)
        assert words in error.message
    await sandbox.clear_conditions("twitter")
    await publish(x, with_picture)


async def test_posts_without_the_fields_that_were_asked_for_prove_nothing(x: Rig, sandbox: Sandbox) -> None:
    """X responds with 200 and ignores names of fields that it does not know."""
    body = {"data": [{"id": "1", "text": "with a picture"}], "meta": {"result_count": 1}}
    await sandbox.fault("twitter", "reject", "confirm", status=200, body=body)
    context = x.context("with a picture", [sandbox.media("there.jpg")], started_at=datetime.now(UTC))
    error = await refused(PLATFORM.confirm(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "fields_missing")


async def test_media_alone_are_sent_without_an_empty_text(x: Rig, sandbox: Sandbox) -> None:
    assert "text" not in post_body(x.context("", [sandbox.media("a.jpg")]).draft, ["1"])


async def test_a_long_post_and_a_reply_are_recognised(premium: Rig) -> None:
    first = await publish(premium, premium.context("a start"))
    for text, settings in [
        ("long https://example.com/a & " * 100, {}),
        ("@someone an answer", {"replyToTweetId": first.platform_post_id}),
    ]:
        context = premium.context(text, settings=settings)
        result = await publish(premium, context)
        assert await PLATFORM.confirm(premium.connection(), context) == result


@pytest.mark.parametrize("who", ["user", "app"])
def test_a_limit_of_24_hours_is_a_cap_until_its_own_reset(who: str) -> None:
    day = f"x-{who}-limit-24hour"
    headers = {"x-rate-limit-reset": "1", f"{day}-reset": str(int(time.time()) + 7200)}
    error = read_error(answer(429, **headers, **{f"{day}-remaining": "0"}))
    assert error.kind is ErrorKind.CAPPED
    assert timedelta(seconds=7100) < (error.retry_after or timedelta()) <= timedelta(seconds=7200)
    error = read_error(answer(429, **headers, **{f"{day}-remaining": "3"}))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=1))


VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/long.mp4")


@pytest.fixture
async def x(connect: Connect) -> Rig:
    return await connect("twitter")


async def a_large_video(sandbox: Sandbox) -> bytes:
    """Return a playable video of three pieces: the bytes after its last box are not read."""
    video = (await sandbox.client.get(sandbox.media("large.mp4").url)).content
    return video + bytes(2 * PIECE_BYTES + 1000)


async def paths(rig: Rig) -> list[str]:
    return [request["path"].rpartition("/")[2] for request in await rig.requests()]


@pytest.mark.thorough
async def test_another_file_behind_the_same_url_starts_again(x: Rig, sandbox: Sandbox) -> None:
    context = replace(x.context("", [VIDEO]), media=Given(await a_large_video(sandbox)))
    await sandbox.fault("twitter", "reject", "prepare", times=1, status=503)
    await refused(PLATFORM.prepare(x.connection(), context))
    context.handles["media"]["0"] |= {"stage": "sending", "size": 7, "pieces": 1, "id": "1", "expiresAt": 2**31}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["id"] != "1"
    assert context.handles["media"]["0"]["pieces"] == 3


async def test_one_image_that_fails_does_not_lose_the_others(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media(f"some{index}.jpg") for index in range(3)])
    await sandbox.fault("twitter", "reject", "prepare", status=503)
    assert (await refused(PLATFORM.prepare(x.connection(), context))).kind is ErrorKind.TRANSIENT
    ready = [name for name, upload in x.saved[-1]["media"].items() if upload.get("stage") == "ready"]
    assert len(ready) == 2
    before = len(await paths(x))
    await PLATFORM.prepare(x.connection(), context)
    assert (await paths(x))[before:] == ["upload"]
    assert len(set(media_ids(context.handles))) == 3


async def test_an_upload_x_has_lost_is_made_again_and_only_then_at_fault(x: Rig, sandbox: Sandbox) -> None:
    lost = {"url": VIDEO.url, "stage": "processing", "id": "1", "key": "7_1", "expiresAt": int(time.time()) + 9_000}
    context = replace(x.context("", [VIDEO], handles={"media": {"0": lost}}), media=Given(await a_large_video(sandbox)))
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "invalid_request")
    assert x.saved[-1] == {"media": {}}
    await PLATFORM.prepare(x.connection(), context)
    assert context.handles["media"]["0"]["stage"] == "ready"


async def test_alt_texts_reach_x(x: Rig, sandbox: Sandbox) -> None:
    context = x.context("", [sandbox.media("described.png", "two birds"), sandbox.media("bare.png")])
    await PLATFORM.prepare(x.connection(), context)
    [body] = x.bodies("/2/media/metadata")
    assert body == {
        "id": context.handles["media"]["0"]["id"],
        "metadata": {"alt_text": {"text": "two birds"}},
    }
    assert media_keys(context.handles) == {upload["key"] for upload in context.handles["media"].values()}


async def test_a_video_goes_up_in_smaller_pieces_if_x_wants_them(x: Rig, sandbox: Sandbox) -> None:
    await sandbox.switch_on("twitter", "small_pieces")
    source = Given(await a_large_video(sandbox))
    context = replace(x.context("", [VIDEO]), media=source)
    error = await refused(PLATFORM.prepare(x.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "smaller_pieces")
    await PLATFORM.prepare(x.connection(), context)
    await sandbox.clear_conditions("twitter")
    assert context.handles["media"]["0"]["stage"] == "ready"


def test_videos_may_be_as_long_as_x_takes_them() -> None:
    def longest(*, premium: bool) -> tuple[float | None, int | None]:
        (rule,) = [rule for rule in file_rules(premium=premium) if rule.kind is MediaType.VIDEO]
        return rule.max_seconds, rule.max_bytes

    assert longest(premium=False) == (20 * 60, 8_000 * MEGABYTE)
    assert longest(premium=True) == (125 * 60, 16_000 * MEGABYTE)
