"""A guard that turns every response that a platform module cannot read into a PlatformError."""

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx
import structlog

from platforms.errors import PlatformError, unreadable

log = structlog.get_logger(__name__)

STEPS = (
    "whoami",
    "quota",
    "prepare",
    "publish",
    "confirm_sent",
    "complete",
    "edit",
    "confirm_edit",
    "renew",
    "choices",
)
_PUBLIC = {"publish", "edit"}
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, httpx.InvalidURL)
"""What Python raises for a value of another type, form or size than the module expects."""

Step = TypeVar("Step", bound=Callable[..., Awaitable[Any]])


def shield(owner: type, steps: Iterable[str] = STEPS) -> None:
    """Make the steps that a class defines raise a PlatformError if they cannot read a response.

    The class belongs to a platform, and has its `name` and `label`.
    """
    for name in steps:
        if name in vars(owner):
            setattr(owner, name, shielded(vars(owner)[name]))


def shielded(step: Step) -> Step:
    """Return a step that raises a PlatformError if it cannot read a response."""

    @wraps(step)
    async def run(self: Any, connection: Any, *args: Any, **options: Any) -> Any:
        try:
            return await step(self, connection, *args, **options)
        except PlatformError as error:
            if error.__cause__ is error:
                # A step may contain `raise explain(error) from error`, and `explain` may return the same error. An
                # error that is its own cause is an endless loop for code that follows causes.
                error.__cause__ = None
            raise
        except _UNREADABLE as error:
            # This may also be a mistake of ours, so the log names the place. The value itself may be content or a
            # secret.
            log.warning(
                "answer.unreadable",
                platform=self.name,
                step=step.__name__,
                error=type(error).__name__,
                at=_place(error.__traceback__),
            )
            public = step.__name__ in _PUBLIC and connection.wire.public_requests > 0
            raise unreadable(self.label, public=public) from error

    return cast("Step", run)


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback:
        code = traceback.tb_frame.f_code
        if "platforms" in Path(code.co_filename).parts:
            place = f"{Path(code.co_filename).parent.name}/{Path(code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
