"""The state of the model: one post, its row, its workflow, its platform and everything under way between them.

A state is nested tuples of small integers, so that it is cheap to hash, and two orders of the same events result in one
state. One post with one target is enough: targets of a post share the row's lock, and an inconsistency between a row
and its workflow appears with one target too.
"""

from typing import NamedTuple


class Target:
    """The status of a target, in its row or in its workflow."""

    PENDING = 0
    HELD = 1
    """It waits for the end of a pause."""
    PUBLISHING = 2
    """An attempt was written, and the request may have been sent."""
    UNCONFIRMED = 3
    """The response was lost; the platform is asked."""
    PUBLISHED = 4
    FAILED = 5
    RESTING = 6
    """Unconfirmed, and only a person can decide."""


class TemporalStatus:
    """The status of the latest run in Temporal."""

    NONE = 0
    RUNNING = 1
    COMPLETED = 2
    CANCELED = 3
    TERMINATED = 4


class StepKind:
    """The activity of a step."""

    PUBLISH = 0
    CONFIRM = 1
    WRITE_OFF = 2
    READ = 3
    GIVE_UP = 4


class Stage:
    """The progress of an activity."""

    QUEUED = 0
    READY = 1
    """Publish: the attempt is committed, the request not sent."""
    ANSWERED = 2
    """The platform has responded, or cannot respond any more; the result is not written."""
    DONE = 3
    """The result is committed; the workflow does not know it."""


class Answer:
    """A step's result: a platform's response, or a reply to its workflow."""

    NONE = 0
    ACCEPTED = 1
    REFUSED = 2
    UNCONFIRMED = 3
    ABSENT = 4
    GONE = 5
    NOT_YET = 6
    STANDS = 7
    APPLIED = 8
    SUPERSEDED = 9
    PAUSED = 10


class Row(NamedTuple):
    """The rows of the post in PostgreSQL. `post` is 0 if there is no row."""

    post: int = 0
    version: int = 0
    taken: int = 0
    """The newest version that a run is known to have heard of; 0 if no run was ever started."""
    draft: bool = False
    begun: bool = False
    """The status of the post is `publishing`, no longer `scheduled`."""
    due: int = 0
    target: int = Target.PENDING
    sending: int = 0
    """The number of the open attempt, 0 if no attempt is open."""
    attempts: int = 0
    age: int = 0
    """The age of the last attempt's start or end: 0 now, 1 after the fence, 2 after it cannot matter."""

    @property
    def open(self) -> bool:
        """Return whether the post is to be published and is not settled."""
        return self.post != 0 and not self.draft and self.target <= Target.UNCONFIRMED


class Run(NamedTuple):
    """The latest run under the workflow id, with its plan."""

    temporal_status: int = TemporalStatus.NONE
    post: int = 0
    version: int = 0
    due: int = 0
    target: int = Target.PENDING
    begun: bool = False
    ended: bool = False
    canceling: bool = False
    behind: bool = False
    """A step found another version of the row."""
    newer: int = -1
    """The status that a change requests for the target while its step is running, -1 for no change."""
    warned: bool = False
    """A worker's clock has said that it is too early; the run sleeps by its own clock."""


class Step(NamedTuple):
    """A running activity. It is `late` if its result is no longer awaited, as that of a frozen worker."""

    kind: int
    stage: int
    late: bool = False
    post: int = 0
    answer: int = Answer.NONE
    number: int = 0
    """The attempt's number (publish, confirm), or 1 if the time to be published passed during a pause (give up)."""
    due: int = 0
    """The due time that the result reports."""
    version: int = 0
    age: int = 0
    """The age of the attempt when the step is READY."""


class Message(NamedTuple):
    """A message to Temporal, or (`NOTED`) to the row. It contains the plan that its sender read."""

    kind: int
    post: int
    version: int
    due: int
    target: int
    fresh: bool = False
    """The first start of a post that was just inserted."""


class Mail:
    """Kinds of messages."""

    NOTED = 0
    TAKE_UP = 1
    REST = 2


class Platform(NamedTuple):
    """The platform's state: public posts, and requests that it will accept a little later."""

    public: int = 0
    late: int = 0


class Promised(NamedTuple):
    """The responses to clients and operators that must stay true."""

    deleted: bool = False
    canceled: bool = False
    corrected: int = 0
    """The version that a correction has made, 0 if there was no correction."""
    paused: bool = False


class Budget(NamedTuple):
    """The number of times that each event may still happen that the product does not cause itself."""

    to_draft: int = 0
    to_1: int = 0
    to_2: int = 0
    delete: int = 0
    retry: int = 0
    correct: int = 0
    create: int = 0
    create_now: int = 0
    cancel: int = 0
    terminate: int = 0
    crash: int = 0
    freeze: int = 0
    lose: int = 0
    refuse: int = 0
    unconfirmed: int = 0
    accept_late: int = 0
    lost_commit: int = 0
    restore_rows: int = 0
    restore_runs: int = 0
    restore_both: int = 0
    close: int = 0
    open: int = 0
    open_by_hand: int = 0
    window: int = 0


class Copy(NamedTuple):
    """Copies of both stores, taken at the same time."""

    row: Row
    run: Run
    steps: tuple[Step, ...]
    closed: bool = False


class World(NamedTuple):
    """The whole state of the model."""

    now: int
    row: Row
    run: Run
    steps: tuple[Step, ...]
    mail: tuple[Message, ...]
    platform: Platform
    promised: Promised
    left: Budget
    copy: Copy | None = None
    closed: bool = False
    """Whether the gate is closed, which is in the same store as the row."""


END = 3
"""The last hour of the model; due times are 1 and 2."""
