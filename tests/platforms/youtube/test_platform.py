"""Videos to YouTube over real HTTP; whatever is lost on the way, nothing is uploaded twice."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from platforms.base import Absent, PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.youtube import PLATFORM, media
from platforms.youtube.errors import read_error, until_quota_resets
from platforms.youtube.media import video_body
from platforms.youtube.rules import tags_length, video_title
from tests.platforms.drafts import draft
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


def test_the_first_line_is_the_title_where_none_is_given() -> None:
    assert video_title(draft("youtube", "\n  Waves \nand more")) == "Waves"
    assert video_title(draft("youtube", "w" * 99 + " more words")) == "w" * 99
    assert video_title(draft("youtube", "Waves", title="Other")) == "Other"


def test_tags_count_as_youtube_counts_them() -> None:
    assert tags_length([]) == 0
    assert tags_length(["one", "two three"]) == 3 + 1 + 11


def test_a_video_gets_only_the_given_fields() -> None:
    assert video_body(draft("youtube", "Waves")) == {
        "snippet": {"title": "Waves", "description": "Waves", "categoryId": "22"},
        "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
    }


__all__ = ["rig"]


def refusal(reason: str, message: str = "its own words") -> PlatformError:
    error = {"code": 429, "message": message, "errors": [{"domain": "youtube", "reason": reason}]}
    return read_error(httpx.Response(429, json={"error": error}))


@pytest.mark.parametrize(
    ("now", "wait"),
    [
        (datetime(2026, 1, 15, 7, 59, tzinfo=UTC), timedelta(minutes=1)),
        (datetime(2026, 1, 15, 8, 0, tzinfo=UTC), timedelta(hours=24)),
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), timedelta(hours=1)),
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), timedelta(hours=23)),
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), timedelta(hours=25)),
    ],
)
def test_the_quota_begins_again_at_midnight_in_california(now: datetime, wait: timedelta) -> None:
    assert until_quota_resets(now) == wait


PER_DAY = "Quota exceeded for quota metric 'Video Uploads' and limit 'Video Uploads per day' of service 'youtube'."


def test_the_uploads_of_a_day_are_a_cap_although_google_calls_them_a_rate() -> None:
    for error in (refusal("quotaExceeded"), refusal("rateLimitExceeded", PER_DAY)):
        assert error.kind is ErrorKind.CAPPED
        assert timedelta(0) < (error.retry_after or timedelta()) <= timedelta(hours=25)
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "metadata": {"quota_limit": "VideoUploadsPerDayPerProject", "quota_limit_value": "100"},
    }
    body = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED", "details": [info]}}
    assert read_error(httpx.Response(429, json=body)).kind is ErrorKind.CAPPED
    info["metadata"] = {"quota_limit": "defaultPerMinutePerUser", "quota_limit_value": "100"}
    assert read_error(httpx.Response(429, json=body)).kind is ErrorKind.RATE_LIMITED


async def test_a_project_without_access_is_an_operator_error(rig: Rig) -> None:
    for condition, code in (("app_refused", "SERVICE_DISABLED"), ("quota_0", "RATE_LIMIT_EXCEEDED")):
        await rig.sandbox.switch_on("youtube", condition, rig.account.account_id)
        error = await refused(prepared(rig))
        await rig.sandbox.clear_conditions("youtube")
        assert (error.kind, error.code) == (ErrorKind.OPERATOR, code)
        assert error.message.endswith(("console.", "access."))


async def test_the_sandbox_words_a_used_up_day_as_google_does(rig: Rig) -> None:
    await rig.sandbox.switch_on("youtube", "day_used_up", rig.account.account_id)
    error = await refused(prepared(rig))
    await rig.sandbox.clear_conditions("youtube")
    assert (error.kind, error.status) == (ErrorKind.CAPPED, 429)
