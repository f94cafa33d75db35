"""The proof's hooks inside the product's processes: wrong clocks, and requests held before their first byte."""

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from benchmarks.proof.inside.folder import Inside
from benchmarks.proof.inside.hooks import PATCHES, hold_before_first_byte, hold_renewals

_ASK = """
import sys, time
from datetime import datetime, UTC
from pydantic import TypeAdapter
now = datetime.now(UTC)
assert isinstance(TypeAdapter(datetime).validate_python(now.isoformat()), datetime)
assert abs(now.timestamp() - time.time()) < 1
print(now.timestamp())
"""


@pytest.mark.parametrize(("part", "wrong_by"), [("worker", -5), ("api", 5), ("sandbox", 0)])
def test_the_clock_of_a_part_is_shifted(tmp_path: Path, part: str, wrong_by: int) -> None:
    inside = Inside(tmp_path)
    inside.set_clocks({"worker": -5, "api": 5})

    def ask(environment: dict[str, str]) -> float:
        asked = [sys.executable, "-P", "-c", _ASK, part]
        return float(subprocess.run(asked, env=environment, capture_output=True, check=True).stdout)

    before = ask({})
    assert wrong_by - 1 <= ask(inside.environment) - before <= wrong_by + 60


class Wire:
    """A wire like the product's: it checks its fence once it is connected, right before the first byte."""

    def __init__(self, fence: Any, *, fences_all: bool = False) -> None:
        self.fence, self.fences_all = fence, fences_all
        self.moments: list[str] = []

    async def send(self, *, public: bool = False) -> None:
        await self._answer(None, self.fence if public or self.fences_all else None)

    async def _answer(self, _: object, fence: Any = None) -> None:
        self.moments.append("connected")
        if fence:
            await fence()
        self.moments.append("first byte")


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_public_request_is_held_before_its_fence_whether_it_has_one_or_not(
    tmp_path: Path, *, fenced: bool
) -> None:
    class Held(Wire):
        pass

    hold_before_first_byte(Held, tmp_path)

    async def fence() -> None:
        wire.moments.append("fence")

    inside, wire = Inside(tmp_path), Held(fence if fenced else None)
    with inside.requests_are_held():
        await wire.send()
        sending = asyncio.create_task(ActivityEnvironment().run(wire.send, public=True))
        async with asyncio.timeout(60):
            while not inside.held():  # noqa: ASYNC110 the hook has files only
                await asyncio.sleep(0.01)
        assert wire.moments == ["connected", "first byte", "connected"]
    await sending
    assert wire.moments[3:] == [*(["fence"] if fenced else []), "first byte"]


async def test_a_request_that_is_not_public_keeps_its_fence(tmp_path: Path) -> None:
    class Held(Wire):
        pass

    hold_before_first_byte(Held, tmp_path)

    async def fence() -> None:
        wire.moments.append("fence")

    wire = Held(fence, fences_all=True)
    with Inside(tmp_path).requests_are_held():
        await wire.send()
    assert wire.moments == ["connected", "fence", "first byte"]


@pytest.mark.parametrize("name", PATCHES)
def test_the_product_has_what_a_hook_changes(name: str, tmp_path: Path) -> None:
    product = importlib.import_module(name)
    changed = "Renewals" if name.endswith("renewal") else "Wire"
    # A class of its own, so that the product's stays as it is.
    subclass = type(changed, (getattr(product, changed),), {})
    PATCHES[name](SimpleNamespace(**{**vars(product), changed: subclass}), tmp_path)
    assert vars(subclass).keys() & {"send", "_run"}


@pytest.mark.parametrize("point", ["leased", "first byte", "answered", "stored"])
async def test_a_renewal_is_held_at_the_named_point_alone(tmp_path: Path, point: str) -> None:
    moments: list[str] = []

    async def record(moment: str) -> None:
        moments.append(moment)

    class Renewals:
        async def _run(self, job: Any) -> None:
            await module.within("asked")
            await module._demand_in_time("in time")
            await module.persist("written")

    module = SimpleNamespace(Renewals=Renewals, within=record, _demand_in_time=record, persist=record)
    hold_renewals(module, tmp_path)
    inside = Inside(tmp_path)
    inside.hold_renewals(point)
    renewing = asyncio.create_task(module.Renewals()._run(SimpleNamespace(key=("ws", "tw_1"))))
    async with asyncio.timeout(60):
        while inside.renewing() != {"tw_1"}:  # noqa: ASYNC110 the hook has files only
            await asyncio.sleep(0.01)
    done = {"leased": 0, "first byte": 2, "answered": 2, "stored": 3}
    assert len(moments) == done[point]
    inside.release_renewals()
    await renewing
    assert moments == ["asked", "in time", "written"]
