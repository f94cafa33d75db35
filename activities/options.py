"""The queues, time limits and retry policies of the activities."""

import zlib
from datetime import timedelta

from temporalio.common import RetryPolicy

from platforms.capabilities import Editable
from platforms.registry import platforms

POSTS_QUEUE = "posts"
"""The queue of workflows, and of short activities that only use the database."""

WEBHOOKS_QUEUE = "webhooks"
"""The queue of endpoints' workflows and their steps: an endpoint that does not answer delays no post."""

CONFIRM_WITHIN = timedelta(hours=24)
"""How long the worker tries to confirm a send; after that a person must decide."""

STEP_TIMEOUT = timedelta(minutes=30)
"""The limit of one run of a step, uploads of large videos included; heartbeats detect a dead worker long before."""

HEARTBEAT_TIMEOUT = timedelta(seconds=10)

CONTINUES_WITHIN = timedelta(seconds=10)
"""How long a step that continues as an activity waits for the worker that runs it before it moves to its platform's
queue."""

DECLINED = "declined"
"""The type of the error with which a worker leaves a local step to the platform's queue."""

CONTINUES_AS_ACTIVITY = "continues_as_activity"
"""The type of the error with which a worker reports that a local step has not ended and continues as an activity.

The error's only detail is the worker's own queue.
"""

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=10)
"""Bounds of the exponential backoff between attempts if the platform names no time itself."""

RETRY_POLICY = RetryPolicy(initial_interval=FIRST_RETRY, maximum_interval=timedelta(minutes=1))
"""Temporal's policy for retrying a step after its worker died, a time-out, or a mistake of ours.

An error that a platform causes names its own wait. Temporal doubles its wait for every earlier attempt, those that only
waited for a slot or for other media included, so the longest is a minute. There is no maximum of attempts: a worker
that is shut down uses one up, so a small maximum would lose posts on deploys.
"""

FIRST_CONFIRM_WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 10, 15, 15, 30, 60, 120, 300, 600, 1800))
"""The waits before the first attempts to confirm a send."""

LONGEST_WAIT_IN_STEP = timedelta(seconds=10)
"""The longest wait after which Temporal itself retries a publish step that its platform refuses for now.

For a longer wait, the workflow sleeps: it can report the reason, and an operator can end the wait.
"""

CONFIRM_TIMEOUT = timedelta(minutes=3)

COMPLETE_WITHIN = timedelta(hours=2)
"""How long the steps after a publication are tried; the post itself is public by then."""

PREPARE_AHEAD, PREPARE_SPREAD = timedelta(minutes=3), timedelta(minutes=5)
"""How long before its due time a post's media are uploaded, so that each target needs one request when it is due.

Each post has its own time within PREPARE_SPREAD before that, because most posts are due at a full hour.
"""

PREPARE_BEYOND = timedelta(minutes=1)
"""How long after the due time an upload that was begun ahead of it may still take."""

URGENT, SCHEDULED, BACKGROUND = 2, 3, 5
"""Temporal's priorities: of work for which a client waits, of posts, and of what shows campaigns; the default is 3."""

RECHECK_PAUSE = timedelta(days=1)
"""How often the step of a target that a pause holds reads the gate, if the message that ends the wait is lost."""
RETRY_WINDOW = timedelta(days=7)
"""How long a workflow stays open for retries; a later retry starts a new run from the row."""

DATABASE_TIMEOUT = timedelta(seconds=10)


def prepare_ahead(post_id: str) -> timedelta:
    """Return how long before its due time a post's media are uploaded: always the same for the same post."""
    return PREPARE_AHEAD + PREPARE_SPREAD * (zlib.crc32(post_id.encode()) / 2**32)


def platform_queue(platform: str) -> str:
    """Return the task queue of a platform. Each has its own, so that a slow platform does not delay the others."""
    return f"publish-{platform}"


def edit_window(name: str) -> timedelta:
    """Return how long a platform allows edits of a post if it did not report it; zero if it allows none."""
    platform = platforms()[name]
    return platform.edit_window if isinstance(platform, Editable) else timedelta(0)


def confirm_wait(attempts: int) -> timedelta:
    """Return the wait before the next attempt to confirm a send: one of FIRST_CONFIRM_WAITS, later an hour."""
    return FIRST_CONFIRM_WAITS[attempts] if attempts < len(FIRST_CONFIRM_WAITS) else timedelta(hours=1)


DELIVER_TIMEOUT = timedelta(seconds=90)
"""The limit of one step for an endpoint, which claims events for half a minute."""

DATABASE_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
