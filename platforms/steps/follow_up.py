"""Steps that follow a publication and run once, such as captions. If a response is lost, a person must look."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from platforms.base import Connection, PublishContext
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.rules import Violation, setting

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


class _Track(Protocol):
    """The settings of one file of captions."""

    @property
    def language(self) -> str: ...


_AnyTrack = TypeVar("_AnyTrack", bound=_Track)


async def add_each(
    connection: Connection[Any],
    context: PublishContext[Any],
    captions: Iterable[_AnyTrack],
    add: Callable[[_AnyTrack], Awaitable[object]],
) -> list[str]:
    """Add each file of captions once; return warnings about those that the platform did not take.

    Raises PlatformError of a retryable kind: the call may be repeated.
    """
    warnings = [
        await run_once(connection, context, f"caption track ({caption.language})", partial(add, caption))
        for caption in captions
    ]
    return [warning for warning in warnings if warning]


def check_languages(label: str, languages: Iterable[str]) -> list[Violation]:
    """Return a violation if two files of captions are of one language."""
    names = [language.lower() for language in languages]
    if len(set(names)) == len(names):
        return []
    return [setting("captions", f"{label} takes captions once for each language here")]


def video_unknown(label: str) -> PlatformError:
    """Return the error that captions cannot be added, because a person has said that the post is public."""
    message = f"It is not known which video of {label} they belong to. Add them at {label}."
    return PlatformError(ErrorKind.REJECTED, message, code="no_video")
