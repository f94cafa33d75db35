"""Posts to Telegram over real HTTP: every form of message, and no double although posts cannot be confirmed there."""

import asyncio
import io
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from domain.post import Media, MediaType
from platforms.base import Absent, Draft, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.telegram import PLATFORM
from platforms.telegram.fields import call_of
from platforms.telegram.settings import TelegramCredentials
from runtime.logging import configure
from tests.platforms.rig import Connect, Rig, Sandbox

Step = Awaitable[Any]


@pytest.fixture
async def bot(connect: Connect) -> Rig:
    return await in_its_chat(connect)


async def in_its_chat(connect: Connect) -> Rig:
    rig = await connect("telegram", credentials={"chatId": "@somewhere"})
    rig.stored = rig.stored.model_copy(update={"user_id": rig.account.user_id})
    return rig


async def refused(step: Step) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


async def requests_of(rig: Rig) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rig.sandbox.control("GET", "requests?platform=telegram"))["requests"]
    return found


async def test_whoami_tells_the_chat(bot: Rig) -> None:
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
    for answer in answers:
        await bot.sandbox.fault("telegram", "reject", "auth", status=200, body={"ok": True, "result": answer})
    if may:
        assert (await PLATFORM.whoami(bot.connection())).username == "News"
    else:
        error = await refused(PLATFORM.whoami(bot.connection()))
        assert (error.kind, error.code) == (ErrorKind.AUTH, "rights")


@pytest.mark.parametrize(
    ("names", "count", "kind"),
    [
        ([], 0, "sendMessage"),
        (["a.jpg"], 1, "sendPhoto"),
        (["a.png"], 1, "sendPhoto"),
        (["a.mp4"], 1, "sendVideo"),
        (["a.gif"], 1, "sendAnimation"),
        (["a.pdf"], 1, "sendDocument"),
        (["a.jpg", "b.mp4"], 2, "sendMediaGroup"),
        (["a.pdf", "b.pdf"], 2, "sendMediaGroup"),
        ([f"{number}.jpg" for number in range(10)], 10, "sendMediaGroup"),
    ],
)
async def test_every_form_of_post_is_one_post(bot: Rig, names: list[str], count: int, kind: str) -> None:
    context = bot.context("Grüße <b>&</b> *sun*", [bot.sandbox.media(name) for name in names])
    assert not PLATFORM.prepares(context.draft)
    published = await PLATFORM.publish(bot.connection(), context)
    [post] = await bot.posts()
    assert published == Published(
        post["platformPostId"], f"https://t.me/{bot.account.username}/{post['platformPostId']}"
    )
    assert (post["text"], post["mediaCount"]) == ("Grüße <b>&</b> *sun*", count)
    assert (await requests_of(bot))[0]["path"].endswith(f"/{kind}")
    assert len(bot.source.opened) == count


async def test_the_ids_of_albums_and_messages_never_meet(bot: Rig) -> None:
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
    assert await PLATFORM.publish(bot.connection(), bot.context("Hi")) == Published("42", url)


def test_the_sides_of_videos_are_reported() -> None:
    file = MediaFile("video/mp4", 1, lambda _: iter(()), width=1280, height=720)  # type: ignore[arg-type]
    video = Media.model_validate({"type": "video", "url": "https://example.com/a.mp4"})
    single = call_of(Draft("Hi", (video,), PLATFORM.settings()), "-5", [file])
    assert single.fields == {"chat_id": -5, "caption": "Hi", "supports_streaming": True, "width": 1280, "height": 720}
    album = call_of(Draft("Hi", (video, video), PLATFORM.settings()), "@news", [file, file])
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


@pytest.mark.parametrize("names", [[], ["a.jpg"], ["a.jpg", "b.mp4"]])
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_landed_without_an_answer_can_never_be_told(bot: Rig, fault: str, names: list[str]) -> None:
    context = bot.context("Hi", [bot.sandbox.media(name) for name in names])
    await bot.sandbox.fault("telegram", fault, "publish")
    assert (await refused(PLATFORM.publish(bot.connection(), context))).kind is ErrorKind.UNCONFIRMED
    before = len(await requests_of(bot))
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown(final=True)
    assert len(await requests_of(bot)) == before
    assert len(await bot.posts()) == 1


