"""Confirming posts to TikTok by its status, its count of received bytes, and its list of videos."""

from datetime import UTC, datetime, timedelta

from platforms.base import Absent, Published, Unknown
from platforms.errors import ErrorKind
from platforms.tiktok import PLATFORM
from platforms.tiktok.media import COUNT_LAGS
from tests.platforms.post_steps import publish, refused, resumed
from tests.platforms.rig import Rig
from tests.platforms.tiktok.test_platform import prepared, rig

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
