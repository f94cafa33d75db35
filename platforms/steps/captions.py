"""Captions of a video: files beside it, one for each language."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from platforms.base import Connection, PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.rules import Violation, setting
from platforms.steps.follow_up import run_once


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
