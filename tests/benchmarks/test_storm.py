"""Results that the storm reports as wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.storm import Stormed, problems

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def stormed(status: str, *, post: str = "", platform: str = "twitter", **more: Any) -> Stormed:
    target = {"status": status, "platformPostId": "7" if status == "published" else None}
    last = {"status": post or status, "content": "storm 1 1. 5", "scheduledFor": "2020-01-01T00:00:00Z"}
    return Stormed(platform, "tw_1", "storm 1 1.", "post_1", last={**last, "platforms": [target]}, **more)


def shown(platform_post_id: str = "7", text: str = "storm 1 1. 5", at: datetime = NOW) -> dict[str, Any]:
    return {"platformPostId": platform_post_id, "text": text, "createdAt": at.isoformat()}


@pytest.mark.parametrize(
    ("post", "public"),
    [
        (stormed("published"), [shown()]),
        (stormed("failed"), []),
        (stormed("pending", post="draft"), []),
        (stormed("unconfirmed", post="publishing", platform="telegram"), [shown()]),
        (stormed("published", deleted_at=NOW), [shown(at=NOW - timedelta(seconds=1))]),
    ],
)
def test_expected_states_are_no_problem(post: Stormed, public: list[dict[str, Any]]) -> None:
    assert list(problems(post, public)) == []


@pytest.mark.parametrize(
    ("post", "public", "wrong"),
    [
        (stormed("published"), [shown(), shown("8")], "public 2 times"),
        (stormed("published"), [], "shows nothing"),
        (stormed("published"), [shown(text="storm 1 1. 4")], "other words"),
        (stormed("failed"), [shown()], "failed, and the platform shows"),
        (stormed("pending", post="scheduled"), [], "does not come to rest"),
        (stormed("unconfirmed", post="publishing"), [shown()], "does not come to rest"),
        (stormed("pending", deleted_at=NOW), [shown(at=NOW + timedelta(seconds=1))], "after its deletion"),
        (Stormed("twitter", "tw_1", "storm 1 1.", "post_1"), [], "is gone"),
    ],
)
def test_wrong_states_are_named(post: Stormed, public: list[dict[str, Any]], wrong: str) -> None:
    [problem] = problems(post, public)
    assert wrong in problem
