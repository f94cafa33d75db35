"""Codes that people post where an account is to publish, for platforms whose bots have no consent page."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodePost:
    """A post that consists of a code, and the place where it is."""

    code: str
    place: str
    author: str | None
    """The user whose rights must still be checked; None if only those who decide for the place can post there so."""
    message: int


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Inbox:
    """New posts with codes. `forget` tells the platform that they were read."""

    posts: Sequence[CodePost]
    forget: Callable[[], Awaitable[None]] = _nothing
