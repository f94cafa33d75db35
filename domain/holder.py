"""The workspace for which code runs, as far as it is known: shared resources are divided by it."""

from contextvars import ContextVar, Token
from typing import Self


class Holder:
    """The workspace of one request; None until its key is known. Tasks that the request starts have the same one.

    The code in its block runs for it. Every request opens one, so it is no generator, which costs three times as much.
    """

    __slots__ = ("_token", "workspace_id")

    def __init__(self) -> None:
        self.workspace_id: str | None = None

    def __enter__(self) -> Self:
        """Let the code in the block run for this workspace."""
        self._token: Token[Holder | None] = _HOLDER.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Let the code after the block run for the workspace that it ran for before."""
        _HOLDER.reset(self._token)


_HOLDER: ContextVar[Holder | None] = ContextVar("holder", default=None)


def current_holder() -> str | None:
    """Return the workspace for which this code runs; None for strangers and for the service itself."""
    holder = _HOLDER.get()
    return holder.workspace_id if holder is not None else None
