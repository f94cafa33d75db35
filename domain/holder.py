"""The workspace for which code runs, as far as it is known: shared resources are divided by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Holder:
    """The workspace of one request; None until its key is known. Tasks that the request starts have the same one."""

    __slots__ = ("workspace_id",)

    def __init__(self) -> None:
        self.workspace_id: str | None = None


_HOLDER: ContextVar[Holder | None] = ContextVar("holder", default=None)


def current_holder() -> str | None:
    """Return the workspace for which this code runs; None for strangers and for the service itself."""
    holder = _HOLDER.get()
    return holder.workspace_id if holder is not None else None


@contextmanager
def holding() -> Iterator[Holder]:
    """Make the code in the block run for a workspace that is yet to be known."""
    holder = Holder()
    token = _HOLDER.set(holder)
    try:
        yield holder
    finally:
        _HOLDER.reset(token)
