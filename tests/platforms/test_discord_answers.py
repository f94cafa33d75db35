"""Responses of Discord that are lost, or cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.post import Media
from platforms.base import Absent, Published, Unknown
from platforms.discord import PLATFORM
from platforms.errors import ErrorKind
from platforms.files import MediaFile
from tests.platforms.discord_rig import lost, publish, refused, requests_of
from tests.platforms.rig import Rig


@pytest.mark.parametrize("names", [[], ["a.jpg", "b.mp4"]])
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_a_bot_published_without_an_answer_is_found(bot: Rig, fault: str, names: list[str]) -> None:
    await publish(bot, bot.context("Something else", [bot.sandbox.media(name) for name in names]))
    context = bot.context("  Hi\n there ", [bot.sandbox.media(name) for name in names])
    assert (await lost(bot, context, fault)).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(bot.connection(), context)
    [post, _] = await bot.posts()
    assert isinstance(found, Published)
    assert found.platform_post_id == post["platformPostId"]
    assert (await PLATFORM.complete(bot.connection(), context, found)).url
    again = await PLATFORM.publish(bot.connection(), context)
    assert again.platform_post_id == post["platformPostId"]
    assert len(await bot.posts()) == 2


async def test_a_bot_knows_its_embeds_again(bot: Rig) -> None:
    await publish(bot, bot.context("", settings={"embeds": [{"title": "Yesterday"}]}))
    context = bot.context("", settings={"embeds": [{"title": "Today", "url": "https://example.com"}]})
    await lost(bot, context, "accept_then_drop")
    found = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == (await bot.posts())[0]["platformPostId"]


async def test_a_bot_knows_its_poll_again(bot: Rig) -> None:
    poll = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
    context = bot.context("Well?", settings={"poll": poll})
    await lost(bot, context, "drop")
    await publish(bot, bot.context("Well?", settings={"poll": {**poll, "question": "Or milk?"}}))
    await publish(bot, bot.context("Well?"))
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()
    await lost(bot, context, "accept_then_drop")
    found = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == (await bot.posts())[0]["platformPostId"]


async def test_an_answer_that_comes_too_late_is_confirmed(bot: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
    await bot.sandbox.fault("discord", "accept_then_delay", "publish", seconds=1)
    context = bot.context("Hi", started_at=datetime.now(UTC))
    assert (await refused(PLATFORM.publish(bot.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(bot.connection(), context), Published)
    assert len(await bot.posts()) == 1


async def test_what_never_landed_is_absent(bot: Rig) -> None:
    old = bot.context("Hi")
    await publish(bot, old)
    context = bot.context("Hi")
    assert (await lost(bot, context, "drop")).kind is ErrorKind.UNCONFIRMED
    context.started_at = datetime.now(UTC) + timedelta(minutes=10)
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()
    assert await PLATFORM.confirm(bot.connection(), bot.context("Hi")) == Absent()


async def test_of_several_alike_the_nearest_in_time_is_ours(bot: Rig) -> None:
    first = await publish(bot, bot.context("Hi"))
    context = bot.context("Hi", started_at=datetime.now(UTC) - timedelta(minutes=2))
    second = await PLATFORM.publish(bot.connection(), bot.context("Hi"))
    found = await PLATFORM.confirm(bot.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == first.platform_post_id != second.platform_post_id


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


@pytest.mark.parametrize("body", ["<html>", {"message": "?"}, [1], [{"content": "Hi"}]])
async def test_what_cannot_be_read_is_no_empty_channel(bot: Rig, body: Any) -> None:
    me = {"id": "1"}
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=body)
    context = bot.context("Hi", started_at=datetime.now(UTC))
    assert (await refused(PLATFORM.confirm(bot.connection(), context))).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("names", [[], ["a.jpg"]])
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_a_webhook_published_without_an_answer_can_never_be_told(
    hook: Rig, fault: str, names: list[str]
) -> None:
    context = hook.context("Hi", [hook.sandbox.media(name) for name in names])
    assert (await lost(hook, context, fault)).kind is ErrorKind.UNCONFIRMED
    before = len(await requests_of(hook))
    assert await PLATFORM.confirm(hook.connection(), context) == Unknown(final=True)
    assert len(await requests_of(hook)) == before
    assert len(await hook.posts()) == 1


async def test_a_webhooks_crash_while_the_files_come_is_told_from_one_after_sending(hook: Rig) -> None:
    fetching = asyncio.Event()

    class Slow:
        @asynccontextmanager
        async def open(self, media: Media) -> AsyncIterator[MediaFile]:
            fetching.set()
            await asyncio.Event().wait()
            yield MediaFile("image/jpeg", 0, lambda _: iter(()))  # type: ignore[arg-type]

    context = hook.context("Hi", [hook.sandbox.media("a.jpg")])
    files, context.media = context.media, Slow()
    run = asyncio.create_task(PLATFORM.publish(hook.connection(), context))
    await fetching.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    context.handles = hook.saved[-1] if hook.saved else {}
    assert await PLATFORM.confirm(hook.connection(), context) == Absent(never_sent=True)
    context.media = files
    await PLATFORM.publish(hook.connection(), context)
    context.handles = hook.saved[-1]
    assert await PLATFORM.confirm(hook.connection(), context) == Unknown(final=True)


@pytest.mark.parametrize("body", ["<html>hello</html>", {}, {"id": 5}, []])
async def test_a_success_by_status_alone_is_unconfirmed(either: Rig, body: Any) -> None:
    await either.sandbox.fault("discord", "reject", "publish", status=200, body=body)
    assert (await refused(PLATFORM.publish(either.connection(), either.context("Hi")))).kind is ErrorKind.UNCONFIRMED


def bearer(rig: Rig) -> dict[str, str]:
    return {"Authorization": f"Bot {rig.stored.access_token.get_secret_value()}"}
