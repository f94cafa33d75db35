"""Containers of Instagram and Threads: built once, waited for, built again if they fail, and never published twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Published, Unknown
from platforms.errors import ErrorKind
from platforms.meta import containers
from tests.platforms.error_shapes import graph_error
from tests.platforms.post_steps import confirmed_id, lost, publish, ready, refused, resumed
from tests.platforms.rig import Clock, Connect, Rig

PLATFORMS = {
    "instagram": ("status_code", ["a.jpg"], "2207026", [(100, 33)]),
    "threads": ("status", [], "FAILED_PROCESSING_VIDEO", [(24, 4279009), (100, 33)]),
}
"""The name of a container's state, the media of the simplest post, the code of a video that is none, and the errors
of a container that is gone."""
STATE = {name: state for name, (state, *_) in PLATFORMS.items()}


@pytest.fixture(params=PLATFORMS)
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    return await connect(request.param)


@pytest.fixture(params=PLATFORMS)
async def slow(request: pytest.FixtureRequest, connect_slow: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Connect an account on a slow platform; each step checks once instead of for some seconds."""
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    return await connect_slow(request.param)


def simplest(rig: Rig, text: str = "Hi") -> PublishContext[Any]:
    return rig.context(text, [rig.sandbox.media(name) for name in PLATFORMS[rig.platform.name][1]])


def carousel(rig: Rig, *names: str) -> PublishContext[Any]:
    return rig.context("Hi", [rig.sandbox.media(name) for name in names or ("a.jpg", "b.jpg")])


async def say_state(rig: Rig, state: str) -> None:
    """Let the next read of a container report this state."""
    name = rig.platform.name
    await rig.sandbox.fault(name, "reject", "prepare", status=200, body={STATE[name]: state})


async def test_each_container_is_saved_as_soon_as_it_exists_and_built_once(rig: Rig) -> None:
    context = carousel(rig)
    await rig.platform.prepare(rig.connection(), context)
    assert [len(handles["containers"]) for handles in rig.saved] == [1, 2, 3]
    before, again = len(rig.exchanges), resumed(rig, context)
    await rig.platform.prepare(rig.connection(), again)
    assert (len(rig.exchanges), again.handles) == (before + 1, context.handles)


