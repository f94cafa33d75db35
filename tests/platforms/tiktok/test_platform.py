"""Drafts, limits of creators and apps without an audit on TikTok, over real HTTP."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.post import Media
from platforms.base import PublishContext, Published, Unknown
from platforms.errors import NO_PUBLIC_URL, ErrorKind
from platforms.files import MediaFile, MediaSource
from platforms.tiktok import PLATFORM, media
from platforms.tiktok.errors import ADDRESS_UNVERIFIED, NOT_AUDITED
from tests.media.files import photo
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Clock, Connect, Rig

CONSENT = {"contentPreviewConfirmed": True, "expressConsentGiven": True}
SETTINGS = {**CONSENT, "privacyLevel": "PUBLIC_TO_EVERYONE"}
FORMS = [["a.mp4"], ["a.jpg"], ["a.jpg", "b.jpg", "c.jpg"]]


@pytest.fixture
async def rig(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(media, "CHECK_PAUSES", (0, 0.01))
    monkeypatch.setattr(media, "CHUNK_BYTES", 5_000_000)
    return await connect("tiktok", credentials={"refreshToken": "r1", "clientKey": "key", "clientSecret": "secret"})


def new_sending(rig: Rig, names: list[str], text: str = "Sunset #beach", **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media(name) for name in names]
    return rig.context(text, media, settings={**SETTINGS, **settings}, started_at=datetime.now(UTC))


async def prepared(rig: Rig, names: list[str], **settings: Any) -> PublishContext[Any]:
    context = new_sending(rig, names, **settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def test_a_private_post_is_identified_by_its_publish_id(rig: Rig) -> None:
    published = await publish(rig, await prepared(rig, ["a.mp4"], privacyLevel="SELF_ONLY"))
    [post] = await rig.posts()
    assert post["platformPostId"] == published.platform_post_id
    assert published.url == f"https://www.tiktok.com/@{rig.account.username}"


@pytest.mark.parametrize("names", FORMS)
async def test_a_draft_goes_to_the_inbox(rig: Rig, names: list[str]) -> None:
    context = await prepared(rig, names, draft=True, privacyLevel=None)
    published = await publish(rig, context)
    assert "inbox" in (published.warning or "")
    assert published.url is None
    assert await PLATFORM.confirm(rig.connection(), context) == Published(published.platform_post_id, None)
    assert await rig.posts() == []


async def test_interactions_that_the_creator_forbids_stay_off(rig: Rig) -> None:
    creator = {
        "creator_username": "other",
        "privacy_level_options": ["PUBLIC_TO_EVERYONE"],
        "comment_disabled": True,
        "duet_disabled": True,
        "stitch_disabled": True,
    }
    ok = {"data": creator, "error": {"code": "ok"}}
    await rig.sandbox.fault("tiktok", "reject", "prepare", status=200, body=ok)
    context = new_sending(rig, ["a.mp4"], allowComment=True, allowDuet=True, allowStitch=True)
    await PLATFORM.prepare(rig.connection(), context)
    info = rig.bodies("video/init/")[0]["post_info"]
    assert [info[f"disable_{what}"] for what in ("comment", "duet", "stitch")] == [True, True, True]
    published = await PLATFORM.publish(rig.connection(), context)
    published = await PLATFORM.complete(rig.connection(), context, published)
    assert (published.url or "").startswith("https://www.tiktok.com/@other/video/")


async def test_media_that_tiktok_cannot_read_are_refused(rig: Rig) -> None:
    context = await prepared(rig, ["a.png"])
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "file_format_check_failed")
    assert "publishId" not in rig.saved[-1]


async def test_an_upload_that_expired_begins_again(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    first = context.handles["upload"]["publishId"]
    await rig.sandbox.fault("tiktok", "reject", "publish", status=403, body="expired", times=2)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED, (
        "it may have arrived"
    )
    context.started_at = datetime.now(UTC) - media.COUNT_LAGS - timedelta(seconds=1)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.TRANSIENT
    await PLATFORM.prepare(rig.connection(), context)
    assert context.handles["upload"]["publishId"] != first
    context.handles["upload"]["expiresAt"] = 0
    second = context.handles["upload"]["publishId"]
    await PLATFORM.prepare(rig.connection(), context)
    assert context.handles["upload"]["publishId"] != second
    await publish(rig, context)
    assert len(await rig.posts()) == 1


async def test_a_post_that_waits_for_its_id_is_published_before(
    monkeypatch: pytest.MonkeyPatch, slow: Rig, clock: Clock
) -> None:
    monkeypatch.setattr(media, "CHECK_PAUSES", (0, 0))
    monkeypatch.setattr(media, "CHECKS_FOR_ID", 1)
    context = await prepared(slow, ["a.mp4"])
    error = await refused(PLATFORM.publish(slow.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "processing")
    assert await PLATFORM.confirm(slow.connection(), context) == Unknown()
    clock.ahead += 6
    early = await PLATFORM.publish(slow.connection(), context)
    assert early.platform_post_id == context.handles["upload"]["publishId"]
    waiting = await refused(PLATFORM.complete(slow.connection(), context, early))
    assert (waiting.kind, waiting.retry_after) == (ErrorKind.NOT_READY, timedelta(minutes=2))
    clock.ahead += 20
    [post] = await slow.posts()
    done = await PLATFORM.complete(slow.connection(), context, early)
    assert done.platform_post_id == post["platformPostId"]


async def test_an_account_without_the_permission_for_its_name_can_be_connected(rig: Rig) -> None:
    await rig.sandbox.switch_on("tiktok", "no_profile_scope", rig.account.account_id)
    identity = await PLATFORM.whoami(rig.connection())
    assert (identity.user_id, identity.username) == (rig.account.user_id, rig.account.username)


@pytest.mark.parametrize(("seconds", "kind"), [(0.4, None), (1.0, ErrorKind.REJECTED)])
async def test_a_video_beyond_the_creators_own_limit_is_not_uploaded(
    rig: Rig, seconds: float, kind: ErrorKind | None
) -> None:
    await rig.sandbox.switch_on("tiktok", "short_videos", rig.account.account_id)
    context = new_sending(rig, ["a.mp4"])
    context.media = Lasting(rig.source, seconds)
    if kind is None:
        await PLATFORM.prepare(rig.connection(), context)
    else:
        error = await refused(PLATFORM.prepare(rig.connection(), context))
        assert (error.kind, error.code) == (kind, "duration_check_failed")
        assert "upload" not in context.handles


@dataclass(slots=True)
class Lasting:
    """A source whose videos have a measured duration."""

    source: MediaSource
    seconds: float

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        async with self.source.open(media) as file:
            yield replace(file, seconds=self.seconds)


@pytest.mark.parametrize(
    ("names", "settings", "private", "taken"),
    [
        (["a.mp4"], {}, True, False),
        (["a.jpg"], {"privacyLevel": "MUTUAL_FOLLOW_FRIENDS"}, True, False),
        (["a.mp4"], {"privacyLevel": "SELF_ONLY"}, True, True),
        (["a.jpg"], {"privacyLevel": "SELF_ONLY"}, True, True),
        (["a.mp4"], {"privacyLevel": "SELF_ONLY"}, False, False),
        (["a.mp4"], {"draft": True}, False, True),
        (["a.jpg"], {"draft": True}, False, True),
    ],
)
async def test_an_app_that_is_not_audited_posts_for_the_creator_alone(
    rig: Rig, names: list[str], settings: dict[str, Any], private: bool, taken: bool
) -> None:
    await rig.sandbox.switch_on("tiktok", "app_refused", rig.account.account_id)
    if not private:
        await rig.sandbox.switch_on("tiktok", "public_account", rig.account.account_id)
    context = new_sending(rig, names, **settings)

    async def published() -> Published:
        await PLATFORM.prepare(rig.connection(), context)
        return await PLATFORM.publish(rig.connection(), context)

    if taken:
        await published()
        return
    error = await refused(published())
    assert (error.kind, error.code) == (ErrorKind.OPERATOR, NOT_AUDITED)
    assert "set to private" in error.message


@pytest.mark.parametrize(
    ("code", "names", "settings", "applies"),
    [
        (NOT_AUDITED, ["a.mp4"], {}, True),
        (NOT_AUDITED, ["a.jpg"], {"privacyLevel": "FOLLOWER_OF_CREATOR"}, True),
        (NOT_AUDITED, ["a.mp4"], {"privacyLevel": "SELF_ONLY"}, False),
        (NOT_AUDITED, ["a.mp4"], {"draft": True}, False),
        (ADDRESS_UNVERIFIED, ["a.jpg"], {"privacyLevel": "SELF_ONLY"}, True),
        (ADDRESS_UNVERIFIED, ["a.mp4"], {}, False),
        (NO_PUBLIC_URL, ["a.jpg"], {"draft": True}, True),
        (NO_PUBLIC_URL, ["a.mp4"], {}, False),
        ("invalid_client", ["a.mp4"], {"privacyLevel": "SELF_ONLY"}, True),
    ],
)
async def test_a_refusal_of_the_app_stops_only_the_posts_that_it_concerns(
    rig: Rig, code: str, names: list[str], settings: dict[str, Any], applies: bool
) -> None:
    assert PLATFORM.refusal_applies(code, rig.stored, new_sending(rig, names, **settings).draft) is applies


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [(1086, 1448, "picture_size_check_failed"), (1254, 1254, "picture_size_check_failed"), (941, 1672, None)],
)
async def test_a_photo_whose_shorter_side_is_too_long_fails_after_tiktok_took_it(
    rig: Rig, width: int, height: int, code: str | None
) -> None:
    content = io.BytesIO()
    photo(width, height).save(content, "JPEG")
    async with serving(content.getvalue()) as url:
        item = rig.sandbox.media("a.jpg").model_copy(update={"url": url})
        context = rig.context(f"{width} x {height}", [item], settings=SETTINGS, started_at=datetime.now(UTC))
        await PLATFORM.prepare(rig.connection(), context)
        if code is None:
            await PLATFORM.publish(rig.connection(), context)
            return
        error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code, error.status) == (ErrorKind.REJECTED, code, None)
    [rule, _] = PLATFORM.rules.files
    assert (rule.max_shorter, rule.max_longer) == (1080, 1920), "so pictures are scaled before TikTok gets them"


@asynccontextmanager
async def serving(jpeg: bytes) -> AsyncIterator[str]:
    """Serve one picture at a separate address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(head % len(jpeg) + jpeg)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/photo.jpg"
