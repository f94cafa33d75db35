"""The state of the model: one post, its row, its workflow, its network and everything on the way between them.

A state is nested tuples of small integers, so that it is cheap to hash and two orders of the same events meet in one
state. One post with one target is enough: targets of a post share the row's lock, and whatever goes wrong between a row
and its workflow goes wrong for one target too.
"""

from typing import NamedTuple


class Target:
    """Where a target stands, in its row or for all that its workflow knows."""

    PENDING = 0
    PUBLISHING = 1
    """An attempt was written, and the request may be out."""
    UNCONFIRMED = 2
    """The answer was lost; the network is asked."""
    PUBLISHED = 3
    FAILED = 4
    RESTING = 5
    """Unconfirmed, and only a person can decide."""


class TemporalStatus:
    """What Temporal says of the latest run."""

    NONE = 0
    RUNNING = 1
    COMPLETED = 2
    CANCELED = 3
    TERMINATED = 4


class StepKind:
    """Which activity a step is."""

    PUBLISH = 0
    CONFIRM = 1
    AMEND = 2
    REOPEN = 3
    WRITE_OFF = 4
    READ = 5


class Stage:
    """How far an activity has come."""

    QUEUED = 0
    READY = 1
    """Publish: the attempt is committed, the request not sent."""
    ANSWERED = 2
    """The network has answered, or cannot any more; nothing is written."""
    DONE = 3
    """What it came to is committed; its workflow does not know."""


class Answer:
    """What a step has in hand: a network's answer, or what it tells its workflow."""

    NONE = 0
    ACCEPTED = 1
    REFUSED = 2
    UNCONFIRMED = 3
    ABSENT = 4
    GONE = 5
    NOT_YET = 6
    STANDS = 7
    APPLIED = 8
    STALE = 9
    DRAFT = 10
    SUPERSEDED = 11


class Row(NamedTuple):
    """What PostgreSQL holds of the post. `post` is 0 if there is no row."""

    post: int = 0
    version: int = 0
    taken: int = 0
    """The newest version of which a run is known to have heard; 0 if none was ever started."""
    draft: bool = False
    begun: bool = False
    """Its status is `publishing`, no longer `scheduled`."""
    due: int = 0
    target: int = Target.PENDING
    sending: int = 0
    """The number of the attempt that is open, 0 for none."""
    attempts: int = 0
    age: int = 0
    """How long ago the last attempt began or was closed: 0 just now, 1 after the fence, 2 after it cannot matter."""

    @property
    def open(self) -> bool:
        """Tell whether the post is to be published and is not settled."""
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
    """Old rules: the row changed after this run was closed. New ones: a step found the row to be another version."""
    newer: int = -1
    """What is wanted of the target since its step is out, -1 for nothing new."""
    warned: bool = False
    """A worker's clock has said that it is too early; the run sleeps by its own."""


class Step(NamedTuple):
    """An activity on its way. One whose answer nobody awaits any more, as of a frozen worker, is `late`."""

    kind: int
    stage: int
    late: bool = False
    post: int = 0
    answer: int = Answer.NONE
    number: int = 0
    """The attempt's number (publish, confirm), or the version that a change is based on (amend)."""
    due: int = 0
    """The due time that a change asks for (-1: a draft), or that the answer tells."""
    version: int = 0
    age: int = 0
    """Of the attempt when it is READY."""


class Message(NamedTuple):
    """What is on its way to Temporal, or (`NOTED`) to the row. It holds the plan that its sender read."""

    kind: int
    post: int
    version: int
    due: int
    target: int
    change: int = 0
    """The due time that a change asks for, -1 for a draft."""
    fresh: bool = False
    """The first start of a post that was just inserted."""


class Mail:
    """Kinds of messages."""

    START = 0
    AMEND = 1
    DELETE = 2
    RETRY = 3
    NOTED = 4
    TAKE_UP = 5
    REST = 6


class Platform(NamedTuple):
    """What the network has: public posts, and requests that it will accept a little later."""

    public: int = 0
    late: int = 0


class Told(NamedTuple):
    """What clients and operators were told, as far as it must stay true."""

    deleted: bool = False
    canceled: bool = False
    corrected: int = 0
    """The version that a correction has made, 0 if there was none."""


class Budget(NamedTuple):
    """How often each thing may still happen that the product does not do by itself."""

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


class Copy(NamedTuple):
    """Copies of both stores, taken at one moment."""

    row: Row
    run: Run
    steps: tuple[Step, ...]


class World(NamedTuple):
    """Everything."""

    now: int
    row: Row
    run: Run
    steps: tuple[Step, ...]
    mail: tuple[Message, ...]
    platform: Platform
    told: Told
    left: Budget
    copy: Copy | None = None


END = 3
"""The last hour of the model; due times are 1 and 2."""
