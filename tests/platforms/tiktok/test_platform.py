"""Drafts, limits of creators and apps without an audit on TikTok, over real HTTP."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.content import merge_settings
from domain.post import Media
from platforms.base import Absent, AccountFacts, PublishContext, Published, Unknown
from platforms.errors import NO_PUBLIC_URL, ErrorKind
from platforms.files import MediaFile, MediaSource
from platforms.texts.unicode import utf16_length
from platforms.tiktok import PLATFORM, media
from platforms.tiktok.errors import ADDRESS_UNVERIFIED, NOT_AUDITED
from platforms.tiktok.media import COUNT_LAGS, photo_body, video_body
from platforms.tiktok.rules import TITLE, TikTokSettings, photo_title
from tests.media.files import photo
from tests.platforms.drafts import draft
from tests.platforms.post_steps import publish, refused, resumed
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


@pytest.mark.parametrize("name", ["contentPreviewConfirmed", "expressConsentGiven", "privacyLevel"])
def test_needs_consent_and_audience(name: str) -> None:
    missing: dict[str, Any] = {name: None}
    [violation] = PLATFORM.check(draft("tiktok", kinds="v", **missing), AccountFacts("tt_1", "1", "creator"))
    assert (violation.path, violation.code) == ((name,), "missing_required_field")
    assert violation.error.startswith(f"TikTok needs {name}")


def test_settings_may_be_written_either_way_and_the_targets_own_win() -> None:
    merged = merge_settings("tiktok", {"privacyLevel": "SELF_ONLY"}, {"privacy_level": "PUBLIC_TO_EVERYONE"}, {})
    assert TikTokSettings.model_validate(merged).privacy_level == "SELF_ONLY"
    snake = {"content_preview_confirmed": True, "express_consent_given": True, "allow_comment": True}
    settings = TikTokSettings.model_validate(snake)
    assert (settings.content_preview_confirmed, settings.express_consent_given, settings.allow_comment) == (True,) * 3


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("A day out #sun #beach", "A day out"),
        ("word " * 40, ("word " * 18).strip()),
        ("x" * 200, "x" * 90),
        ("😀" * 60, "😀" * 45),
        ("#only", ""),
    ],
)
def test_a_title_is_cut_to_the_limit_of_tiktok(text: str, title: str) -> None:
    assert photo_title(text) == title
    assert utf16_length(title) <= TITLE


def test_a_video_allows_nothing_that_was_not_allowed() -> None:
    info = video_body(draft("tiktok", kinds="v"), {}, {"source": "FILE_UPLOAD"})["post_info"]
    assert info == {
        "title": "Hi",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "disable_duet": True,
        "disable_stitch": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
        "is_aigc": False,
    }


def test_photos_are_sent_without_fields_for_videos() -> None:
    body = photo_body(draft("tiktok", "Title #tag", "ii", description="long"), {})
    assert body["post_info"] == {
        "title": "Title",
        "description": "long",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
    }
    assert body["source_info"]["photo_images"] == ["https://example.com/i"] * 2


def test_a_draft_for_the_inbox_sends_no_other_settings() -> None:
    assert video_body(draft("tiktok", kinds="v", draft=True), {}, {"source": "FILE_UPLOAD"}) == {
        "source_info": {"source": "FILE_UPLOAD"}
    }
    body = photo_body(draft("tiktok", kinds="i", draft=True), {})
    assert (body["post_mode"], body["post_info"]) == ("MEDIA_UPLOAD", {"description": "Hi"})


__all__ = ["rig"]


async def test_a_last_chunk_that_never_came_is_sent_again(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    await rig.sandbox.fault("tiktok", "drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    again = resumed(rig, context)
    assert await PLATFORM.confirm(rig.connection(), again) == Unknown(), "the count of the bytes may lag"
    again.started_at = datetime.now(UTC) - COUNT_LAGS - timedelta(seconds=1)
    assert await PLATFORM.confirm(rig.connection(), again) == Absent()
    await PLATFORM.prepare(rig.connection(), again)
    published = await publish(rig, again)
    assert [post["platformPostId"] for post in await rig.posts()] == [published.platform_post_id]


async def test_a_chunk_that_came_is_never_sent_again(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    again = resumed(rig, context)
    await PLATFORM.prepare(rig.connection(), again)
    await publish(rig, again)
    assert len(await rig.posts()) == 1
    again.handles["upload"].pop("last")
    assert (await refused(PLATFORM.publish(rig.connection(), again))).kind is ErrorKind.UNCONFIRMED
    assert len(await rig.posts()) == 1


async def test_photos_are_left_to_a_person_if_the_account_may_not_be_searched(rig: Rig) -> None:
    await rig.sandbox.switch_on("tiktok", "no_list_scope", rig.account.account_id)
    context = await prepared(rig, ["a.jpg"])
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown(final=True)
    await rig.sandbox.fault("tiktok", "reject", "confirm", status=503)
    assert (await refused(PLATFORM.confirm(rig.connection(), context))).kind is ErrorKind.TRANSIENT


async def test_a_failure_that_was_looked_up_is_reported_by_the_next_attempt(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    body = {"data": {"status": "FAILED", "fail_reason": "frame_rate_check_failed"}, "error": {"code": "ok"}}
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    await rig.sandbox.fault("tiktok", "reject", "confirm", status=200, body=body)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    again = resumed(rig, context)
    error = await refused(PLATFORM.prepare(rig.connection(), again))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "frame_rate_check_failed")
    assert "upload" not in again.handles


async def test_a_count_that_lags_does_not_send_a_video_twice(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    await rig.sandbox.switch_on("tiktok", "count_lags", rig.account.account_id)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    await rig.sandbox.clear_conditions("tiktok")
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


async def test_photos_that_tiktok_cannot_fetch_are_tried_again_while_their_server_may_return(rig: Rig) -> None:
    failure = {"data": {"status": "FAILED", "fail_reason": "photo_pull_failed"}, "error": {"code": "ok"}}
    context, errors = await prepared(rig, ["a.jpg"]), []
    for _ in range(3):
        await rig.sandbox.fault("tiktok", "reject", "confirm", status=200, body=failure)
        errors.append(await refused(PLATFORM.publish(rig.connection(), context)))
        assert "publishId" not in context.handles
    assert [error.kind for error in errors] == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]
    assert [error.retry_after for error in errors] == [timedelta(seconds=30), timedelta(minutes=2), None]
