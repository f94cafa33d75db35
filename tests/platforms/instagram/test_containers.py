"""Containers and refusals of Instagram alone; those that it shares with Threads have a module of their own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, Published, Unknown, Unlisted
from platforms.errors import ErrorKind, PlatformError
from platforms.instagram import PLATFORM
from tests.platforms.post_steps import refused
from tests.platforms.rig import Rig


async def prepared(rig: Rig, names: list[str], settings: dict[str, Any]) -> Any:
    context = rig.context(
        "  Sunset\n", [rig.sandbox.media(name) for name in names], settings=settings, started_at=datetime.now(UTC)
    )
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def send(rig: Rig, context: Any, client: httpx.AsyncClient | None = None) -> PlatformError:
    return await refused(PLATFORM.publish(rig.connection(client), context))


async def test_a_repeat_refused_in_unknown_words_is_confirmed(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("instagram", "reject", "publish", status=400, body=graph_error(100, None))
    assert (await send(rig, context)).kind is ErrorKind.UNCONFIRMED


def graph_error(code: int, subcode: int | None) -> dict[str, Any]:
    return {"error": {"message": "its own words", "type": "OAuthException", "code": code, "error_subcode": subcode}}


async def test_a_container_that_cannot_be_read_is_published_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.sandbox.switch_on("instagram", "reads_refused", rig.account.account_id)
    context = rig.context("Read by nobody", [rig.sandbox.media("a.jpg")], started_at=datetime.now(UTC))
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
