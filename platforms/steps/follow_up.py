"""Steps that follow a publication and run once. If a response is lost, a person must look; nothing is repeated."""

from collections.abc import Awaitable, Callable
from typing import Any

from platforms.base import Connection, PublishContext
from platforms.errors import PASSING, ErrorKind, PlatformError

FIRST_COMMENT = "first comment"

_FOLLOW_UPS = "followUps"
"""The key in the handles for the state of each step, by its name: sending, done, or the error message."""
_SENDING, _DONE = "sending", ""


async def run_once(
    connection: Connection[Any], context: PublishContext[Any], name: str, step: Callable[[], Awaitable[object]]
) -> str | None:
    """Run a step that has not run yet; return a warning if it may have had no effect.

    Raises PlatformError of a retryable kind if surely nothing happened: the step may be run again.
    """
    known: dict[str, str] = context.handles.setdefault(_FOLLOW_UPS, {})

    async def save_state(state: str) -> None:
        known[name] = state
        await context.save(context.handles)

    if name not in known:
        await save_state(_SENDING)
        try:
            await step()
        except PlatformError as error:
            if error.kind in PASSING:
                del known[name]
                await context.save(context.handles)
                raise
            # Nothing is repeated, so a refusal that cannot be trusted is reported, too.
            refusal = error.claim or error
            await save_state(_SENDING if refusal.kind is ErrorKind.UNCONFIRMED else refusal.message)
        else:
            await save_state(_DONE)
    match known[name]:
        case "":
            return None
        case "sending":
            return f"It is not known whether {connection.wire.label} took the {name}. Look at the post."
        case message:
            return f"The {name} was not added: {message}"
