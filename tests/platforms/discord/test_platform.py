"""Channels, webhooks and files of Discord over real HTTP, and messages whose responses are lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from domain.post import Media
from platforms.base import Absent, Draft, Published, Unknown
from platforms.discord import PLATFORM
from platforms.discord.platform import file_parts
from platforms.discord.rules import DiscordCredentials
from platforms.errors import ErrorKind
from platforms.files import MediaFile
from tests.platforms.post_steps import lost, publish, refused, refused_send
from tests.platforms.rig import Rig


async def test_a_nonce_that_is_shown_decides(bot: Rig) -> None:
    me = (await bot.sandbox.client.get(f"{bot.sandbox.url}/discord/users/@me", headers=bearer(bot))).json()
    context = bot.context("Hi", started_at=datetime.now(UTC))
    shown = {"author": me, "content": "Hi", "attachments": [], "embeds": []}
    page = [{"id": "334385199974967044", "nonce": "another", **shown}]
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=me)
    await bot.sandbox.fault("discord", "reject", "confirm", status=200, body=page)
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()


def bearer(rig: Rig) -> dict[str, str]:
    return {"Authorization": f"Bot {rig.stored.access_token.get_secret_value()}"}


@pytest.mark.parametrize(("kind", "known"), [(0, True), (5, True), (11, True), (15, False), (16, False), (4, False)])
async def test_whoami_refuses_channels_that_take_no_messages(bot: Rig, kind: int, known: bool) -> None:
    body = {"id": "1", "type": kind, "name": "news"}
    await bot.sandbox.fault("discord", "reject", "auth", status=200, body=body)
    if known:
        assert (await PLATFORM.whoami(bot.connection())).username == "news"
    else:
        assert (await refused(PLATFORM.whoami(bot.connection()))).kind is ErrorKind.REJECTED


@pytest.mark.parametrize(
    ("kind", "url", "content_type", "name"),
    [
        ("image", "https://example.com/x", "image/jpeg", "image2.jpg"),
        ("gif", "https://example.com/x", "image/gif", "gif2.gif"),
        ("video", "https://example.com/x", "video/quicktime", "video2.mov"),
        ("document", 'https://example.com/a/Menu%20"Mai".pdf?x=1', "application/pdf", "Menu-Mai-.pdf"),
        ("document", "https://example.com/plan.docx", "application/zip", "plan.docx"),
        ("document", "https://example.com/", "application/pdf", "document2.pdf"),
        ("document", f"https://example.com/{'x' * 300}", "application/pdf", "x" * 100),
    ],
)
def test_files_have_names_that_a_form_can_carry(kind: str, url: str, content_type: str, name: str) -> None:
    media = Media.model_validate({"type": kind, "url": url})
    file = MediaFile(content_type, 1, lambda _: iter(()))  # type: ignore[arg-type]
    draft = Draft("", (media, media), PLATFORM.settings())
    assert file_parts(draft, [file, file])[1].filename == name


async def test_a_bot_publishes_in_threads_and_other_channels(bot: Rig) -> None:
    for name in ("threadId", "channelId"):
        published = await publish(bot, bot.context("Hi", settings={name: "334385199974967042"}))
        assert str(published.url).split("/")[-2] == "334385199974967042"


@pytest.mark.parametrize("name", ["threadId", "channelId"])
async def test_a_bot_publishes_on_another_server_only_if_that_is_allowed(bot: Rig, name: str) -> None:
    """One bot is in the servers of many customers; each of its accounts is one of these servers."""
    elsewhere = "999385199974967042"
    error = await refused(publish(bot, bot.context("Hi", settings={name: elsewhere})))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "place_not_allowed")
    assert f"{name}={elsewhere}" in error.message
    assert await bot.posts() == []
    bot.account = replace(bot.account, allowed={name: [elsewhere]})
    await publish(bot, bot.context("Hi", settings={name: elsewhere}))
    [post] = await bot.posts()
    assert post["text"] == "Hi"


async def test_a_webhook_publishes_in_threads_and_begins_them(hook: Rig) -> None:
    inside = await publish(hook, hook.context("Hi", settings={"threadId": "334385199974967042"}))
    begun = await publish(hook, hook.context("Hi", settings={"threadName": "Release", "username": "Ada"}))
    assert str(inside.url).split("/")[-2] == "334385199974967042"
    assert str(begun.url).split("/")[-2] not in {"334385199974967042", str(int(hook.account.user_id) + 1)}


async def test_files_that_are_too_large_together_are_never_sent(either: Rig) -> None:
    class Large:
        @asynccontextmanager
        async def open(self, media: Media) -> AsyncIterator[MediaFile]:
            yield MediaFile("video/mp4", 9 * 1024 * 1024, lambda _: iter(()))  # type: ignore[arg-type]

    context = either.context("Hi", [either.sandbox.media(f"{number}.mp4") for number in range(3)])
    context.media = Large()
    error = await refused(PLATFORM.publish(either.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "files_too_large")
    assert error.message == "Discord allows 25 MB of files in a post; these have 27.0 MB."
    assert either.sent == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"code": 50013, "message": "Missing Permissions"}, None),
        (404, {"code": 10003, "message": "Unknown Channel"}, None),
        (503, {"code": 0, "message": "x"}, ErrorKind.TRANSIENT),
    ],
)
async def test_a_published_message_whose_address_cannot_be_read_does_not_fail(
    bot: Rig, status: int, body: Any, kind: ErrorKind | None
) -> None:
    context, published = bot.context("Hi"), Published("1", None)
    await bot.sandbox.fault("discord", "reject", "auth", status=status, body=body)
    if kind is None:
        assert await PLATFORM.complete(bot.connection(), context, published) == published
    else:
        assert (await refused(PLATFORM.complete(bot.connection(), context, published))).kind is kind


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"botToken": "t"},
        {"channelId": "1"},
        {"webhookUrl": None},
        {"botToken": "t", "channelId": "general"},
        {"botToken": "t", "channelId": "1", "webhookUrl": "https://discord.com/api/webhooks/1/t"},
        {"webhookUrl": "https://discord.com/channels/1/2"},
        {"webhookUrl": "https://discord.com/api/webhooks/1/secret/slack"},
        {"webhookUrl": "https://discord.com/api/webhooks/1/secret?x=/webhooks/2/y"},
    ],
)
def test_credentials_are_of_one_kind(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        DiscordCredentials.model_validate(fields)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://discord.com/api/webhooks/222/TO-ken_1",
        "https://canary.discord.com/api/v10/webhooks/222/TO-ken_1/",
        "http://127.0.0.1:8080/discord/webhooks/222/TO-ken_1",
    ],
)
def test_a_webhooks_address_is_read_and_kept(url: str) -> None:
    read = DiscordCredentials.model_validate({"webhookUrl": url})
    assert (read.webhook, read.access_token.get_secret_value()) == ("222", "TO-ken_1")
    assert DiscordCredentials.model_validate({"access_token": "TO-ken_1", "user_id": "webhook-222"}) == read


async def test_a_channel_whose_history_is_hidden_proves_no_absence(bot: Rig) -> None:
    context = bot.context("Made, and not to be seen")
    assert (await lost(bot, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    await bot.sandbox.switch_on("discord", "history_hidden", bot.account.account_id)
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown()
    await bot.sandbox.clear_conditions("discord")
    assert isinstance(await PLATFORM.confirm(bot.connection(), context), Published)


async def test_an_empty_channel_is_absence_although_its_history_is_hidden(bot: Rig) -> None:
    await bot.sandbox.switch_on("discord", "history_hidden", bot.account.account_id)
    context = bot.context("Never made")
    assert (await lost(bot, context, "drop")).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(bot.connection(), context) == Absent()


async def test_files_beside_a_text_that_was_rewritten_prove_no_absence(bot: Rig) -> None:
    await bot.sandbox.switch_on("discord", "text_rewritten", bot.account.account_id)
    context = bot.context("Soon\u2026", [bot.sandbox.media("a.jpg")])
    assert (await lost(bot, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown()


async def test_a_message_that_was_deleted_before_its_answer_came_is_not_made_again(bot: Rig) -> None:
    context = bot.context("Deleted by a moderator")
    assert (await lost(bot, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    (message,) = await bot.posts()
    headers = {"authorization": f"Bot {bot.stored.access_token.get_secret_value()}"}
    path = f"{bot.sandbox.url}/discord/channels/{bot.account.user_id}/messages/{message['platformPostId']}"
    (await bot.sandbox.client.delete(path, headers=headers)).raise_for_status()
    error = await refused_send(bot, context)
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "10008")
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown(final=True)
