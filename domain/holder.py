"""The workspace for which code runs, as far as it is known: shared resources are divided by it."""

import asyncio
from contextvars import ContextVar, Token
from typing import Self
from weakref import WeakKeyDictionary


class Holder:
    """A request while it is served, and its workspace, which is None until its key is known.

    The code in its block runs for it, and so do the tasks that the request starts. Every request opens one, so it is no
    generator, which costs three times as much.
    """

    workspace_id: str | None = None

    def __enter__(self) -> Self:
        """Let the code in the block run for this workspace."""
        self._token: Token[Holder | None] = _HOLDER.set(self)
        self._loop = asyncio.get_running_loop()
        _served[self._loop] = _served.get(self._loop, 0) + 1
        return self

    def __exit__(self, *_: object) -> None:
        """Let the code after the block run for the workspace that it ran for before."""
        _served[self._loop] -= 1
        _HOLDER.reset(self._token)


_HOLDER: ContextVar[Holder | None] = ContextVar("holder", default=None)
_served: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""How many requests of clients each loop serves now."""


def served_request() -> Holder | None:
    """Return the request that this code serves; None for the service itself."""
    return _HOLDER.get()


def current_holder() -> str | None:
    """Return the workspace for which this code runs; None for strangers and for the service itself."""
    holder = _HOLDER.get()
    return holder.workspace_id if holder is not None else None


def count_served() -> int:
    """Return how many requests of clients this event loop serves now."""
    return _served.get(asyncio.get_running_loop(), 0)
