"""Limits of what one workspace may keep and write."""

from collections import Counter

import pytest

from api.dependencies import Dependencies
from api.shared.waiting import WaitingRequests
from api.shared.workspace_usage import WorkspaceLimits, WorkspaceUsage
from domain.errors import TooManyRequests
from tests.api.conftest import make_client
from tests.serving import app_over
from tests.stack import Stack


async def test_open_posts_of_a_workspace_are_limited(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.shared.workspace_usage._COUNTED_AGAIN_AFTER_S", 0)
    deps = Dependencies.assemble(
        stack.api_database, stack.workflows, stack.outcomes, limits=WorkspaceLimits(open_posts=2)
    )
    (_, key), (_, other) = await stack.new_workspace(), await stack.new_workspace()
    async with app_over(deps) as app, make_client(app, key) as client, make_client(app, other) as neighbour:
        responses = [
            (await client.send_post({"content": str(n)}, **{"Idempotency-Key": str(n)})).json()["id"] for n in range(2)
        ]
        refused = await client.send_post({"content": "one too many"})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_open_posts")
        assert refused.headers["retry-after"] == "60"
        replayed = await client.send_post({"content": "0"}, **{"Idempotency-Key": "0"})
        assert (replayed.status_code, replayed.json()["id"]) == (201, responses[0])
        assert (await neighbour.send_post({"content": "another's"})).status_code == 201
        assert (await client.delete(f"/v1/posts/{responses[0]}")).status_code == 200
        assert (await client.send_post({"content": "again"})).status_code == 201


@pytest.mark.parametrize(
    ("limits", "code"),
    [(WorkspaceLimits(posts=2), "too_many_posts"), (WorkspaceLimits(megabytes=1), "too_many_bytes")],
)
async def test_kept_posts_and_bytes_are_limited(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, limits: WorkspaceLimits, code: str
) -> None:
    monkeypatch.setattr("api.shared.workspace_usage._COUNTED_AGAIN_AFTER_S", 0)
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes, limits=limits)
    (_, key), (_, other) = await stack.new_workspace(), await stack.new_workspace()
    content = "a" * 90_000
    accounts = [{"platform": "twitter", "accountId": f"tw_{number}"} for number in range(6)]
    async with app_over(deps) as app, make_client(app, key) as client, make_client(app, other) as neighbour:
        responses = [
            (await client.send_post({"content": content, "platforms": accounts, "isDraft": True})).json()["id"]
            for _ in range(2)
        ]
        refused = await client.send_post({"content": "one too many"})
        assert (refused.status_code, refused.json()["code"]) == (429, code)
        assert (await neighbour.send_post({"content": "another's"})).status_code == 201
        assert (await client.delete(f"/v1/posts/{responses[0]}")).status_code == 200
        assert (await client.send_post({"content": "again"})).status_code == 201


async def test_written_bytes_are_limited(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.shared.workspace_usage.WRITES_PER_S", 1.0)
    monkeypatch.setattr("api.shared.workspace_usage.WRITE_BURST", 100_000)
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)
    (_, key), (_, other) = await stack.new_workspace(), await stack.new_workspace()
    async with app_over(deps) as app, make_client(app, key) as client, make_client(app, other) as neighbour:
        first = await client.send_post({"content": "a" * 30_000}, **{"Idempotency-Key": "first"})
        path = f"/v1/posts/{first.json()['id']}"
        # A post that is deleted immediately was written all the same: its response is stored for a day.
        second = (await client.send_post({"content": "b" * 30_000})).json()["id"]
        assert (await client.delete(f"/v1/posts/{second}")).status_code == 200
        assert (await client.patch(path, json={"content": "c" * 30_000})).status_code == 200
        for refused in (
            await client.send_post({"content": "d" * 30_000}),
            await client.patch(path, json={"content": "d" * 30_000}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert int(refused.headers["retry-after"]) > 10_000
        assert (await client.get(path)).json()["content"] == "c" * 30_000
        replayed = await client.send_post({"content": "a" * 30_000}, **{"Idempotency-Key": "first"})
        assert (replayed.status_code, replayed.content) == (201, first.content)
        assert (await neighbour.send_post({"content": "another's"})).status_code == 201


async def test_posts_are_counted_seldom(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()

    async def count_open(*_: object) -> int:
        counted["open"] += 1
        return 0

    async def count_kept(*_: object) -> tuple[int, int]:
        counted["kept"] += 1
        return 0, 0

    monkeypatch.setattr("api.shared.workspace_usage.count_open", count_open)
    monkeypatch.setattr("api.shared.workspace_usage.count_kept", count_kept)
    usage = WorkspaceUsage(stack.api_database, WorkspaceLimits(open_posts=100))
    for _ in range(100):
        await usage.count_post("ws", 100)
    assert counted == {"open": 1, "kept": 1}
    with pytest.raises(TooManyRequests):
        await usage.count_post("ws", 100)
    unlimited = WorkspaceUsage(stack.api_database, WorkspaceLimits(0, 0, 0))
    for _ in range(10):
        await unlimited.count_post("ws", 100)
    assert counted == {"open": 1, "kept": 1}


async def test_waiting_requests_are_limited() -> None:
    waiting = WaitingRequests(most=2)
    with waiting.deadline("a", 5) as first, waiting.deadline("a", 5), waiting.deadline("a", 5) as third:
        assert first.granted
        assert (third.granted, third.seconds_left) == (False, 0)
        with waiting.deadline("b", 5) as others, waiting.deadline("a", 0) as none:
            assert others.granted
            assert others.seconds_left > 4
            assert none.seconds_left == 0
    with waiting.deadline("a", 5) as again:
        assert again.granted
