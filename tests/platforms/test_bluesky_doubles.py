"""Bluesky's responses lost in every possible way: the record is found under its key, and nothing is published twice."""

from typing import Any

import httpx
import pytest

from platforms.base import Absent, Published
from platforms.bluesky import PLATFORM
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.rig import Rig, Sandbox
from tests.platforms.test_bluesky import open_bluesky, publish, refused

FORMS = [[], ["a.jpg"], ["a.jpg", "b.png"], ["a.mp4"]]


@pytest.fixture
async def rig(sandbox: Sandbox) -> Rig:
    return await open_bluesky(sandbox)


async def prepared(rig: Rig, names: list[str]) -> Any:
    context = rig.context("Sunset https://example.com", [rig.sandbox.media(name) for name in names])
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def send(rig: Rig, context: Any) -> PlatformError:
    return await refused(PLATFORM.publish(rig.connection(), context))


@pytest.mark.parametrize("names", FORMS)
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_landed_without_an_answer_is_found(rig: Rig, names: list[str], fault: str) -> None:
    context = await prepared(rig, names)
    await rig.sandbox.fault("bluesky", fault, "publish")
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    # The confirmation knows what was saved, and nothing else.
    found = await PLATFORM.confirm(rig.connection(), rig.context("", handles=rig.saved[-1]))
    [post] = await rig.posts()
    assert isinstance(found, Published)
    assert found.platform_post_id == post["platformPostId"]
    assert found.url


async def test_a_post_made_after_the_timeout_is_confirmed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = await prepared(rig, [])
    await PLATFORM.whoami(rig.connection())
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
    await rig.sandbox.fault("bluesky", "accept_then_delay", "publish", seconds=1)
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("names", FORMS)
async def test_what_never_landed_is_sent_again_under_the_same_key(rig: Rig, names: list[str]) -> None:
    context = await prepared(rig, names)
    await rig.sandbox.fault("bluesky", "drop", "publish")
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    key = rig.saved[-1]["records"]["post"]["rkey"]
    published = await publish(rig, context)
    assert published.platform_post_id.endswith(f"/{key}")
    assert len(await rig.posts()) == 1


async def test_a_repeat_writes_nothing_new(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"])
    first = await PLATFORM.publish(rig.connection(), context)
    resumed = rig.context(context.draft.text, context.draft.media, handles=rig.saved[-1])
    assert await publish(rig, resumed) == first
    assert len(await rig.posts()) == 1


async def test_before_anything_was_sent_nothing_is_there(rig: Rig) -> None:
    context = await prepared(rig, [])
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    assert rig.exchanges == []


@pytest.mark.parametrize(
    "body", [{"error": "RecordNotFound"}, {"error": "InvalidRequest", "message": "Could not locate record: at://x"}]
)
async def test_a_server_may_say_in_either_way_that_it_has_no_record(rig: Rig, body: Any) -> None:
    context = await prepared(rig, [])
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=400, body=body)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "InvalidRequest", "message": "Could not find repo"}),
        (502, "<html>Bad Gateway</html>"),
        (200, {}),
    ],
)
async def test_a_failed_confirmation_raises(rig: Rig, status: int, body: Any) -> None:
    context = await prepared(rig, [])
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=status, body=body)
    await refused(PLATFORM.confirm(rig.connection(), context))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, {"error": "InternalServerError", "message": "Internal Server Error"}, ErrorKind.UNCONFIRMED),
        (502, "<html>Bad Gateway</html>", ErrorKind.UNCONFIRMED),
        (503, {"error": "NotEnoughResources"}, ErrorKind.UNCONFIRMED),
        (200, {"cid": "bafy"}, ErrorKind.UNCONFIRMED),
        (200, "<html>Hello</html>", ErrorKind.UNCONFIRMED),
        (429, {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, ErrorKind.RATE_LIMITED),
        (400, {"error": "InvalidRequest", "message": "Invalid app.bsky.feed.post record"}, ErrorKind.REJECTED),
        (401, {"error": "AccountTakedown", "message": "Account has been taken down"}, ErrorKind.AUTH),
        (307, "", ErrorKind.REJECTED),
        (404, "<html>Not Found</html>", ErrorKind.REJECTED),
    ],
)
async def test_only_a_refusal_that_rules_an_effect_out_is_definite(
    rig: Rig, status: int, body: Any, kind: ErrorKind
) -> None:
    context = await prepared(rig, [])
    await rig.sandbox.fault("bluesky", "reject", "publish", status=status, body=body)
    assert (await send(rig, context)).kind is kind


async def test_a_server_that_cannot_be_reached_has_done_nothing(rig: Rig) -> None:
    context = await prepared(rig, [])
    await PLATFORM.whoami(rig.connection())
    connection = rig.connection()
    connection.wire.base_url = "http://127.0.0.1:1"
    assert (await refused(PLATFORM.publish(connection, context))).kind is ErrorKind.TRANSIENT


async def test_a_login_that_fails_has_published_nothing(rig: Rig) -> None:
    context = await prepared(rig, [])
    await rig.sandbox.fault("bluesky", "drop", "auth")
    assert (await send(rig, context)).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(("fault", "kind"), [("rate_limited", ErrorKind.RATE_LIMITED), ("drop", ErrorKind.TRANSIENT)])
@pytest.mark.parametrize("names", [["a.jpg"], ["a.mp4"]])
async def test_failures_while_uploading_are_distinguished(
    rig: Rig, fault: str, kind: ErrorKind, names: list[str]
) -> None:
    context = rig.context("Hi", [rig.sandbox.media(name) for name in names])
    # The limits of videos are requested first; an error of that request changes nothing.
    await rig.sandbox.fault("bluesky", fault, "prepare", seconds=180, times=2 if names == ["a.mp4"] else 1)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert error.kind is kind
    if kind is ErrorKind.RATE_LIMITED:
        assert error.retry_after is not None
        assert error.retry_after.total_seconds() == 180


async def test_an_upload_whose_session_has_ended_is_sent_whole_once_more(rig: Rig) -> None:
    await rig.sandbox.fault("bluesky", "token_expired", "prepare")
    published = await publish(rig, rig.context("Hi", [rig.sandbox.media("a.jpg")]))
    assert published.url
    assert len(rig.source.opened) == 1
