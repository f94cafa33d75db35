"""The limits of requests: exact over all processes, told in headers, cheap, and no reason for the API to stop."""

import asyncio
import re
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from api.auth import required_scope
from api.openapi.components import OPERATIONS
from api.shared import request_limits
from api.shared.request_limits import REFUSALS_AT_ONCE, REFUSALS_PER_S, RequestLimits
from domain.api_keys import Scope
from domain.errors import TooManyRequests
from domain.request_limits import Allowance, Policy, PolicyName, posts_policy, requests_policy
from store.workspaces.keys import Caller, create_key
from store.workspaces.request_limits import UNUSED_FOR, delete_unused_limits, take_uses
from tests.api.conftest import limited_app, make_client, problems
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


FEW = Policy(PolicyName.REQUESTS, 1, 60)
"""So slow that nothing comes back within a test."""


async def count_accepted(limits: RequestLimits, caller: Caller, requests: int) -> int:
    async def is_accepted() -> bool:
        try:
            await limits.take_request(caller)
        except TooManyRequests:
            return False
        return True

    return sum(await asyncio.gather(*(is_accepted() for _ in range(requests))))


def takings(statements: list[Statement]) -> int:
    return sum("INSERT INTO request_limits" in statement.text for statement in statements)


async def test_the_limit_is_exact_over_all_processes(stack: Stack, statements: list[Statement]) -> None:
    caller = Caller("key_exact", stack.workspace_id)
    processes = [RequestLimits(stack.api_database, FEW) for _ in range(4)]
    accepted = await asyncio.gather(*(count_accepted(process, caller, FEW.burst) for process in processes))
    assert sum(accepted) == FEW.burst
    # How many a process takes at once depends on who asks first.
    assert takings(statements) <= FEW.burst * 2 // 3
    statements.clear()
    # A flood asks nothing.
    assert await count_accepted(processes[0], caller, 200) == 0
    assert takings(statements) == 0


async def test_a_flood_costs_no_look_up_and_opens_other_addresses(stack: Stack, statements: list[Statement]) -> None:
    _, key = await stack.new_workspace()
    async with limited_app(stack, requests=Policy(PolicyName.REQUESTS, 1, 2)) as app, make_client(app, key) as client:
        answers = [await client.get("/v1/posts") for _ in range(3)]
        statements.clear()
        flood = [await client.request(method, "/v1/posts") for method in ("GET", "HEAD", "POST", "GET")]
        assert statements == []
        assert (await client.get("/healthz")).status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer.status_code for answer in flood} == {429}
    # Seconds may have passed meanwhile.
    known, refused = (
        re.sub(r"\d+", "0", answer.text + answer.headers["ratelimit"]) for answer in (flood[0], answers[2])
    )
    assert known == refused
    assert 30 <= int(flood[0].headers["retry-after"]) <= 60
    assert flood[1].content == b""


async def test_ten_requests_cost_one_statement(stack: Stack, statements: list[Statement]) -> None:
    _, key = await stack.new_workspace()
    async with limited_app(stack, requests=requests_policy()) as app, make_client(app, key) as client:
        for number in range(30):
            response = await client.get("/v1/platforms")
            assert int(response.headers["x-ratelimit-remaining"]) >= 599 - number
    assert takings(statements) == 2


