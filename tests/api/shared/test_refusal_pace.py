"""The pace of refusals: a client that keeps to its limit waits for none, and a flood for more and more."""

import asyncio
import time

import pytest

from api.shared.refusal_pace import LONGEST_WAIT_S, REFUSALS_AT_ONCE, REFUSALS_PER_S, RefusalPace
from domain.request_limits import Policy, PolicyName
from tests.api.conftest import limited_app, make_client
from tests.stack import Stack


def test_refusals_wait_for_longer_the_more_come_too_soon() -> None:
    pace = RefusalPace()
    waits = [pace.wait_s(1_000.0) for _ in range(10 * REFUSALS_PER_S)]
    assert waits[:REFUSALS_AT_ONCE] == [0.0] * REFUSALS_AT_ONCE
    at_the_pace = waits[REFUSALS_AT_ONCE : REFUSALS_AT_ONCE + int(LONGEST_WAIT_S * REFUSALS_PER_S)]
    assert at_the_pace[:3] == pytest.approx([0.02, 0.04, 0.06])
    assert at_the_pace == sorted(at_the_pace)
    # The others are not sent in the same moment.
    later = waits[REFUSALS_AT_ONCE + len(at_the_pace) :]
    assert LONGEST_WAIT_S / 2 <= min(later) < max(later) <= LONGEST_WAIT_S
    # Requests that came too soon are forgotten in a few seconds, however many they were.
    assert pace.wait_s(1_000.0 + LONGEST_WAIT_S) > 0
    assert pace.wait_s(1_000.0 + LONGEST_WAIT_S + 1.0) == 0


def test_refusals_at_the_pace_never_wait() -> None:
    pace = RefusalPace()
    assert {pace.wait_s(number / REFUSALS_PER_S) for number in range(1_000)} == {0.0}


async def test_a_flood_waits_for_its_refusals_and_others_do_not(stack: Stack) -> None:
    (_, key), (_, other_key) = [await stack.new_workspace() for _ in range(2)]
    few = Policy(PolicyName.REQUESTS, 1, 2)
    async with limited_app(stack, requests=few) as app, make_client(app, key) as client:
        assert [(await client.get("/v1/posts")).status_code for _ in range(3)] == [200, 200, 429]
        began = time.monotonic()
        flood = asyncio.gather(*(client.get("/v1/posts") for _ in range(REFUSALS_AT_ONCE + 20)))
        async with make_client(app, other_key) as other:
            assert (await other.get("/v1/posts")).status_code == 200
        assert not flood.done()
        assert {answer.status_code for answer in await flood} == {429}
        assert time.monotonic() - began >= 20 / REFUSALS_PER_S