async def test_a_video_is_waited_for_step_by_step(slow: Rig, clock: Clock) -> None:
    context = carousel(slow, "a.mp4")
    error = await refused(slow.platform.prepare(slow.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    assert error.retry_after is not None
    assert timedelta(seconds=1) <= error.retry_after <= timedelta(minutes=1)
    context.started_at = datetime.now(UTC)
    assert await slow.platform.confirm(slow.connection(), context) == Unknown()
    clock.ahead += 60
    assert (await publish(slow, context)).url
    assert len(slow.saved) == 1


async def test_a_carousel_is_built_once_its_items_are_processed(slow: Rig, clock: Clock) -> None:
    context = carousel(slow, "a.mp4", "b.jpg")
    assert (await refused(slow.platform.prepare(slow.connection(), context))).kind is ErrorKind.NOT_READY
    assert sorted(context.handles["containers"]) == ["post/0", "post/1"]
    clock.ahead += 60
    assert (await publish(slow, context)).url
    assert len(slow.saved) == 3


async def test_a_state_that_is_new_to_us_is_waited_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    context = await ready(rig, simplest(rig))
    await say_state(rig, "REVIEWING")
    assert (await refused(rig.platform.prepare(rig.connection(), context))).kind is ErrorKind.NOT_READY


async def test_containers_too_old_to_be_published_are_built_again(rig: Rig) -> None:
    context = await ready(rig, carousel(rig))
    old = {known["id"] for known in context.handles["containers"].values()}
    context.handles["containers"]["post/0"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=23, minutes=1)).isoformat()
    await publish(rig, context)
    assert not old & {known["id"] for known in context.handles["containers"].values()}


async def test_a_container_that_expired_is_built_again(slow: Rig, clock: Clock) -> None:
    context = carousel(slow, "a.mp4")
    await refused(slow.platform.prepare(slow.connection(), context))
    clock.ahead += 25 * 3600
    error = await refused(slow.platform.prepare(slow.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "expired", {})
    await refused(slow.platform.prepare(slow.connection(), context))
    clock.ahead += 60
    assert (await publish(slow, context)).url


async def test_a_container_stuck_in_processing_is_built_again(slow: Rig) -> None:
    context = carousel(slow, "a.mp4")
    await refused(slow.platform.prepare(slow.connection(), context))
    context.handles["containers"]["post"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    error = await refused(slow.platform.prepare(slow.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "stuck", {})


async def test_a_file_that_is_no_video_is_reported_to_the_author(rig: Rig) -> None:
    gif = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    error = await refused(rig.platform.prepare(rig.connection(), rig.context("Hi", [gif])))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, PLATFORMS[rig.platform.name][2])
    assert rig.saved[-1]["containers"] == {}


async def test_a_post_that_was_not_published_is_sent_again_from_the_same_container(rig: Rig) -> None:
    context = carousel(rig)
    await lost(rig, context, "drop")
    before = context.handles["containers"]["post"]["id"]
    await publish(rig, resumed(rig, context))
    assert rig.saved[-1]["containers"]["post"]["id"] == before


async def test_a_container_that_was_published_publishes_nothing_more(rig: Rig) -> None:
    context = await ready(rig, simplest(rig))
    first = await rig.platform.publish(rig.connection(), context)
    await rig.platform.prepare(rig.connection(), context)
    assert (await refused(rig.platform.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert await confirmed_id(rig, context) == first.platform_post_id
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("state", ["ERROR", "EXPIRED"])
async def test_a_container_that_failed_is_built_again(rig: Rig, state: str) -> None:
    context = await ready(rig, carousel(rig))
    await say_state(rig, state)
    assert await rig.platform.confirm(rig.connection(), context) == Absent()
    assert rig.saved[-1]["containers"] == {}
    assert (await refused(rig.platform.publish(rig.connection(), context))).code == "no_container"
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize(
    ("platform", "error"), [(name, error) for name, (*_, gone) in PLATFORMS.items() for error in gone]
)
async def test_a_post_whose_container_is_gone_is_confirmed_among_the_posts(
    connect: Connect, platform: str, error: tuple[int, int]
) -> None:
    rig = await connect(platform)
    context, gone = await ready(rig, simplest(rig)), graph_error(*error)
    await rig.sandbox.fault(platform, "reject", "prepare", status=400, body=gone)
    assert await rig.platform.confirm(rig.connection(), context) == Unknown(), (
        "a post that cannot be read may be public"
    )
    published = await rig.platform.publish(rig.connection(), context)
    await rig.sandbox.fault(platform, "reject", "confirm", status=400, body=gone)
    assert await confirmed_id(rig, context) == published.platform_post_id


async def test_a_post_that_is_public_but_not_listed_yet_stays_unknown(rig: Rig) -> None:
    context = await ready(rig, simplest(rig))
    await say_state(rig, "PUBLISHED")
    assert await rig.platform.confirm(rig.connection(), context) == Unknown()


async def test_a_post_that_is_refused_although_it_is_public_is_found(rig: Rig) -> None:
    context = await ready(rig, simplest(rig))
    await rig.sandbox.switch_on(rig.platform.name, "publishes_and_refuses", rig.account.account_id)
    assert (await refused(rig.platform.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await rig.platform.confirm(rig.connection(), context), Published)


@pytest.mark.parametrize(("shown", "finding"), [("Nobody came to it", Absent), ("Hi https://l.example/x", Unknown)])
async def test_post_that_resembles_a_refused_one_whose_container_is_unreadable_is_not_sent_again(
    rig: Rig, shown: str, finding: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "REFUSED_FOR", timedelta(0))
    context = await ready(rig, simplest(rig, "Hi https://example.com"))
    context.handles["refusedAt"] = {"post": datetime.now(UTC).isoformat()}
    await rig.sandbox.fault(rig.platform.name, "reject", "prepare", status=400, body=graph_error(100))
    text = "caption" if rig.platform.name == "instagram" else "text"
    post = {"id": "1", text: shown, "timestamp": datetime.now(UTC).isoformat()}
    await rig.sandbox.fault(rig.platform.name, "reject", "confirm", status=200, body={"data": [post]})
    assert isinstance(await rig.platform.confirm(rig.connection(), context), finding)