async def test_an_answer_that_comes_too_late_is_unconfirmed(bot: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
    await bot.sandbox.fault("telegram", "accept_then_delay", "publish", seconds=1)
    context = bot.context("Hi")
    assert (await refused(PLATFORM.publish(bot.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown(final=True)
    assert len(await bot.posts()) == 1


async def test_a_crash_while_the_files_come_is_told_from_one_after_sending(bot: Rig) -> None:
    fetching = asyncio.Event()

    class Slow:
        @asynccontextmanager
        async def open(self, media: Media) -> AsyncIterator[MediaFile]:
            fetching.set()
            await asyncio.Event().wait()
            yield MediaFile("image/jpeg", 0, lambda _: iter(()))  # type: ignore[arg-type]

    context = bot.context("Hi", [bot.sandbox.media("a.jpg")])
    files, context.media = context.media, Slow()
    run = asyncio.create_task(PLATFORM.publish(bot.connection(), context))
    await fetching.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    # The next worker knows only what the row holds.
    context.handles = bot.saved[-1] if bot.saved else {}
    assert await PLATFORM.confirm(bot.connection(), context) == Absent(never_sent=True)
    assert len(bot.saved) == 1
    context.media = files
    await PLATFORM.publish(bot.connection(), context)
    assert len(await bot.posts()) == 1
    assert bot.saved[-1] == {"sending": True}
    context.handles = bot.saved[-1]
    assert await PLATFORM.confirm(bot.connection(), context) == Unknown(final=True)


async def test_a_definite_refusal_leaves_no_doubt_behind(bot: Rig) -> None:
    context = bot.context("Hi", [bot.sandbox.media("a.jpg")])
    await bot.sandbox.fault("telegram", "rate_limited", "publish", seconds=17)
    error = await refused(PLATFORM.publish(bot.connection(), context))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=17))
    assert [row.get("sending", False) for row in bot.saved] == [True, False]
    assert await PLATFORM.confirm(bot.connection(), context) == Absent(never_sent=True)


@pytest.mark.parametrize("names", [[], ["a.jpg"]])
async def test_an_unreachable_platform_has_done_nothing(bot: Rig, names: list[str]) -> None:
    connection = bot.connection()
    connection.wire.base_url = "http://127.0.0.1:1"
    context = bot.context("Hi", [bot.sandbox.media(name) for name in names])
    assert (await refused(PLATFORM.publish(connection, context))).kind is ErrorKind.TRANSIENT


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
    await PLATFORM.publish(bot.connection(), context)
    assert len(await bot.posts()) == 1
    assert bot.stored.user_id == str(moved)
    await PLATFORM.publish(bot.connection(), bot.context("again"))
    await bot.sandbox.fault("telegram", "reject", "publish", times=2, status=400, body=body)
    assert (await refused(PLATFORM.publish(bot.connection(), context))).kind is ErrorKind.AUTH


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>hello</html>", ErrorKind.UNCONFIRMED),
        ({"ok": True}, ErrorKind.UNCONFIRMED),
        ({"ok": True, "result": True}, ErrorKind.UNCONFIRMED),
        ({"ok": True, "result": []}, ErrorKind.UNCONFIRMED),
        ({"ok": False, "error_code": 500, "description": "Internal Server Error"}, ErrorKind.UNCONFIRMED),
        ({"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked"}, ErrorKind.AUTH),
    ],
)
async def test_a_success_by_status_alone_is_none(bot: Rig, body: Any, kind: ErrorKind) -> None:
    await bot.sandbox.fault("telegram", "reject", "publish", status=200, body=body)
    assert (await refused(PLATFORM.publish(bot.connection(), bot.context("Hi")))).kind is kind
    await bot.sandbox.fault("telegram", "reject", "auth", status=200, body=body)
    assert (await refused(PLATFORM.whoami(bot.connection()))).kind in {kind, ErrorKind.TRANSIENT}


async def test_the_token_is_in_no_log_and_no_error(bot: Rig, sandbox: Sandbox) -> None:
    token = bot.stored.access_token.get_secret_value()
    stream, handlers, level = io.StringIO(), logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure("debug", "json", stream)
        for fault in ("drop", "accept_then_drop", "accept_then_500", "token_expired", "rate_limited"):
            await sandbox.fault("telegram", fault)
            error = await refused(PLATFORM.publish(bot.connection(), bot.context("Hi")))
            logging.getLogger("test").error("failed", exc_info=error)
            told = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
            assert token not in told
        await PLATFORM.publish(bot.connection(), bot.context("Hi"))
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = handlers, level
    assert stream.getvalue().count("failed") == 5
    assert token not in stream.getvalue()
    assert token not in repr(bot.stored)
    assert all(token not in entry["path"] for entry in await requests_of(bot))
    assert token not in repr(bot.exchanges)


def test_credentials_go_by_two_names_and_a_chat_must_be_one() -> None:
    for given in ({"botToken": "1:a", "chatId": "@news"}, {"accessToken": "1:a", "userId": "@news"}):
        read = TelegramCredentials.model_validate(given)
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
    assert (await requests_of(bot))[0]["platform"] == "telegram"


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
    [part] = call_of(Draft("", (media,), PLATFORM.settings()), "1", [file]).parts
    assert part.filename == filename


async def test_an_album_that_is_public_in_part_is_left_to_a_person(bot: Rig) -> None:
    await bot.sandbox.switch_on("telegram", "album_stops", bot.account.account_id)
    context = bot.context("Half of it", [bot.sandbox.media(name) for name in ("a.jpg", "b.jpg")])
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
