"""Where each activity runs, how long it may take and how it is tried again."""

import zlib
from collections.abc import Iterator
from datetime import timedelta

from temporalio.common import RetryPolicy

from platforms.base import Editable
from platforms.registry import platforms

POSTS_QUEUE = "posts"
"""Workflows, the short activities that only touch the database, and the first try of what a client waits for."""

CONFIRM_WITHIN = timedelta(hours=24)
"""How long the worker tries to confirm a send; then a person must decide."""

STEP_TIMEOUT = timedelta(minutes=30)
"""One run of a step, uploads of large videos included; its heartbeats notice a dead worker long before."""

HEARTBEAT_TIMEOUT = timedelta(seconds=10)

CONTINUES_WITHIN = timedelta(seconds=10)
"""How long a step that continues as an activity waits on the posts' own queue before it goes to its network's."""

DECLINED = "declined"
"""The type of the error by which a worker of the posts' own queue leaves a step to its network's queue."""

CONTINUES = "continues_as_activity"
"""The type of the error by which it says that a local activity is not over and continues as an activity."""

LONGEST_WAIT_AFTER_A_DEATH = timedelta(minutes=1)
FIRST_CONFIRM_WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 10, 15, 15, 30, 60, 120, 300, 600, 1800))
"""How long to wait before each of the first attempts to confirm a send."""

LONGEST_WAIT_IN_STEP = timedelta(seconds=10)
"""A publish step that its network refuses for now is tried again by Temporal after a wait of up to this. For a longer
one its workflow waits, which can say so, and which an operator can tell to try at once."""

CONFIRM_TIMEOUT = timedelta(minutes=3)

COMPLETE_WITHIN = timedelta(hours=2)
"""How long what follows a publication is tried; the post itself is public by then."""

PREPARE_AHEAD, PREPARE_SPREAD = timedelta(minutes=3), timedelta(minutes=5)
"""How long before its time a post's media are uploaded, so that the due second holds one request per target.

Each post has its own moment in a stretch of PREPARE_SPREAD before that: most are due at a full hour.
"""

PREPARE_BEYOND = timedelta(minutes=1)
"""How long an upload that is under way at the due second may go on, rather than begin again."""

URGENT, SCHEDULED = 2, 3
"""Priorities of what a client waits for and of all else; Temporal's default is 3."""

RETRY_WINDOW = timedelta(days=7)
"""How long a workflow stays open for retries; a later retry starts a fresh run from the row."""

DATABASE_TIMEOUT = timedelta(seconds=10)


def prepare_ahead(post_id: str) -> timedelta:
    """Return how long before its due time a post's media are uploaded: always the same for the same post."""
    return PREPARE_AHEAD + PREPARE_SPREAD * (zlib.crc32(post_id.encode()) / 2**32)


def queue_of(platform: str) -> str:
    """Return the task queue of a network: a slow network cannot starve the others."""
    return f"publish-{platform}"


def retry_policy(name: str) -> RetryPolicy:
    """Return how Temporal tries a step again by itself: after its worker died, a time-out, or a mistake of ours.

    An error that a platform causes names its own wait. Temporal doubles its wait for every earlier attempt, those that
    only waited for a slot or for other media included, so the longest is a minute.
    No maximum of attempts: a worker that is shut down uses one up, so a small maximum loses posts on deploys.
    """
    platform = platforms()[name]
    return RetryPolicy(
        initial_interval=platform.first_retry, maximum_interval=min(platform.longest_retry, LONGEST_WAIT_AFTER_A_DEATH)
    )


def edit_window(name: str) -> timedelta:
    """Return how long a network lets a post be edited where it did not tell the time; nothing where it never does."""
    platform = platforms()[name]
    return platform.edit_window if isinstance(platform, Editable) else timedelta(0)


def confirm_waits() -> Iterator[timedelta]:
    """Yield how long to wait before each attempt to confirm a send: FIRST_CONFIRM_WAITS, then hourly."""
    yield from FIRST_CONFIRM_WAITS
    while True:
        yield timedelta(hours=1)


DATABASE_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
