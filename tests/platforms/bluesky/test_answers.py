"""Bluesky's responses to confirmations, logins and uploads that fail."""

from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import Absent
from platforms.bluesky import PLATFORM
from platforms.errors import ErrorKind
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig


async def prepared(rig: Rig, names: list[str]) -> Any:
    context = rig.context(
        "Sunset https://example.com", [rig.sandbox.media(name) for name in names], started_at=datetime.now(UTC)
    )
    await PLATFORM.prepare(rig.connection(), context)
    return context


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
    [(400, {"error": "InvalidRequest", "message": "Could not find repo"}), (502, "<html>Bad Gateway</html>")],
)
async def test_a_failed_confirmation_is_no_proof_of_absence(rig: Rig, status: int, body: Any) -> None:
    context = await prepared(rig, [])
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=status, body=body)
    await refused(PLATFORM.confirm(rig.connection(), context))


@pytest.mark.parametrize(("fault", "kind"), [("rate_limited", ErrorKind.RATE_LIMITED), ("drop", ErrorKind.TRANSIENT)])
async def test_an_error_of_a_videos_upload_counts_and_not_one_of_the_limits_before_it(
    rig: Rig, fault: str, kind: ErrorKind
) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")])
    await rig.sandbox.fault("bluesky", fault, "prepare", seconds=180, times=2)
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
