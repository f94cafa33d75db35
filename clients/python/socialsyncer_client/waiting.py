"""Decisions about waiting for a post or a file, for both clients. Nothing here waits or sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone

from socialsyncer_client.errors import UploadFailed, WaitTimeout
from socialsyncer_client.generated.models import MediaFile, Post

_OVER = {"published", "partial", "failed"}
_FIRST_S, _FACTOR, _LONGEST_S = 1.0, 1.5, 15.0


class Waiting:
    """The time that is left for a post or a file, and the pauses between the requests for it."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._pauses = _pauses()

    def seconds_before_next_look(self, post: Post) -> float | None:
        """Return how long to wait before the post is read again; None if it has come to rest.

        Raises:
            ValueError: The post is a draft, which nothing publishes by itself.
            WaitTimeout: The time is over, or the post is due later.
        """
        if post.status in _OVER:
            return None
        if post.status == "draft" and not post.waits_for:
            raise ValueError(f"{post.id} is a draft, which is not published by itself.")
        left = self._deadline - time.monotonic()
        due_in = _seconds_until(post.scheduled_for) if post.status == "scheduled" else 0.0
        if left <= 0 or due_in > left:
            raise WaitTimeout(f"{post.id} is {post.status}, and not over within {self._timeout:g} seconds.", post)
        return min(left, due_in or next(self._pauses))

    def seconds_before_file(self, file: MediaFile) -> float | None:
        """Return how long to wait before a file that is fetched is read again; None if it is there.

        Raises:
            UploadFailed: The file could not be fetched.
            WaitTimeout: The time is over.
        """
        if file.state == "ready":
            return None
        if file.state != "fetching":
            raise UploadFailed(str(file.error or f"{file.id} is {file.state}."), file.id, str(file.error_code or ""))
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeout(f"{file.id} was not fetched within {self._timeout:g} seconds.", file)
        return min(left, next(self._pauses))


def _pauses() -> Iterator[float]:
    pause = _FIRST_S
    while True:
        yield pause
        pause = min(pause * _FACTOR, _LONGEST_S)


def _seconds_until(instant: datetime | None) -> float:
    if not isinstance(instant, datetime):
        return 0.0
    # `datetime.UTC` is new in Python 3.11.
    return max(0.0, (instant - datetime.now(timezone.utc)).total_seconds())
