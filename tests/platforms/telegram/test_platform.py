"""Chats, albums and documents of Telegram over real HTTP."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from domain.post import Media, MediaType
from platforms.base import Draft, Published, Unknown
from platforms.errors import ErrorKind
from platforms.files import MediaFile
from platforms.telegram import PLATFORM
from platforms.telegram.errors import ChatMovedError, read_error
from platforms.telegram.media import build_call
from platforms.telegram.rules import TelegramCredentials, visible
from platforms.texts.unicode import utf16_length
from tests.platforms.error_shapes import answer
from tests.platforms.post_steps import refused
from tests.platforms.rig import Connect, Rig

Step = Awaitable[Any]


@pytest.fixture
async def bot(connect: Connect) -> Rig:
    return await connect("telegram")


async def test_whoami_returns_the_chat(bot: Rig) -> None:
    for named in (bot.account.user_id, f"@{bot.account.username}"):
        bot.stored = bot.stored.model_copy(update={"user_id": named})
        who = await PLATFORM.whoami(bot.connection())
        assert (who.user_id, who.username) == (bot.account.user_id, bot.account.username)


@pytest.mark.parametrize(
    ("chat", "member", "may"),
    [
        ("channel", {"status": "creator"}, True),
        ("channel", {"status": "administrator", "can_post_messages": True}, True),
        ("channel", {"status": "administrator"}, False),
        ("channel", {"status": "member"}, False),
        ("supergroup", {"status": "member"}, True),
        ("group", {"status": "restricted", "can_send_messages": True}, True),
        ("group", {"status": "restricted", "can_send_messages": False}, False),
        ("private", {"status": "member"}, True),
        ("supergroup", {"status": "kicked"}, False),
    ],
)
async def test_whoami_refuses_a_bot_without_rights(bot: Rig, chat: str, member: dict[str, Any], may: bool) -> None:
    answers: list[dict[str, Any]] = [{"id": 7}, {"id": -100123, "type": chat, "title": "News"}, member]
    for result in answers:
        await bot.sandbox.fault("telegram", "reject", "auth", status=200, body={"ok": True, "result": result})
    if may:
        assert (await PLATFORM.whoami(bot.connection())).username == "News"
    else:
        error = await refused(PLATFORM.whoami(bot.connection()))
        assert (error.kind, error.code) == (ErrorKind.AUTH, "rights")


async def test_ids_of_albums_and_messages_never_collide(bot: Rig) -> None:
    album = [bot.sandbox.media("a.jpg"), bot.sandbox.media("b.jpg"), bot.sandbox.media("c.jpg")]
    first = await PLATFORM.publish(bot.connection(), bot.context("", album))
    second = await PLATFORM.publish(bot.connection(), bot.context("after"))
    assert int(second.platform_post_id) == int(first.platform_post_id) + 3


@pytest.mark.parametrize(
    ("chat", "url"),
    [
        ({"id": -1001234567890, "type": "channel", "username": "mychannel"}, "https://t.me/mychannel/42"),
        ({"id": -1001234567890, "type": "supergroup"}, "https://t.me/c/1234567890/42"),
        ({"id": -4567, "type": "group"}, None),
        ({"id": 4567, "type": "private"}, None),
    ],
)
async def test_the_address_depends_on_the_chat(bot: Rig, chat: dict[str, Any], url: str | None) -> None:
    body = {"ok": True, "result": {"message_id": 42, "date": 1768471200, "chat": chat, "text": "Hi"}}
    await bot.sandbox.fault("telegram", "reject", "publish", status=200, body=body)
    bot.stored = bot.stored.model_copy(update={"user_id": str(chat["id"])})
    assert await PLATFORM.publish(bot.connection(), bot.context("Hi")) == Published("42", url)


def test_the_sides_of_videos_are_reported() -> None:
    file = MediaFile("video/mp4", 1, lambda _: iter(()), width=1280, height=720)  # type: ignore[arg-type]
    video = Media.model_validate({"type": "video", "url": "https://example.com/a.mp4"})
    single = build_call(Draft("Hi", (video,), PLATFORM.settings()), "-5", [file])
    assert single.fields == {"chat_id": -5, "caption": "Hi", "supports_streaming": True, "width": 1280, "height": 720}
    album = build_call(Draft("Hi", (video, video), PLATFORM.settings()), "@news", [file, file])
    assert album.fields["chat_id"] == "@news"
    assert [(item["width"], item["height"], item.get("caption")) for item in album.fields["media"]] == [
        (1280, 720, "Hi"),
        (1280, 720, None),
    ]


async def test_html_is_read_and_its_faults_are_reported(bot: Rig) -> None:
    await PLATFORM.publish(bot.connection(), bot.context("<b>Hi</b> &amp; bye", settings={"parseMode": "HTML"}))
    assert (await bot.posts())[0]["text"] == "Hi & bye"
    error = await refused(PLATFORM.publish(bot.connection(), bot.context("<b>Hi", settings={"parseMode": "HTML"})))
    assert error.kind is ErrorKind.REJECTED
    assert "Can't find end tag" in error.message


@pytest.mark.parametrize("names", [[], ["a.jpg", "b.jpg"]])
async def test_a_chat_that_moved_is_followed_and_remembered(bot: Rig, names: list[str]) -> None:
    moved = int(f"-100{bot.account.user_id}")
    body = {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": moved},
    }
    await bot.sandbox.fault("telegram", "reject", "publish", status=400, body=body)
    context = bot.context("Hi", [bot.sandbox.media(name) for name in names])
    error = await refused(PLATFORM.publish(bot.connection(), context))
    assert (error.kind, error.code, error.retry_after) == (ErrorKind.TRANSIENT, "chat_moved", timedelta(0))
    assert bot.stored.user_id == str(moved)
    await PLATFORM.publish(bot.connection(), context)
    assert len(await bot.posts()) == 1
    await PLATFORM.publish(bot.connection(), bot.context("again"))


def test_credentials_go_by_two_names_and_a_chat_must_be_one() -> None:
    for credentials in ({"botToken": "1:a", "chatId": "@news"}, {"accessToken": "1:a", "userId": "@news"}):
        read = TelegramCredentials.model_validate(credentials)
        assert (read.access_token, read.user_id) == (SecretStr("1:a"), "@news")
        stored = {"access_token": "1:a", "user_id": "@news"}
        assert TelegramCredentials.model_validate(stored) == read
    for chat in ("news", "", "12/../..", "@no"):
        with pytest.raises(ValidationError):
            TelegramCredentials.model_validate({"botToken": "1:a", "chatId": chat})
    with pytest.raises(ValidationError):
        TelegramCredentials.model_validate({"botToken": "1:a"})


async def test_a_token_cannot_lead_elsewhere(bot: Rig) -> None:
    bot.stored = bot.stored.model_copy(update={"access_token": SecretStr("x/../../twitter/2/users/me?")})
    assert (await refused(PLATFORM.whoami(bot.connection()))).kind is ErrorKind.AUTH
    assert [request.url.raw_path.split(b"/")[1:3:2] for request in bot.sent] == [[b"telegram"]]


@pytest.mark.parametrize(
    ("name", "content_type", "filename"),
    [
        ("Annual%20report.pdf", "application/pdf", "Annual-report.pdf"),
        ("plan.docx", "application/zip", "plan.docx"),
        ("%C3%9Cbersicht%20%22neu%22.pdf", "application/pdf", "Übersicht-neu-.pdf"),
        ("%E5%B9%B4%E5%A0%B1%0D%0A.pdf", "application/pdf", "年報-.pdf"),
        ("", "application/pdf", "document.pdf"),
        ("", "application/x-ole-storage", "document.bin"),
    ],
)
def test_a_document_keeps_its_name(name: str, content_type: str, filename: str) -> None:
    media = Media(type=MediaType.DOCUMENT, url=f"https://cdn.example.com/{name}")
    file = MediaFile(content_type, 1, lambda _: iter(()))  # type: ignore[arg-type]
    [part] = build_call(Draft("", (media,), PLATFORM.settings()), "1", [file]).parts
    assert part.filename == filename


async def test_an_album_that_is_public_in_part_is_left_to_a_person(bot: Rig) -> None:
    await bot.sandbox.switch_on("telegram", "album_stops", bot.account.account_id)
    context = bot.context(
        "Half of it", [bot.sandbox.media(name) for name in ("a.jpg", "b.jpg")], started_at=datetime.now(UTC)
    )
    error = await refused(PLATFORM.publish(bot.connection(), context))
    assert error.kind is ErrorKind.UNCONFIRMED
    assert "part of the album" in error.message
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown(final=True)
    assert len(await bot.posts()) == 1


async def test_an_album_that_is_refused_for_a_flood_is_sent_later(bot: Rig) -> None:
    await bot.sandbox.switch_on("telegram", "album_floods", bot.account.account_id)
    context = bot.context("Later", [bot.sandbox.media(name) for name in ("a.jpg", "b.jpg")])
    error = await refused(PLATFORM.publish(bot.connection(), context))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=60))
    await bot.sandbox.clear_conditions("telegram")
    await PLATFORM.publish(bot.connection(), context)
    assert len(await bot.posts()) == 1


@pytest.mark.parametrize("size", [(7000, 5400), (6016, 4016), (8064, 6048)])
def test_a_photo_of_a_large_camera_is_scaled_rather_than_refused(size: tuple[int, int]) -> None:
    (rule,) = [rule for rule in PLATFORM.rules.files if rule.kind is MediaType.IMAGE]
    assert rule.max_width is not None
    assert rule.max_height is not None
    assert max(size) > rule.max_width, "the rule must want it smaller"
    assert rule.max_width + rule.max_height <= 10_000


def test_a_moved_chat_names_its_new_id() -> None:
    error = read_error(answer(400, {"error_code": 400, "parameters": {"migrate_to_chat_id": -100123}}))
    assert isinstance(error, ChatMovedError)
    assert (error.kind, error.chat_id) == (ErrorKind.AUTH, -100123)


@given(st.text())
def test_reading_markup_never_lengthens_a_text(text: str) -> None:
    assert visible(text, None) == text
    for mode in ("Markdown", "MarkdownV2"):
        assert utf16_length(visible(text, mode)) <= utf16_length(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[words](https://a.example)", "words"),
        ("![\U0001f44d](tg://emoji?id=1) [b](c)!", "\U0001f44d b!"),
        (r"\[not](a link)", "[not](a link)"),
        (r"[a\]b](c\)d)e", "a]be"),
        ("[no end](https://a.example", "[no end](https://a.example"),
        ("[in [side](b)", "[in side"),
    ],
)
def test_only_the_words_of_a_link_are_counted(text: str, seen: str) -> None:
    assert visible(text, "MarkdownV2") == seen


def test_a_number_that_no_character_has_is_one_character() -> None:
    assert visible("&#65;&#" + "1" * 5000 + ";", "HTML") == "A\ufffd"
