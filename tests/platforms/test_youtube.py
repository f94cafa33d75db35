"""Videos to YouTube over real HTTP; whatever is lost on the way, nothing is uploaded twice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from platforms.base import Absent, PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.youtube import PLATFORM, media
from tests.platforms.rig import Large, Rig

PIECE = 256 * 1024


@pytest.fixture
async def rig(connect: Callable[..., Awaitable[Rig]], monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(media, "PIECE_BYTES", PIECE)
    return await connect(
        "youtube", credentials={"refreshToken": token_urlsafe(), "clientId": "id", "clientSecret": "s"}
    )


def sending_of(rig: Rig, *, size: int = 0, **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media("a.mp4")]
    context = rig.context("Sunset\nat the beach", media, settings=settings, started_at=datetime.now(UTC))
    if size:
        context.media = Large(rig.source, size)
    return context


async def prepared(rig: Rig, *, size: int = 0, **settings: Any) -> PublishContext[Any]:
    context = sending_of(rig, size=size, **settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def publish(rig: Rig, context: PublishContext[Any]) -> Published:
    published = await PLATFORM.publish(rig.connection(), context)
    return await PLATFORM.complete(rig.connection(), context, published)


async def refused(step: Awaitable[object]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


def resumed(rig: Rig, context: PublishContext[Any]) -> PublishContext[Any]:
    """Return the attempt as another worker finds it."""
    handles = httpx.Response(200, json=rig.saved[-1]).json()
    return PublishContext(context.draft, handles, context.save, context.media, context.target_id, context.started_at)


def lose_session(context: PublishContext[Any]) -> None:
    session = context.handles["session"]
    session["url"] = session["url"].replace("upload_id=", "upload_id=gone")


async def video(rig: Rig, video_id: str) -> dict[str, Any]:
    answer = await ask(rig, "videos", part="snippet,status", id=video_id)
    return dict(answer["items"][0])


async def ask(rig: Rig, resource: str, **params: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"}
    url = f"{rig.sandbox.url}/youtube/youtube/v3/{resource}"
    return dict((await rig.sandbox.client.get(url, params=params, headers=headers)).json())


async def test_says_which_channel_it_is(rig: Rig) -> None:
    identity = await PLATFORM.whoami(rig.connection())
    assert (identity.user_id, identity.username) == (rig.account.user_id, f"@{rig.account.username}")


async def test_an_account_without_a_channel_must_be_reconnected(rig: Rig) -> None:
    empty = {"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": 0}}
    await rig.sandbox.fault("youtube", "reject", "auth", status=200, body=empty)
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.AUTH
    await rig.sandbox.fault("youtube", "reject", "auth", status=200, body="<html>")
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.TRANSIENT


async def test_a_video_becomes_what_the_settings_say(rig: Rig) -> None:
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
    found = await video(rig, published.platform_post_id)
    assert found["snippet"].items() >= {"title": "Waves", "tags": ["sea", "at dawn"], "categoryId": "19"}.items()
    assert found["status"].items() >= {"privacyStatus": "unlisted", "containsSyntheticMedia": True}.items()


async def test_without_a_title_the_first_line_is_one(rig: Rig) -> None:
    published = await publish(rig, await prepared(rig))
    assert (await video(rig, published.platform_post_id))["snippet"]["title"] == "Sunset"


async def test_only_the_last_piece_publishes(rig: Rig) -> None:
    beats: list[str] = []
    context = sending_of(rig, size=PIECE * 3 + 10)
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


async def test_an_upload_goes_on_where_it_stopped(rig: Rig) -> None:
    context = sending_of(rig, size=PIECE * 4)
    async with httpx.AsyncClient(event_hooks={"request": [Stop(at=4)]}) as client:
        assert (await refused(PLATFORM.prepare(rig.connection(client), context))).kind is ErrorKind.TRANSIENT
    again = resumed(rig, context)
    before = len(rig.exchanges)
    await PLATFORM.prepare(rig.connection(), again)
    assert [exchange.status for exchange in rig.exchanges[before:]] == [308, 308]
    await PLATFORM.prepare(rig.connection(), again)
    await publish(rig, again)
    assert len(await rig.posts()) == 1


async def test_a_piece_that_youtube_did_not_keep_is_sent_again(rig: Rig) -> None:
    context = await prepared(rig, size=PIECE * 3)
    await rig.sandbox.fault("youtube", "reject", "publish", status=308, body="")
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "upload_offset")
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("size", [0, PIECE * 2, PIECE * 2 + 1])
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_landed_without_an_answer_is_found(rig: Rig, size: int, fault: str) -> None:
    context = await prepared(rig, size=size)
    await rig.sandbox.fault("youtube", fault, "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), resumed(rig, context))
    [post] = await rig.posts()
    assert isinstance(found, Published)
    assert found.platform_post_id == post["platformPostId"]


async def test_a_post_made_after_the_timeout_is_confirmed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = await prepared(rig)
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.5))
    await rig.sandbox.fault("youtube", "accept_then_delay", "publish", seconds=2)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)
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


async def test_what_never_landed_is_sent_again(rig: Rig) -> None:
    context = await prepared(rig, size=PIECE * 2)
    await rig.sandbox.fault("youtube", "drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    again = resumed(rig, context)
    assert await PLATFORM.confirm(rig.connection(), again) == Absent()
    await PLATFORM.prepare(rig.connection(), again)
    await publish(rig, again)
    assert len(await rig.posts()) == 1


async def test_a_session_that_is_gone_is_looked_for_among_the_uploads(rig: Rig) -> None:
    context = await prepared(rig)
    await rig.sandbox.fault("youtube", "accept_then_drop", "publish")
    await refused(PLATFORM.publish(rig.connection(), context))
    lose_session(context)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == (await rig.posts())[0]["platformPostId"]
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


async def test_without_a_session_nothing_was_uploaded(rig: Rig) -> None:
    context = sending_of(rig)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_session")


async def test_a_video_that_changed_is_uploaded_again(rig: Rig) -> None:
    context = await prepared(rig)
    context.media = Large(rig.source, PIECE)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).code == "changed"
    await PLATFORM.prepare(rig.connection(), context)
    await publish(rig, context)
    assert len(await rig.posts()) == 1


async def test_what_is_no_video_is_not_uploaded(rig: Rig) -> None:
    media = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", [media])))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_type")


@pytest.mark.parametrize("operation", ["prepare", "publish"])
async def test_an_expired_token_is_renewed_once_and_the_refresh_token_stays(rig: Rig, operation: str) -> None:
    used = rig.stored
    for _ in range(2):
        context = sending_of(rig)
        if operation == "prepare":
            await rig.sandbox.fault("youtube", "token_expired", operation)
        await PLATFORM.prepare(rig.connection(), context)
        if operation == "publish":
            await rig.sandbox.fault("youtube", "token_expired", operation)
        await publish(rig, context)
    assert rig.stored.access_token != used.access_token
    assert rig.stored.refresh_token == used.refresh_token
    assert len(await rig.posts()) == 2


@pytest.mark.parametrize("credentials", [{}, {"refreshToken": "r1"}])
async def test_what_cannot_be_renewed_must_be_reconnected(
    connect: Callable[..., Awaitable[Rig]], credentials: dict[str, str]
) -> None:
    rig = await connect("youtube", credentials=credentials)
    if credentials:
        rig.stored = rig.stored.model_copy(update={"refresh_token": rig.stored.access_token})
    await rig.sandbox.fault("youtube", "token_expired", "prepare")
    assert (await refused(PLATFORM.prepare(rig.connection(), sending_of(rig)))).kind is ErrorKind.AUTH


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("rate_limited", ErrorKind.RATE_LIMITED), ("drop", ErrorKind.TRANSIENT), ("reject", ErrorKind.REJECTED)],
)
async def test_failures_before_the_last_piece_are_distinguished(rig: Rig, fault: str, kind: ErrorKind) -> None:
    await rig.sandbox.fault("youtube", fault, "prepare")
    error = await refused(PLATFORM.prepare(rig.connection(), sending_of(rig)))
    assert error.kind is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"kind": "youtube#video"}, ErrorKind.UNCONFIRMED),
        (200, "<html>Hello</html>", ErrorKind.UNCONFIRMED),
        (503, "<html>Unavailable</html>", ErrorKind.UNCONFIRMED),
        (400, {"error": {"errors": [{"reason": "uploadLimitExceeded"}]}}, ErrorKind.CAPPED),
        (403, {"error": {"errors": [{"reason": "channelSuspended"}]}}, ErrorKind.AUTH),
        (400, {"error": {"errors": [{"reason": "invalidTitle"}]}}, ErrorKind.REJECTED),
    ],
)
async def test_only_a_refusal_that_rules_an_effect_out_is_definite(
    rig: Rig, status: int, body: Any, kind: ErrorKind
) -> None:
    context = await prepared(rig)
    await rig.sandbox.fault("youtube", "reject", "publish", status=status, body=body)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is kind
    assert ("session" in context.handles) is (kind is not ErrorKind.REJECTED)


class Stop:
    """A request hook that breaks off before the nth request."""

    def __init__(self, at: int) -> None:
        self._left = at

    async def __call__(self, _: httpx.Request) -> None:
        self._left -= 1
        if self._left == 0:
            raise httpx.ReadError("broken off")