async def test_a_busy_workspace_counts_a_second_of_posts_by_one_statement(
    stack: Stack, statements: list[Statement], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, clock = RequestLimits(stack.api_database, posts=posts_policy()), 1_000.0
    monkeypatch.setattr(request_limits, "time", SimpleNamespace(monotonic=lambda: clock))
    for _ in range(400):
        await limits.take_posts("ws_busy")
        clock += 0.01
    # 16, 32, 64, and then 100 at a time.
    assert takings(statements) == 6


async def test_limits_are_told_in_headers(stack: Stack) -> None:
    _, key = await stack.new_workspace()
    # One every half minute: on a busy machine, seconds pass between two requests.
    few = Policy(PolicyName.REQUESTS, 2, 2)
    async with limited_app(stack, requests=few, posts=posts_policy()) as app, make_client(app, key) as client:
        responses = [await client.get("/v1/platforms"), await client.post("/v1/posts", content=b"{")]
        refused = await client.get("/v1/platforms")
        assert (await client.get("/healthz")).headers.keys().isdisjoint({"ratelimit", "ratelimit-policy"})
        unknown = await client.get("/v1/platforms", headers={"Authorization": "Bearer sk_"})
    policies = '"requests";q=2;w=60, "posts";q=6000;w=60'
    assert [response.status_code for response in responses] == [200, 400]
    assert responses[0].headers["ratelimit-policy"] == policies
    first_left = re.fullmatch(r'"requests";r=1;t=(\d+)', responses[0].headers["ratelimit"])
    second_left = re.fullmatch(r'"requests";r=0;t=(\d+), "posts";r=9999;t=1', responses[1].headers["ratelimit"])
    assert first_left
    assert second_left
    assert 0 < int(first_left[1]) <= 30 < int(second_left[1]) <= 60
    first = responses[0].headers
    assert (first["x-ratelimit-limit"], first["x-ratelimit-remaining"]) == ("2", "1")
    assert 0 <= int(first["x-ratelimit-reset"]) - int(time.time()) <= 30
    assert (refused.status_code, unknown.status_code) == (429, 401)
    assert "ratelimit" not in unknown.headers
    assert refused.headers["ratelimit-policy"] == policies
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    [problem] = problems(refused)
    assert (refused.json()["type"], problem["code"]) == ("rate_limit_error", "rate_limited")
    assert problem["error"].startswith("Too many requests: this key may make 2 a minute. Try again in ")


async def test_a_refusal_of_posts_tells_that_policy(stack: Stack) -> None:
    _, key = await stack.new_workspace()
    requests, posts = Policy(PolicyName.REQUESTS, 1, 600), Policy(PolicyName.POSTS, 1, 1)
    async with limited_app(stack, requests=requests, posts=posts) as app, make_client(app, key) as client:
        statuses = [(await client.delete("/v1/posts/post_unknown")).status_code for _ in range(2)]
        refused = await client.delete("/v1/posts/post_unknown")
        assert (await client.get("/v1/posts")).status_code == 200
    assert statuses == [404, 429]
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-remaining"]) == ("1", "0")
    assert '"requests";r=597' in refused.headers["ratelimit"]


async def test_0_is_no_limit_and_a_key_may_have_its_own_rate(stack: Stack, statements: list[Statement]) -> None:
    limits = RequestLimits(stack.api_database, requests_policy(0), posts_policy(0))
    assert await count_accepted(limits, Caller("key_free", stack.workspace_id), 700) == 700
    await limits.take_posts(stack.workspace_id, 20_000)
    assert takings(statements) == 0
    assert await count_accepted(limits, Caller("key_slow", stack.workspace_id, rate_per_minute=3), 10) == 3
    limits = RequestLimits(stack.api_database, requests_policy(2))
    assert await count_accepted(limits, Caller("key_fast", stack.workspace_id, rate_per_minute=0), 10) == 10


async def test_the_rate_of_a_key_is_read_with_it(stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        key = await create_key(session, workspace_id, rate_per_minute=2)
    async with limited_app(stack, requests=requests_policy()) as app, make_client(app, key.key) as client:
        assert [(await client.get("/v1/me")).status_code for _ in range(3)] == [200, 200, 429]


async def test_a_refused_key_is_served_again_as_soon_as_its_limit_has_come_back(stack: Stack) -> None:
    caller, limits = Caller("key_again", stack.workspace_id), RequestLimits(stack.api_database, FEW)
    for _ in range(2):
        assert await count_accepted(limits, caller, FEW.burst + 3) == FEW.burst
        assert limits.known_refusal(caller) is not None
        async with stack.database.transaction() as session:
            await session.execute(text("UPDATE request_limits SET full_at = now() WHERE holder = 'key_again'"))
        limits._holders["key_again"].allowance.full_at = time.monotonic()
        assert limits.known_refusal(caller) is None
        await limits.take_request(caller)
        assert limits.known_refusal(caller) is None
        limits._holders["key_again"].allowance = Allowance()
        async with stack.database.transaction() as session:
            await session.execute(text("DELETE FROM request_limits WHERE holder = 'key_again'"))


async def test_more_posts_than_the_burst_are_taken_as_the_burst(stack: Stack) -> None:
    limits = RequestLimits(stack.api_database, posts=Policy(PolicyName.POSTS, 1, 10))
    await limits.take_posts("ws_large", 25)
    with pytest.raises(TooManyRequests) as error:
        await limits.take_posts("ws_large", 1)
    assert error.value.retry_after == 60


async def test_a_refused_import_does_not_stop_single_posts(stack: Stack) -> None:
    limits = RequestLimits(stack.api_database, posts=Policy(PolicyName.POSTS, 1, 10))
    await limits.take_posts("ws_single", 5)
    with pytest.raises(TooManyRequests):
        await limits.take_posts("ws_single", 6)
    for _ in range(5):
        await limits.take_posts("ws_single", 1)


async def test_a_request_that_cannot_be_counted_is_served(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = 0

    async def broken(*_: Any) -> None:
        nonlocal asked
        asked += 1
        raise ConnectionError

    monkeypatch.setattr(request_limits, "take_uses", broken)
    limits = RequestLimits(stack.api_database, requests_policy(2))
    assert await count_accepted(limits, Caller("key_broken", stack.workspace_id), 20) == 20
    assert asked == 1
    monkeypatch.undo()
    limits._holders["key_broken"].uncounted_until = 0.0
    assert await count_accepted(limits, Caller("key_broken", stack.workspace_id), 20) == 2


async def test_a_clock_that_was_set_back_locks_nobody_out(stack: Stack) -> None:
    async with stack.database.transaction() as session:
        await session.execute(
            text("INSERT INTO request_limits VALUES ('key_clock', clock_timestamp() + interval '1 day')")
        )
    taking = await take_uses(stack.api_database, "key_clock", 1.0, 60.0)
    assert taking.taken
    assert taking.ahead_s <= 1.0


async def test_rows_of_unused_limits_are_deleted(stack: Stack) -> None:
    for holder, cost_s in (("key_unused", 1.0), ("key_used", 50.0)):
        await take_uses(stack.api_database, holder, cost_s, 60.0)
    async with stack.worker_database.transaction() as session:
        await delete_unused_limits(session, datetime.now(UTC) + UNUSED_FOR + timedelta(seconds=25), 500)
        rows = await session.scalars(
            text("SELECT holder FROM request_limits WHERE holder IN ('key_unused', 'key_used')")
        )
        assert rows.all() == ["key_used"]


async def test_a_caller_sees_the_uses_of_other_processes(stack: Stack) -> None:
    _, key = await stack.new_workspace()
    slow = {name: Policy(PolicyName(name), 1, 600) for name in ("requests", "posts")}
    async with (
        limited_app(stack, **slow) as first,
        limited_app(stack, **slow) as second,
        make_client(first, key) as one,
        make_client(second, key) as other,
    ):
        await one.get("/v1/me")
        for _ in range(100):
            await other.delete("/v1/posts/post_unknown")
        response = await one.get("/v1/me")
    told = {name: limit["remaining"] for name, limit in response.json()["limits"].items()}
    # The other process has leased up to 32 uses more.
    assert 600 - 102 - 32 <= told["requests"] <= 600 - 102
    assert 600 - 100 - 32 <= told["posts"] <= 600 - 100
    assert response.headers["x-ratelimit-remaining"] == str(told["requests"])


async def test_uses_that_the_process_has_leased_are_unused(stack: Stack) -> None:
    limits = RequestLimits(stack.api_database, posts=Policy(PolicyName.POSTS, 1, 600))
    await limits.take_posts("ws_single_post")
    standing = (await limits.read(Caller("key_single", "ws_single_post")))[1]
    assert standing is not None
    assert standing.remaining == 599


async def test_every_route_tells_limits_of_its_own_key(stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        narrow, other = [await create_key(session, workspace_id, scopes=[Scope.KEYS]) for _ in range(2)]
    routes = [operation.route for _, _, operation in OPERATIONS if required_scope(operation.route) is not Scope.KEYS]
    async with limited_app(stack, requests=requests_policy(600), posts=posts_policy()) as app:
        async with make_client(app, narrow.key) as client:
            for route in routes:
                method, _, path = route.partition(" ")
                response = await client.request(method, path.replace("{platform}", "twitter"))
                assert response.status_code in {200, 403}, route
                assert response.headers["ratelimit"].startswith('"requests";r='), route
        async with make_client(app, other.key) as client:
            # A tenth of a second later the request is given back.
            assert int((await client.get("/v1/me")).headers["x-ratelimit-remaining"]) >= 599
