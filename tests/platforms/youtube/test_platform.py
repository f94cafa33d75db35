"""Videos to YouTube over real HTTP; whatever is lost on the way, nothing is uploaded twice."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Published
from platforms.errors import ErrorKind
from platforms.youtube import PLATFORM, media
from tests.platforms.post_steps import publish, refused, resumed
from tests.platforms.rig import Connect, Rig
from tests.platforms.sources import Large

PIECE = 256 * 1024


@pytest.fixture
async def rig(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(media, "PIECE_BYTES", PIECE)
    return await connect(
        "youtube", credentials={"refreshToken": token_urlsafe(), "clientId": "id", "clientSecret": "s"}
    )


def new_sending(rig: Rig, *, size: int = 0, **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media("a.mp4")]
    context = rig.context("Sunset\nat the beach", media, settings=settings, started_at=datetime.now(UTC))
    if size:
        context.media = Large(rig.source, size)
    return context


async def prepared(rig: Rig, *, size: int = 0, **settings: Any) -> PublishContext[Any]:
    context = new_sending(rig, size=size, **settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    await PLATFORM.prepare(rig.connection(), context)
    return context


def lose_session(context: PublishContext[Any]) -> None:
    session = context.handles["session"]
    session["url"] = session["url"].replace("upload_id=", "upload_id=gone")


async def video(rig: Rig, video_id: str) -> dict[str, Any]:
    answer = await rig.read("/youtube/v3/videos", part="snippet,status", id=video_id)
    return dict(answer["items"][0])


async def test_a_video_gets_the_properties_of_its_settings(rig: Rig) -> None:
    settings: dict[str, Any] = {
        "title": "Waves",
        "visibility": "unlisted",
        "tags": ["sea", "at dawn"],
        "categoryId": "19",
        "madeForKids": False,
        "containsSyntheticMedia": True,
    }
    published = await publish(rig, await prepared(rig, **settings))
    [post] = await rig.posts()
    assert (post["platformPostId"], post["text"]) == (published.platform_post_id, "Sunset\nat the beach")
    assert published.url == f"https://www.youtube.com/watch?v={published.platform_post_id}"
    resource = await video(rig, published.platform_post_id)
    assert resource["snippet"].items() >= {"title": "Waves", "tags": ["sea", "at dawn"], "categoryId": "19"}.items()
    assert resource["status"].items() >= {"privacyStatus": "unlisted", "containsSyntheticMedia": True}.items()


async def test_without_a_title_the_first_line_is_one(rig: Rig) -> None:
    published = await publish(rig, await prepared(rig))
    assert (await video(rig, published.platform_post_id))["snippet"]["title"] == "Sunset"


async def test_only_the_last_piece_publishes(rig: Rig) -> None:
    beats: list[str] = []
    context = new_sending(rig, size=PIECE * 3 + 10)
    context.heartbeat = beats.append
    await PLATFORM.prepare(rig.connection(), context)
    assert beats == ["33%", "66%", "99%"]
    assert await rig.posts() == []
    published = await publish(rig, context)
    assert published.warning is None
    operations = (await rig.operations())[-len(rig.exchanges) :]
    assert operations.count("publish") == 1


async def test_a_video_of_one_piece_is_begun_before_it_is_published(rig: Rig) -> None:
    await prepared(rig)
    assert [exchange.method for exchange in rig.exchanges] == ["POST"]
    assert await rig.posts() == []


async def test_a_piece_that_youtube_did_not_keep_is_sent_again(rig: Rig) -> None:
    context = await prepared(rig, size=PIECE * 3)
    await rig.sandbox.fault("youtube", "reject", "publish", status=308, body="")
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "upload_offset")
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("step", ["prepare", "publish"])
async def test_a_session_that_has_its_video_is_sent_nothing_more(rig: Rig, step: str) -> None:
    context = await prepared(rig)
    await rig.sandbox.fault("youtube", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    again = resumed(rig, context)
    before = len(rig.exchanges)
    if step == "prepare":
        await PLATFORM.prepare(rig.connection(), again)
    published = await PLATFORM.publish(rig.connection(), again)
    assert [exchange.method for exchange in rig.exchanges[before:]] == ["PUT"]
    assert [post["platformPostId"] for post in await rig.posts()] == [published.platform_post_id]


async def test_a_video_whose_session_is_gone_is_confirmed_among_the_uploads(rig: Rig) -> None:
    context = await prepared(rig)
    await rig.sandbox.fault("youtube", "accept_then_drop", "publish")
    await refused(PLATFORM.publish(rig.connection(), context))
    lose_session(context)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    finding = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await rig.posts())[0]["platformPostId"]
    context.started_at = datetime.now(UTC) + timedelta(minutes=5)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()


async def test_a_session_that_is_gone_before_the_last_piece_begins_again(rig: Rig) -> None:
    context = await prepared(rig)
    lose_session(context)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.TRANSIENT
    await PLATFORM.prepare(rig.connection(), context)
    lose_session(context)
    await PLATFORM.prepare(rig.connection(), context)
    await publish(rig, context)
    assert len(await rig.posts()) == 1
