"""Functions that keep a part from starting, set its clock wrong, or hold a worker before its first byte."""

import asyncio
import datetime as dt
import importlib.abc
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

STOPPED, CLOCKS, HOLD, HELD = "stopped", "clocks.json", "hold", "held"
"""Files by which the proof sends commands to the parts, and the list of the workflows that a worker holds."""
RENEWALS, RENEWING = "renewals", "renewing"
"""The file that names the point at which a worker holds renewals, and the list of the accounts that it holds there."""
_PARTS = frozenset({"api", "worker"})
_POLL = 0.02


def begin(folder: Path, part: str) -> None:
    """Carry out the proof's commands in a process of a stack; `part` is the last word of its command."""
    if part not in _PARTS:
        return
    while (folder / STOPPED).exists():
        time.sleep(_POLL)
    clocks = folder / CLOCKS
    if clocks.exists() and (seconds := json.loads(clocks.read_text()).get(part)):
        set_wrong(seconds)
    if part == "worker":
        sys.meta_path.insert(0, _Finder(folder))


def set_wrong(seconds: float) -> None:
    """Set this process's wall clock wrong by some seconds. Call it before any module imports datetime's names."""
    right, read, read_ns = dt.datetime, time.time, time.time_ns
    off = dt.timedelta(seconds=seconds)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, right)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, right)

    class Wrong(dt.datetime, metaclass=AnyDatetime):
        def __new__(cls, *values: Any, **named: Any) -> Any:
            return right(*values, **named)

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return right.now(tz) + off

    time.time = lambda: read() + seconds
    time.time_ns = lambda: read_ns() + int(seconds * 1e9)
    dt.datetime = Wrong  # type: ignore[misc]  # for this process alone


class _Finder(importlib.abc.MetaPathFinder):
    """The finder that patches modules once they are imported."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(self, name: str, path: object, target: object = None) -> Any:
        if name not in PATCHES:
            return None
        patch = PATCHES.pop(name)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        run = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            patch(module, self._folder)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def hold_renewals(module: Any, folder: Path) -> None:
    """Hold renewals at the point that the file RENEWALS names, while it exists; `module` is that of `Renewals`."""
    account: ContextVar[str] = ContextVar("account")
    run = module.Renewals._run  # noqa: SLF001 each renewal is one task of it

    async def running(self: Any, job: Any) -> Any:
        account.set(job.key[1])
        return await run(self, job)

    def around(name: str, before: str = "", after: str = "") -> None:
        function = getattr(module, name)

        async def held(*arguments: Any, **more: Any) -> Any:
            if before:
                await _held_at(folder, before, account.get(""))
            result = await function(*arguments, **more)
            if after:
                await _held_at(folder, after, account.get(""))
            return result

        setattr(module, name, held)

    module.Renewals._run = running  # noqa: SLF001
    around("within", before="leased")
    around("_demand_in_time", after="first byte")
    around("persist", before="answered", after="stored")


async def _held_at(folder: Path, point: str, account: str) -> None:
    named = folder / RENEWALS
    if not named.exists() or named.read_text() != point:
        return
    with (folder / RENEWING).open("a") as held:
        held.write(f"{account}\n")
    while named.exists():  # noqa: ASYNC110 the other process has files only
        await asyncio.sleep(_POLL)


def hold_before_first_byte(wire: Any, folder: Path) -> None:
    """Hold public requests on their connections while the file HOLD exists; then let them pass their fence, if any."""
    send, answer = wire.send, wire._answer  # noqa: SLF001 the one place between connection and first byte
    is_public = ContextVar("is_public", default=False)

    async def sending(self: Any, *words: Any, public: bool = False, **options: Any) -> Any:
        token = is_public.set(public)
        try:
            return await send(self, *words, public=public, **options)
        finally:
            is_public.reset(token)

    async def answering(self: Any, request: Any, fence: Any = None) -> Any:
        async def first() -> None:
            await _held(folder)
            if fence:
                await fence()

        return await answer(self, request, first if is_public.get() else fence)

    wire.send, wire._answer = sending, answering  # noqa: SLF001


async def _held(folder: Path) -> None:
    from temporalio import activity  # noqa: PLC0415 not in the processes that hold nothing

    hold = folder / HOLD
    if not hold.exists():
        return
    with (folder / HELD).open("a") as held:
        held.write(f"{activity.info().workflow_id}\n")
    while hold.exists():  # noqa: ASYNC110 the other process has files only
        await asyncio.sleep(_POLL)


PATCHES: dict[str, Callable[[Any, Path], None]] = {
    "platforms.http.wire": lambda module, folder: hold_before_first_byte(module.Wire, folder),
    "accounts.credentials.renewal": hold_renewals,
}
"""The functions that change modules of the product, by module; each runs once."""
