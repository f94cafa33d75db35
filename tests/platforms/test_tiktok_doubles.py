"""TikTok's responses lost in every possible way: published posts are found, and nothing is published twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, Published, Unknown
from platforms.errors import ErrorKind
from platforms.tiktok import PLATFORM
from platforms.tiktok.status import COUNT_LAGS
from tests.platforms.rig import Rig
from tests.platforms.test_tiktok import FORMS, prepared, publish, refused, resumed, rig, sending_of

__all__ = ["rig"]


@pytest.mark.parametrize("names", FORMS)
@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500"])
async def test_what_landed_without_an_answer_is_found(rig: Rig, names: list[str], fault: str) -> None:
    context = await prepared(rig, names)
    await rig.sandbox.fault("tiktok", fault, "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    found = await PLATFORM.confirm(rig.connection(), resumed(rig, context))
    [post] = await rig.posts()
    assert isinstance(found, Published)
    assert found.platform_post_id == post["platformPostId"]
    assert await PLATFORM.complete(rig.connection(), resumed(rig, context), found) == found


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


async def test_a_post_made_after_the_timeout_is_confirmed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = await prepared(rig, ["a.jpg"])
    monkeypatch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.5))
    await rig.sandbox.fault("tiktok", "accept_then_delay", "publish", seconds=2)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)
    assert len(await rig.posts()) == 1


async def test_photos_that_are_not_listed_are_not_ruled_out(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"])
    await rig.sandbox.fault("tiktok", "drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    context.started_at = None
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()


async def test_photos_are_left_to_a_person_if_the_account_may_not_be_searched(rig: Rig) -> None:
    await rig.sandbox.switch_on("tiktok", "no_list_scope", rig.account.account_id)
    context = await prepared(rig, ["a.jpg"])
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown(final=True)
    await rig.sandbox.fault("tiktok", "reject", "confirm", status=503)
    assert (await refused(PLATFORM.confirm(rig.connection(), context))).kind is ErrorKind.TRANSIENT


async def test_an_older_post_of_the_same_words_is_not_ours(rig: Rig) -> None:
    await publish(rig, await prepared(rig, ["a.jpg"]))
    context = await prepared(rig, ["b.jpg"])
    context.started_at = datetime.now(UTC) + timedelta(minutes=5)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()


async def test_without_an_upload_nothing_was_published(rig: Rig) -> None:
    context = sending_of(rig, ["a.mp4"])
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_upload")


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


@pytest.mark.parametrize(
    ("http_status", "body", "kind"),
    [
        (200, {"data": {}, "error": {"code": "internal_error"}}, ErrorKind.UNCONFIRMED),
        (200, {"data": {}, "error": {"code": "ok"}}, ErrorKind.UNCONFIRMED),
        (200, "<html>Hello</html>", ErrorKind.UNCONFIRMED),
        (500, {"data": {}, "error": {"code": "internal_error"}}, ErrorKind.UNCONFIRMED),
        (200, {"data": {}, "error": {"code": "rate_limit_exceeded"}}, ErrorKind.RATE_LIMITED),
        (403, {"data": {}, "error": {"code": "url_ownership_unverified"}}, ErrorKind.OPERATOR),
    ],
)
async def test_only_a_refusal_that_rules_an_effect_out_is_definite(
    rig: Rig, http_status: int, body: Any, kind: ErrorKind
) -> None:
    context = await prepared(rig, ["a.jpg"])
    await rig.sandbox.fault("tiktok", "reject", "publish", status=http_status, body=body)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is kind


async def test_a_count_that_lags_does_not_send_a_video_twice(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"])
    await rig.sandbox.fault("tiktok", "accept_then_drop", "publish")
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.UNCONFIRMED
    await rig.sandbox.switch_on("tiktok", "count_lags", rig.account.account_id)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    await rig.sandbox.clear_conditions("tiktok")
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)
