"""Accounts, replies, quotes and refusals of X over real HTTP."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import Identity
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from platforms.twitter.lookup import published
from platforms.twitter.platform import post_body
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig, Sandbox


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
