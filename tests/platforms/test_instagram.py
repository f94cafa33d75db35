"""Every form of post to Instagram over real HTTP, with as few requests as possible."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.instagram import PLATFORM
from platforms.meta import containers
from sandbox.server import running_sandbox
from tests.platforms.rig import Rig, Sandbox, open_account


class Clock:
    """The sandbox's clock, which a test can move forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.ahead


@pytest.fixture
async def rig(connect: Callable[..., Awaitable[Rig]]) -> Rig:
    return await connect("instagram")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Yield an account on a slow Instagram; each step checks once instead of for some seconds."""
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    async with running_sandbox(realistic=True, clock=clock) as url, httpx.AsyncClient(timeout=60) as client:
        yield await open_account(Sandbox(url, client), "instagram")


async def publish(rig: Rig, context: Any) -> Published:
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    return await PLATFORM.complete(rig.connection(), context, published)


async def refused(step: Awaitable[object]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


async def comments(rig: Rig, media_id: str) -> list[str]:
    answer = await rig.sandbox.client.get(
        f"{rig.sandbox.url}/instagram/v25.0/{media_id}/comments",
        headers={"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"},
    )
    return [comment["text"] for comment in answer.json()["data"]]


async def test_says_whose_token_it_is(rig: Rig) -> None:
    identity = await PLATFORM.whoami(rig.connection())
    assert (identity.user_id, identity.username) == (rig.account.user_id, rig.account.username)


async def test_a_given_user_id_stands_over_the_platforms_answer(connect: Callable[..., Awaitable[Rig]]) -> None:
    rig = await connect("instagram", credentials={"userId": "17841499999999999"})
    assert (await PLATFORM.whoami(rig.connection())).user_id == "17841499999999999"


async def test_an_answer_without_an_identity_is_asked_again(rig: Rig) -> None:
    await rig.sandbox.fault("instagram", "reject", "auth", status=200, body="<html>Hello</html>")
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.TRANSIENT


async def test_the_token_is_in_no_address(rig: Rig) -> None:
    addresses: list[str] = []

    async def note(request: httpx.Request) -> None:
        addresses.append(str(request.url))

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        context = rig.context("Hi", [rig.sandbox.media("a.jpg")])
        await PLATFORM.prepare(rig.connection(client), context)
        await PLATFORM.whoami(rig.connection(client))
    assert len(addresses) == 3
    assert not [address for address in addresses if rig.stored.access_token.get_secret_value() in address]


async def test_an_image_takes_four_requests(rig: Rig) -> None:
    published = await publish(rig, rig.context("Sunset", [rig.sandbox.media("sunset.jpg", "a beach")]))
    assert [(exchange.method, exchange.status) for exchange in rig.exchanges] == [
        ("POST", 200),
        ("GET", 200),
        ("POST", 200),
        ("GET", 200),
    ]
    assert published.url is not None
    assert published.url.startswith("https://www.instagram.com/p/")
    [post] = await rig.posts()
    assert (post["platformPostId"], post["text"], post["mediaCount"]) == (published.platform_post_id, "Sunset", 1)


@pytest.mark.parametrize(
    ("names", "settings", "kind"),
    [
        (["a.jpg"], {"collaborators": ["@natgeo"], "locationId": "7640348500"}, "p"),
        (["a.jpg"], {"userTags": [{"username": "nasa", "x": 0.5, "y": 0.25}]}, "p"),
        (
            ["a.mp4"],
            {"shareToFeed": False, "audioName": "Waves", "thumbOffset": 1500, "collaborators": ["nasa"]},
            "reel",
        ),
        (["a.mp4"], {"trialParams": {"graduationStrategy": "MANUAL"}, "userTags": [{"username": "nasa"}]}, "reel"),
        (["a.mp4"], {"instagramThumbnail": "https://cdn.example.com/cover.jpg"}, "reel"),
        (["a.jpg", "b.mp4"], {"userTags": [{"username": "nasa", "mediaIndex": 1}], "collaborators": ["nasa"]}, "p"),
        ([f"{number}.jpg" for number in range(10)], {}, "p"),
        (["a.jpg"], {"contentType": "story"}, "stories"),
        (["a.mp4"], {"contentType": "story", "userTags": [{"username": "nasa"}]}, "stories"),
    ],
)
async def test_publishes_every_type_of_post(rig: Rig, names: list[str], settings: dict[str, Any], kind: str) -> None:
    context = rig.context("Hi", [rig.sandbox.media(name, "what it shows") for name in names], settings=settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    published = await publish(rig, context)
    assert published.url is not None
    assert published.url.startswith(f"https://www.instagram.com/{kind}/")
    [post] = await rig.posts()
    assert post["mediaCount"] == len(names)
    assert post["text"] == ("" if kind == "stories" else "Hi")


async def test_every_container_is_saved_the_moment_it_exists(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    assert [len(handles["containers"]) for handles in rig.saved] == [1, 2, 3]


async def test_prepares_again_without_building_again(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    resumed = rig.context("Hi", context.draft.media, handles=rig.saved[-1])
    before = len(rig.exchanges)
    await PLATFORM.prepare(rig.connection(), resumed)
    assert len(rig.exchanges) == before + 1
    assert resumed.handles == context.handles


async def test_a_failed_item_leaves_the_others_built(rig: Rig) -> None:
    media = [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.png"), rig.sandbox.media("c.jpg")]
    context = rig.context("Hi", media)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "36001/2207005")
    assert sorted(context.handles["containers"]) == ["post/0", "post/2"]
    assert await rig.posts() == []


async def test_an_item_that_fails_in_processing_is_dropped_alone(rig: Rig) -> None:
    image_as_video = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), image_as_video])
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "2207026")
    assert list(rig.saved[-1]["containers"]) == ["post/0"]


async def test_of_several_failures_the_one_that_waiting_cannot_cure_is_reported(slow: Rig) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4"), slow.sandbox.media("b.png")])
    assert (await refused(PLATFORM.prepare(slow.connection(), context))).kind is ErrorKind.REJECTED
    assert list(context.handles["containers"]) == ["post/0"]


async def test_a_video_is_waited_for_step_by_step(slow: Rig, clock: Clock) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4")])
    error = await refused(PLATFORM.prepare(slow.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    assert error.retry_after is not None
    assert timedelta(seconds=1) <= error.retry_after <= timedelta(minutes=1)
    assert (await refused(PLATFORM.publish(slow.connection(), context))).kind is ErrorKind.NOT_READY
    assert await PLATFORM.confirm(slow.connection(), context) == Unknown()
    clock.ahead += 60
    assert (await publish(slow, context)).url
    assert len(slow.saved) == 1


async def test_an_image_that_is_processed_within_seconds_is_waited_for_at_once(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert (await publish(slow, slow.context("Hi", [slow.sandbox.media("a.jpg")]))).url


async def test_a_state_that_is_new_to_us_is_waited_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    await rig.sandbox.fault("instagram", "reject", "prepare", status=200, body={"status_code": "REVIEWING"})
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.NOT_READY


async def test_a_carousel_is_built_once_its_items_are_processed(slow: Rig, clock: Clock) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4"), slow.sandbox.media("b.jpg")])
    assert (await refused(PLATFORM.prepare(slow.connection(), context))).kind is ErrorKind.NOT_READY
    assert sorted(context.handles["containers"]) == ["post/0", "post/1"]
    clock.ahead += 60
    assert (await publish(slow, context)).url
    assert len(slow.saved) == 3


async def test_containers_too_old_to_be_published_are_built_again(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    old = {name: known["id"] for name, known in context.handles["containers"].items()}
    context.handles["containers"]["post/0"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=23, minutes=1)).isoformat()
    await publish(rig, context)
    assert not set(old.values()) & {known["id"] for known in context.handles["containers"].values()}


async def test_a_container_that_expired_is_built_again(slow: Rig, clock: Clock) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4")])
    await refused(PLATFORM.prepare(slow.connection(), context))
    clock.ahead += 25 * 3600
    error = await refused(PLATFORM.prepare(slow.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "expired", {})


async def test_a_container_stuck_in_processing_is_built_again(slow: Rig) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4")])
    await refused(PLATFORM.prepare(slow.connection(), context))
    context.handles["containers"]["post"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    error = await refused(PLATFORM.prepare(slow.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "stuck", {})


async def test_a_video_that_fails_in_processing_is_reported_to_the_author(rig: Rig) -> None:
    image_as_video = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", [image_as_video])))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "2207026")
    assert rig.saved[-1]["containers"] == {}


async def test_media_that_cannot_be_fetched_are_tried_a_few_times_and_then_refused(rig: Rig) -> None:
    hidden = rig.sandbox.media("a.jpg").model_copy(update={"url": "http://127.0.0.1:1/a.jpg"})
    context = rig.context("Hi", [hidden])
    errors = [await refused(PLATFORM.prepare(rig.connection(), context)) for _ in range(3)]
    assert [error.kind for error in errors] == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]
    assert errors[0].retry_after == timedelta(seconds=5)
    assert "Check that it is public" in errors[2].message


async def test_adds_the_first_comment_once(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")], settings={"firstComment": "#sunset"})
    published = await publish(rig, context)
    assert await PLATFORM.complete(rig.connection(), context, published) == published
    assert await comments(rig, published.platform_post_id) == ["#sunset"]
    assert published.warning is None


@pytest.mark.parametrize(
    ("fault", "landed"), [("drop", []), ("accept_then_drop", ["first"]), ("accept_then_500", ["first"])]
)
async def test_an_unconfirmed_comment_is_not_sent_again(rig: Rig, fault: str, landed: list[str]) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")], settings={"firstComment": "first"})
    await rig.sandbox.fault("instagram", fault, "edit")
    published = await publish(rig, context)
    assert published.url
    assert published.warning == "It is not known whether Instagram took the first comment. Look at the post."
    assert await PLATFORM.complete(rig.connection(), context, published) == published
    assert await comments(rig, published.platform_post_id) == landed


async def test_a_comment_is_refused_with_a_warning_or_added_later(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")], settings={"firstComment": "first"})
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("instagram", "rate_limited", "edit")
    error = await refused(PLATFORM.complete(rig.connection(), context, published))
    assert error.kind is ErrorKind.RATE_LIMITED
    assert (await PLATFORM.complete(rig.connection(), context, published)).warning is None
    assert await comments(rig, published.platform_post_id) == ["first"]
    body = {"error": {"code": 100, "message": "Comments are off"}}
    await rig.sandbox.fault("instagram", "reject", "edit", status=400, body=body)
    other = rig.context("Ho", [rig.sandbox.media("b.jpg")], settings={"firstComment": "first"})
    warned = await publish(rig, other)
    assert warned.warning == "The first comment was not added: Instagram refused: Comments are off"
