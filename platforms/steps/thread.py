"""The further posts of a thread, under the one name that all platforms with threads share: threadItems."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from domain.post import Media, MediaType
from platforms.base import Published
from platforms.client_model import ClientModel
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.rules import Violation
from platforms.texts.patterns import WebAddress

MOST_ITEMS = 24
"""Most posts after the first; our choice, no platform names a number. Each is a request that makes something public."""

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=10)
"""Bounds of the time between checks for a post whose response was lost; our choice."""

Check = Callable[[str, tuple[Media, ...]], list[Violation]]
"""Checks a text and media against a platform's rules."""


class ThreadMedia(ClientModel):
    """An image, video or GIF of a thread's post."""

    type: MediaType = Field(description="What it is.", examples=["image"])
    url: WebAddress = Field(description="The address of the file.", examples=["https://cdn.example.com/second.jpg"])
    alt_text: str | None = Field(
        None, description="What it shows, for those who cannot see it.", examples=["A beach at dusk"]
    )


class ThreadItem(ClientModel):
    """One further post of a thread."""

    content: str = Field("", description="Its text.", examples=["And this is why:"])
    media_items: list[ThreadMedia] = Field(default_factory=list, description="Its media.")

    @property
    def media(self) -> tuple[Media, ...]:
        """Return its media as a post has them."""
        return tuple(Media(type=item.type, url=item.url, alt_text=item.alt_text) for item in self.media_items)


ThreadItems = Annotated[list[ThreadItem], Field(max_length=MOST_ITEMS)]


def check_items(label: str, items: Sequence[ThreadItem], check: Check) -> list[Violation]:
    """Return what breaks a rule in the posts of a thread, each with its place in the settings."""
    violations: list[Violation] = []
    for number, item in enumerate(items):
        item_violations = check(item.content, item.media)
        if not item.content.strip() and not item.media_items:
            item_violations.append(Violation("content", f"{label} needs text or media in every post of a thread"))
        violations += [
            Violation(
                "platformSpecificData", violation.error, violation.code, path=("threadItems", number, violation.part)
            )
            for violation in item_violations
        ]
    return violations


def ended_early(published: Published, number: int, error: PlatformError) -> Published:
    """Return the published post with a warning why its thread ends before the thread's post `number`, from 0.

    Raises the error itself if it is retryable, so that the thread is continued later.
    """
    if error.kind in PASSING:
        raise error
    return replace(published, warning=f"The thread ends before its post {number + 2}. {error.message}")


def unconfirmed_item(
    label: str,
    number: int,
    sent_at: datetime,
    code: str = "unconfirmed_reply",
    *,
    longest_wait: timedelta = LONGEST_WAIT,
) -> PlatformError:
    """Return the error that the thread's post `number`, from 0, may be public, because its response was lost.

    Each check waits as long as the time since the send, within bounds: so the waits double.
    """
    wait = min(max(datetime.now(UTC) - sent_at, FIRST_WAIT), longest_wait)
    message = (
        f"{label} does not say for certain whether post {number + 2} of the thread is public. Look at the account."
    )
    return PlatformError(ErrorKind.NOT_READY, message, code=code, retry_after=wait)
