"""The rates of a workspace in one process, and what wrong keys cost."""

import asyncio
import hashlib
import secrets
from typing import Any

import pytest
from litestar import Litestar

from api.auth import API_KEYS, TokenCache
from api.errors import Unauthorized
from api.http.rates import Rates
from domain.errors import Problem, TooManyRequests
from store.workspaces.keys import Caller
from tests.stack import Stack

PROBLEM = Problem("Too much", "rate_limited")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_buckets_refill_and_belong_to_one_workspace() -> None:
    clock = Clock()
    rates = Rates(2, 3, PROBLEM, clock)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooManyRequests) as error:
        rates.take("a")
    assert error.value.retry_after == 1
    rates.take("b")
    clock.now += 0.5
    rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")
    clock.now += 100
    for _ in range(3):
        rates.take("a")
    with pytest.raises(TooManyRequests):
        rates.take("a")


def test_a_rate_of_0_takes_any_number() -> None:
    rates = Rates(0, 1, PROBLEM)
    for _ in range(10):
        rates.take("a")


async def test_wrong_keys_cost_little(app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    at_once = most = 0

    async def recognize(_session: Any, key: str) -> Caller | None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        asked.append(hashlib.sha256(key.encode()).hexdigest())
        return None

    monkeypatch.setattr("api.auth.recognize_key", recognize)
    keys = TokenCache(stack.api_database, API_KEYS)

    async def refused(key: str) -> None:
        with pytest.raises(Unauthorized):
            await keys.find(key)

    for key in ("sk_", "sk_" + "a" * 42, "sk_" + "a" * 44, "pk_" + "a" * 43, "sk_" + "a" * 42 + "!"):
        await refused(key)
    assert asked == []
    same = "sk_" + secrets.token_urlsafe(32)
    await asyncio.gather(*(refused(same) for _ in range(50)))
    await refused(same)
    assert len(asked) <= 4
    await asyncio.gather(*(refused("sk_" + secrets.token_urlsafe(32)) for _ in range(40)))
    assert most <= 4
