"""Heavy work runs one at a time, and light requests run between its parts."""

import asyncio
import time

from domain.loop_share import HEAVY, Holder, loop_share


async def test_heavy_work_runs_one_at_a_time_with_pauses() -> None:
    under_way = most = light = 0

    async def heavy() -> None:
        nonlocal under_way, most
        async with loop_share(HEAVY) as held:
            under_way += 1
            most = max(most, under_way)
            for _ in range(3):
                time.sleep(0.03)  # noqa: ASYNC251  what keeps the loop busy
                await held.pause()
            under_way -= 1

    async def many_light() -> None:
        nonlocal light
        while True:
            async with loop_share(HEAVY - 1):
                light += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(many_light())
    await asyncio.gather(*(heavy() for _ in range(4)))
    task.cancel()
    assert most == 1
    assert light >= 12


async def test_many_short_shares_rest_as_long_as_they_work() -> None:
    light = 0

    async def many_light() -> None:
        nonlocal light
        while True:
            light += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(many_light())
    for _ in range(20):
        async with loop_share(HEAVY) as share:
            time.sleep(0.001)  # noqa: ASYNC251  what keeps the loop busy
            await share.rest()
    task.cancel()
    assert light >= 20


async def test_work_rests_only_while_another_request_is_served() -> None:
    async def rest() -> float:
        with Holder():
            async with loop_share(HEAVY) as share:
                time.sleep(0.09)  # noqa: ASYNC251  what keeps the loop busy
                began = time.perf_counter()
                await share.rest()
                return time.perf_counter() - began

    assert await rest() < 0.05
    with Holder():
        assert await rest() > 0.08


async def test_an_error_releases_the_loop_share() -> None:
    for _ in range(2):
        try:
            async with loop_share(HEAVY):
                raise ValueError  # noqa: TRY301
        except ValueError:
            pass
    async with asyncio.timeout(60), loop_share(HEAVY):
        pass
