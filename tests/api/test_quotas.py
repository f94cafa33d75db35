"""What one workspace may have and wait for."""

import pytest

from api.app import create_app
from api.dependencies import Dependencies
from api.quotas import OpenPosts
from api.waiting import Waiting
from domain.errors import RateLimited
from tests.api.conftest import client_of
from tests.serving import started
from tests.stack import Stack


async def test_a_workspace_has_so_many_open_posts_and_no_more(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.quotas._COUNTED_AGAIN_AFTER_S", 0)
    deps = Dependencies.of(stack.api_database, stack.workflows, stack.outcomes, most_open_posts=2)
    (_, key), (_, other) = await stack.new_workspace(), await stack.new_workspace()
    async with started(create_app(deps)) as app, client_of(app, key) as client, client_of(app, other) as neighbour:
        made = [
            (await client.send_post({"content": str(n)}, **{"Idempotency-Key": str(n)})).json()["id"] for n in range(2)
        ]
        refused = await client.send_post({"content": "one too many"})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_open_posts")
        assert refused.headers["retry-after"] == "60"
        replayed = await client.send_post({"content": "0"}, **{"Idempotency-Key": "0"})
        assert (replayed.status_code, replayed.json()["id"]) == (201, made[0])
        assert (await neighbour.send_post({"content": "another's"})).status_code == 201
        assert (await client.delete(f"/v1/posts/{made[0]}")).status_code == 200
        assert (await client.send_post({"content": "again"})).status_code == 201


async def test_posts_are_counted_seldom(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0

    async def count_open(*_: object) -> int:
        nonlocal counted
        counted += 1
        return 0

    monkeypatch.setattr("api.quotas.count_open", count_open)
    quota = OpenPosts(stack.api_database, 100)
    for _ in range(100):
        await quota.take("ws")
    assert counted == 1
    with pytest.raises(RateLimited):
        await quota.take("ws")
    unlimited = OpenPosts(stack.api_database, 0)
    for _ in range(10):
        await unlimited.take("ws")
    assert counted == 1


async def test_only_so_many_requests_of_a_workspace_wait() -> None:
    waiting = Waiting(most=2)
    with waiting.patience("a", 5) as first, waiting.patience("a", 5), waiting.patience("a", 5) as third:
        assert first.granted
        assert (third.granted, third.left) == (False, 0)
        with waiting.patience("b", 5) as others, waiting.patience("a", 0) as none:
            assert others.granted
            assert others.left > 4
            assert none.left == 0
    with waiting.patience("a", 5) as again:
        assert again.granted
