"""Responses of Discord that are lost, or cannot be read."""

from datetime import UTC, datetime, timedelta

import pytest

from platforms.base import Absent, Published, Unknown
from platforms.discord import PLATFORM
from platforms.errors import ErrorKind
from tests.platforms.post_steps import lost, publish
from tests.platforms.rig import Rig


async def test_a_bot_knows_its_embeds_again(bot: Rig) -> None:
    await publish(bot, bot.context("", settings={"embeds": [{"title": "Yesterday"}]}))
    context = bot.context("", settings={"embeds": [{"title": "Today", "url": "https://example.com"}]})
    await lost(bot, context, "accept_then_drop")
    finding = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await bot.posts())[0]["platformPostId"]


async def test_a_bot_knows_its_poll_again(bot: Rig) -> None:
    poll = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
    context = bot.context("Well?", settings={"poll": poll})
    await lost(bot, context, "drop")
    await publish(bot, bot.context("Well?", settings={"poll": {**poll, "question": "Or milk?"}}))
    await publish(bot, bot.context("Well?"))
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()
    await lost(bot, context, "accept_then_drop")
    finding = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await bot.posts())[0]["platformPostId"]


async def test_a_lost_message_is_absent_and_an_equal_older_one_is_not_taken_for_it(bot: Rig) -> None:
    old = bot.context("Hi")
    await publish(bot, old)
    context = bot.context("Hi")
    assert (await lost(bot, context, "drop")).kind is ErrorKind.UNCONFIRMED
    context.started_at = datetime.now(UTC) + timedelta(minutes=10)
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()
    assert await PLATFORM.confirm(bot.connection(), bot.context("Hi")) == Absent()


async def test_of_equal_messages_the_nearest_in_time_is_matched(bot: Rig) -> None:
    first = await publish(bot, bot.context("Hi"))
    context = bot.context("Hi", started_at=datetime.now(UTC) - timedelta(minutes=2))
    second = await PLATFORM.publish(bot.connection(), bot.context("Hi"))
    finding = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == first.platform_post_id != second.platform_post_id


async def test_equal_messages_of_other_targets_on_the_first_page_prove_no_absence(
    bot: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bot.context("Hi", started_at=datetime.now(UTC))
    first = await publish(bot, bot.context("Hi"))
    await lost(bot, context, "accept_then_drop")
    context.taken = frozenset({first.platform_post_id})
    monkeypatch.setattr("platforms.discord.platform.PAGE", 1)
    monkeypatch.setattr("platforms.discord.platform.MOST_PAGES", 1)
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown()


async def test_a_nonce_that_is_shown_decides(bot: Rig) -> None:
    me = (await bot.sandbox.client.get(f"{bot.sandbox.url}/discord/users/@me", headers=bearer(bot))).json()
    context = bot.context("Hi", started_at=datetime.now(UTC))
    shown = {"author": me, "content": "Hi", "attachments": [], "embeds": []}
    page = [{"id": "334385199974967044", "nonce": "another", **shown}]
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=page)
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()


async def test_a_long_channel_is_searched_page_by_page_and_not_without_end(bot: Rig) -> None:
    me = (await bot.sandbox.client.get(f"{bot.sandbox.url}/discord/users/@me", headers=bearer(bot))).json()
    others = [{"id": str(10**18 + number), "author": {"id": "7"}, "content": "x"} for number in range(100)]
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=others, times=5)
    context = bot.context("Hi", started_at=datetime.now(UTC))
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown()
    ours = {"id": "9", "author": me, "content": "Hi"}
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=others)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=[ours])
    assert await PLATFORM.confirm(bot.connection(), context) == Published("9", None)


def bearer(rig: Rig) -> dict[str, str]:
    return {"Authorization": f"Bot {rig.stored.access_token.get_secret_value()}"}
