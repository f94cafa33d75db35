"""The pace of refusals: a client that keeps to its limit waits for none, and a flood for more and more."""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from api.shared import request_limits
from api.shared.request_limits import REFUSALS_AT_ONCE, REFUSALS_PER_S
from domain.request_limits import Policy, PolicyName
from tests.api.conftest import limited_app, make_client
from tests.stack import Stack
from tests.statements import Statement


async def test_a_flood_waits_for_its_refusals_and_others_do_not(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    # Seconds in which others get their answers, on a busy machine too.
    monkeypatch.setattr(request_limits, "REFUSALS_PER_S", 1 / 0.3)
    (_, key), (_, other_key) = [await stack.new_workspace() for _ in range(2)]
    few = Policy(PolicyName.REQUESTS, 1, 2)
    async with limited_app(stack, requests=few) as app, make_client(app, key) as client:
        assert [(await client.get("/v1/posts")).status_code for _ in range(3)] == [200, 200, 429]
        began = time.monotonic()
        flood = asyncio.gather(*(client.get("/v1/posts") for _ in range(REFUSALS_AT_ONCE + 10)))
        async with make_client(app, other_key) as other:
            assert (await other.get("/v1/posts")).status_code == 200
        assert not flood.done()
        assert {answer.status_code for answer in await flood} == {429}
        assert time.monotonic() - began >= 10 * 0.3


def own_lines(lines: list[MutableMapping[str, Any]], workspace_id: str) -> list[MutableMapping[str, Any]]:
    return [line for line in lines if line.get("workspace_id") == workspace_id]


async def test_a_flood_costs_a_statement_and_a_log_line_a_second(
    stack: Stack, statements: list[Statement], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "LONGEST_WAIT_S", 0.02)
    refusals = 1_000
    workspace_id, key = await stack.new_workspace()
    few = Policy(PolicyName.REQUESTS, 1, 2)
    async with limited_app(stack, requests=few) as app, make_client(app, key) as client:
        assert [(await client.get("/v1/posts")).status_code for _ in range(3)] == [200, 200, 429]
        statements.clear()
        with structlog.testing.capture_logs() as lines:
            began = time.monotonic()
            for _ in range(refusals // 100):
                answers = await asyncio.gather(*(client.get("/v1/posts") for _ in range(100)))
                assert {answer.status_code for answer in answers} == {429}
            seconds = 1 + time.monotonic() - began
            async with asyncio.timeout(60):
                while sum(line.get("refused", 1) for line in own_lines(lines, workspace_id)) < refusals:  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.05)
    own = own_lines(lines, workspace_id)
    # The key is looked up again each second.
    tables = ("api_keys", "request_limits")
    assert sum(any(table in statement.text for table in tables) for statement in statements) <= seconds
    single = [line for line in own if line["event"] == "request"]
    sums = [line for line in own if line["event"] == "requests.refused"]
    assert len(single) <= REFUSALS_AT_ONCE + REFUSALS_PER_S * seconds
    assert len(sums) <= 1 + seconds
    assert len(single) + sum(line["refused"] for line in sums) == refusals
    assert all("request_id" not in line for line in sums)
