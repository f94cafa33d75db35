"""Instagram's responses lost in every possible way: published posts are found, and nothing is published twice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, Published, Unknown, Unlisted
from platforms.errors import ErrorKind, PlatformError
from platforms.instagram import PLATFORM
from tests.platforms.rig import Rig
from tests.platforms.test_instagram import refused

FORMS = [
    (["a.jpg"], {}),
    (["a.jpg", "b.jpg"], {}),
    (["a.mp4"], {}),
    (["a.jpg"], {"contentType": "story"}),
]


@pytest.fixture
async def rig(connect: Callable[..., Awaitable[Rig]]) -> Rig:
    return await connect("instagram")


async def prepared(rig: Rig, names: list[str], settings: dict[str, Any]) -> Any:
    context = rig.context("  Sunset\n", [rig.sandbox.media(name) for name in names], settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def send(rig: Rig, context: Any, client: httpx.AsyncClient | None = None) -> PlatformError:
    return await refused(PLATFORM.publish(rig.connection(client), context))


@pytest.mark.parametrize(("names", "settings"), FORMS)
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_landed_without_an_answer_is_found(
    rig: Rig, names: list[str], settings: dict[str, Any], fault: str
) -> None:
    context = await prepared(rig, names, settings)
    await rig.sandbox.fault("instagram", fault, "publish")
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), context)
    [post] = await rig.posts()
    assert isinstance(found, Published)
    assert found.platform_post_id == post["platformPostId"]
    assert found.url


async def test_a_post_made_after_the_timeout_is_confirmed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
    context = await prepared(rig, ["a.jpg"], {})
    await rig.sandbox.fault("instagram", "accept_then_delay", "publish", seconds=1)
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize(("names", "settings"), FORMS)
async def test_what_never_landed_is_sent_again_from_the_same_container(
    rig: Rig, names: list[str], settings: dict[str, Any]
) -> None:
    context = await prepared(rig, names, settings)
    await rig.sandbox.fault("instagram", "drop", "publish")
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    before = context.handles["containers"]["post"]["id"]
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    await PLATFORM.prepare(rig.connection(), context)
    await PLATFORM.publish(rig.connection(), context)
    assert context.handles["containers"]["post"]["id"] == before
    assert len(await rig.posts()) == 1


async def test_a_container_that_was_published_publishes_nothing_more(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    first = await PLATFORM.publish(rig.connection(), context)
    await PLATFORM.prepare(rig.connection(), context)
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == first.platform_post_id
    assert len(await rig.posts()) == 1


async def test_a_repeat_refused_in_unknown_words_is_confirmed(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("instagram", "reject", "publish", status=400, body=graph_error(100, None))
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, (-1, 2207001), ErrorKind.UNCONFIRMED),
        (400, (2, None), ErrorKind.UNCONFIRMED),
        (500, (1, None), ErrorKind.UNCONFIRMED),
        (503, (190, None), ErrorKind.UNCONFIRMED),
        (400, (24, 2207008), ErrorKind.UNCONFIRMED),
        (400, (24, 2207006), ErrorKind.UNCONFIRMED),
        (502, "<html>Bad Gateway</html>", ErrorKind.UNCONFIRMED),
        (200, {"success": True}, ErrorKind.UNCONFIRMED),
        (200, "<html>Hello</html>", ErrorKind.UNCONFIRMED),
        (302, "", ErrorKind.UNCONFIRMED),
        (400, (9007, 2207027), ErrorKind.NOT_READY),
        (400, (4, None), ErrorKind.RATE_LIMITED),
        (400, (9, 2207042), ErrorKind.CAPPED),
        (400, (4, 2207051), ErrorKind.UNCONFIRMED),
        (400, (25, 2207050), ErrorKind.AUTH),
        (400, (190, 463), ErrorKind.AUTH),
        (400, (100, None), ErrorKind.REJECTED),
        (403, "<html>Forbidden</html>", ErrorKind.REJECTED),
    ],
)
async def test_only_a_refusal_that_rules_an_effect_out_is_definite(
    rig: Rig, status: int, body: Any, kind: ErrorKind
) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    body = graph_error(*body) if isinstance(body, tuple) else body
    await rig.sandbox.fault("instagram", "reject", "publish", status=status, body=body)
    assert (await send(rig, context)).kind is kind


async def test_a_platform_that_cannot_be_reached_has_done_nothing(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    connection = rig.connection()
    connection.wire.base_url = "http://127.0.0.1:1"
    assert (await refused(PLATFORM.publish(connection, context))).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("token_expired", ErrorKind.AUTH), ("rate_limited", ErrorKind.RATE_LIMITED), ("drop", ErrorKind.TRANSIENT)],
)
@pytest.mark.parametrize("operation", ["prepare", "confirm"])
async def test_failures_beside_the_publishing_request_are_distinguished(
    rig: Rig, fault: str, kind: ErrorKind, operation: str
) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("instagram", fault, operation, seconds=180)
    step = (
        PLATFORM.prepare(rig.connection(), rig.context("Hi", [rig.sandbox.media("b.jpg")]))
        if operation == "prepare"
        else PLATFORM.confirm(rig.connection(), context)
    )
    error = await refused(step)
    assert error.kind is kind
    if kind is ErrorKind.RATE_LIMITED:
        assert error.retry_after is not None
        assert error.retry_after.total_seconds() == 180


@pytest.mark.parametrize("status_code", ["ERROR", "EXPIRED"])
async def test_a_container_that_failed_is_built_again(rig: Rig, status_code: str) -> None:
    context = await prepared(rig, ["a.jpg", "b.jpg"], {})
    await rig.sandbox.fault("instagram", "reject", "prepare", status=200, body={"status_code": status_code})
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    assert rig.saved[-1]["containers"] == {}
    assert (await send(rig, context)).code == "no_container"
    await PLATFORM.prepare(rig.connection(), context)
    await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1


async def test_a_container_that_is_gone_is_looked_for_among_the_posts(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    gone = {"platform": "instagram", "fault": "reject", "status": 400, "body": graph_error(100, 33)}
    await rig.sandbox.control("POST", "faults", {**gone, "operation": "prepare"})
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown(), "what cannot be read may be public"
    published = await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.control("POST", "faults", {**gone, "operation": "confirm"})
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == published.platform_post_id


async def test_a_post_that_is_public_but_not_listed_yet_stays_unknown(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await rig.sandbox.fault("instagram", "reject", "prepare", status=200, body={"status_code": "PUBLISHED"})
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()


async def test_the_newest_post_of_the_same_caption_is_ours(rig: Rig) -> None:
    for names, text in ((["a.jpg"], "Sunset"), (["b.jpg"], "Sunrise")):
        other = rig.context(text, [rig.sandbox.media(name) for name in names])
        await PLATFORM.prepare(rig.connection(), other)
        await PLATFORM.publish(rig.connection(), other)
    context = await prepared(rig, ["c.jpg"], {})
    await rig.sandbox.fault("instagram", "accept_then_drop", "publish")
    await send(rig, context)
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == (await rig.posts())[0]["platformPostId"]


async def test_without_a_container_nothing_was_published(rig: Rig) -> None:
    assert await PLATFORM.confirm(rig.connection(), rig.context("Hi", [rig.sandbox.media("a.jpg")])) == Absent()


def graph_error(code: int, subcode: int | None) -> dict[str, Any]:
    return {"error": {"message": "its own words", "type": "OAuthException", "code": code, "error_subcode": subcode}}


async def test_a_container_that_cannot_be_read_is_published_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.sandbox.switch_on("instagram", "reads_refused", rig.account.account_id)
    context = rig.context("Read by nobody", [rig.sandbox.media("a.jpg")])
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    made = context.handles["containers"]
    monkeypatch.setattr("platforms.meta.containers.UNREADABLE_FOR", timedelta(0))
    await PLATFORM.prepare(rig.connection(), context)
    assert context.handles["containers"] == made, "nothing is built again"
    published = await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1
    found = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(found, Published)
    assert found.platform_post_id == published.platform_post_id


async def test_a_post_that_is_refused_although_it_is_public_is_found(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await rig.sandbox.switch_on("instagram", "publishes_and_refuses", rig.account.account_id)
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


async def test_a_block_that_lasts_is_believed_after_a_minute(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    blocked = graph_error(4, 2207051)
    await rig.sandbox.fault("instagram", "reject", "publish", status=400, body=blocked, times=2)
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    monkeypatch.setattr("platforms.meta.containers.REFUSED_FOR", timedelta(0))
    assert (await send(rig, context)).kind is ErrorKind.REJECTED


async def test_a_status_that_says_error_without_a_code_is_one(rig: Rig) -> None:
    context = rig.context("Broken", [rig.sandbox.media("a.jpg")])
    body = {"status_code": "", "status": "Error: Media download has failed. 2207052"}
    await rig.sandbox.fault("instagram", "reject", "prepare", status=200, body={"id": "17"})
    await rig.sandbox.fault("instagram", "reject", "confirm", status=200, body=body)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "2207052")


async def test_an_app_that_meta_has_blocked_is_the_operators_to_mend(rig: Rig) -> None:
    await rig.sandbox.switch_on("instagram", "app_refused", rig.account.account_id)
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", [rig.sandbox.media("a.jpg")])))
    assert error.kind is ErrorKind.OPERATOR


@pytest.mark.parametrize("settings", [{"shareToFeed": False}, {"trialParams": {"graduationStrategy": "MANUAL"}}])
async def test_a_reel_that_is_public_and_never_listed_is_published_without_an_address(
    rig: Rig, settings: dict[str, Any]
) -> None:
    context = await prepared(rig, ["a.mp4"], settings)
    await rig.sandbox.switch_on("instagram", "reels_unlisted", rig.account.account_id)
    await rig.sandbox.fault("instagram", "accept_then_drop", "publish")
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED
    context.started_at = datetime.now(UTC) - timedelta(minutes=9)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown(), "lists may lag behind"
    context.started_at -= timedelta(minutes=2)
    assert await PLATFORM.confirm(rig.connection(), context) == Unlisted()
    await rig.sandbox.clear_conditions("instagram")
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


async def test_a_video_that_cannot_be_processed_is_the_posts_fault(rig: Rig) -> None:
    await rig.sandbox.switch_on("instagram", "videos_unprocessable", rig.account.account_id)
    for _ in ("status_code says ERROR", "status_code is empty"):
        error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", [rig.sandbox.media("a.mp4")])))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "2207085")
        await rig.sandbox.switch_on("instagram", "state_unnamed", rig.account.account_id)


async def test_a_limit_of_instagrams_own_is_waited_out(rig: Rig) -> None:
    """Instagram reports it as code 80002 with status 400, and gives the minutes in a header."""
    context = await prepared(rig, ["a.jpg"], {})
    await rig.sandbox.fault("instagram", "rate_limited", "publish", seconds=420)
    error = await send(rig, context)
    assert (error.kind, error.status, error.code) == (ErrorKind.RATE_LIMITED, 400, "80002")
    assert error.retry_after == timedelta(minutes=7)
