"""Everything that can happen to a post under any rules: time, the step that sends, the confirmation, faults.

The label of a move begins with ! if a person, a client or a fault does it to the product. It begins with ~ if a worker
does it whose result is no longer awaited. All other moves happen by themselves, sooner or later.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from tests.model.changes import SENDS, answered, close, done, ordered, put, spend
from tests.model.search import Move
from tests.model.state import (
    END,
    Answer,
    Copy,
    Mail,
    Message,
    Platform,
    Promised,
    Row,
    Stage,
    Step,
    StepKind,
    Target,
    TemporalStatus,
    World,
)

TWICE = "public twice"
EARLY = "sent before its time"
AFTER_DELETE = "sent after its deletion was answered"
AFTER_CANCEL = "published after its cancel was answered"
AFTER_CORRECTION = "sent as it was before its correction was answered"
NOT_WAITED = "its cancel was answered while its request was about to be sent"
DRAFT_SENT = "sent although it is a draft"
LOST = "due, and without an owner"
CLOSED_SENT = "its send began while the gate was closed"
AFTER_PAUSED = "sent after its pause was answered"
WAITS_FOR_EVER = "it is settled, and its workflow waits for the end of a pause"
LEFT_MOVING = "canceled, and its row says for ever that something is being done"


class Model(ABC):
    """The moves of one post. A subclass has the rules of ownership: who changes the row and who notifies the run."""

    absence_counts_from_the_end: ClassVar[bool]
    """A confirmation believes absence a while after the end of the last attempt, not after its start."""
    asks_after_the_fence: ClassVar[bool]
    """A worker that was slow checks that its attempt is still open, right before it sends."""
    waits_after_write_off = True
    """A canceled run waits until a request that was about to be sent at the write-off cannot be sent any more."""
    skewed = False
    """Temporal's clock is ahead: it wakes a workflow an hour before its time."""

    # -- the rules ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def may_begin(self, row: Row, step: Step, now: int) -> int:
        """Return why a publish step must not write its attempt, `Answer.NONE` if it may."""

    @abstractmethod
    def may_conclude(self, row: Row, step: Step) -> bool:
        """Return whether the result of a confirmation may still be written into the row."""

    @abstractmethod
    def hear(self, world: World, step: Step) -> World:
        """Deliver the result of a step to the workflow."""

    @abstractmethod
    def wake(self, world: World) -> Iterator[Move]:
        """Yield what the running workflow can do without a message or result."""

    @abstractmethod
    def write(self, world: World, step: Step, late: str) -> Iterator[Move]:
        """Yield what a step can do that neither publishes nor confirms."""

    @abstractmethod
    def again(self, step: Step) -> Step:
        """Return a step as Temporal gives it to another worker."""

    @abstractmethod
    def receive(self, world: World, message: Message) -> Iterator[Move]:
        """Yield what a message can do when it arrives."""

    @abstractmethod
    def background(self, world: World) -> Iterator[Move]:
        """Yield what the sweep and the recovery can do."""

    @abstractmethod
    def clients(self, world: World) -> Iterator[Move]:
        """Yield what clients can request."""

    @abstractmethod
    def cancel(self, world: World) -> World:
        """Let an operator cancel the running workflow."""

    @abstractmethod
    def restored(self, row: Row, now: int) -> Row:
        """Return an older row as a restore puts it into use."""

    # -- the moves ---------------------------------------------------------------------------------------------------

    def unsettled(self, world: World) -> str | None:
        """Return which promise is broken if nothing more happens by itself."""
        row, run = world.row, world.run
        is_held = run.temporal_status == TemporalStatus.RUNNING and run.target == Target.HELD
        if not row.open:
            return WAITS_FOR_EVER if is_held and run.begun else None
        if world.closed and row.target == Target.HELD:
            return None
        return LEFT_MOVING if world.promised.canceled else LOST

    def moves(self, world: World) -> Iterator[Move]:
        """Yield everything that can happen next."""
        yield from self._time(world)
        if world.run.temporal_status == TemporalStatus.RUNNING:
            yield from self.wake(world)
        yield from self._steps(world)
        yield from self._mail(world)
        yield from self.background(world)
        yield from self.clients(world)
        yield from self._faults(world)

    def _time(self, world: World) -> Iterator[Move]:
        row, platform = world.row, world.platform
        if world.now < END:
            yield "an hour passes", world._replace(now=world.now + 1), None
        if platform.late:
            shown = world._replace(platform=Platform(platform.public + 1, platform.late - 1))
            yield "the platform shows what it accepted late", shown, TWICE if platform.public else None
        if row.age == 2 or (row.age == 1 and platform.late) or not (row.attempts or row.target == Target.UNCONFIRMED):
            # A platform accepts a request late, but before its absence is believed.
            return
        if not any(step.stage == Stage.READY and not step.late for step in world.steps):
            # A worker without a fault sends immediately.
            steps = ordered(map(_older, world.steps))
            yield "a minute passes", world._replace(row=row._replace(age=row.age + 1), steps=steps), None

    def _steps(self, world: World) -> Iterator[Move]:
        for index, step in enumerate(world.steps):
            if index and step == world.steps[index - 1]:
                continue
            rest = world._replace(steps=world.steps[:index] + world.steps[index + 1 :])
            late = "~ late: " if step.late else ""
            if step.stage == Stage.DONE:
                if self.waits_after_write_off and step.kind == StepKind.WRITE_OFF and _may_be_sent_still(world.row):
                    # The run ends once a request that was about to be sent cannot be sent any more.
                    continue
                yield f"the workflow hears {_named(step)}", self.hear(rest, step), None
            elif step.kind == StepKind.PUBLISH:
                yield from self._publish(rest, step, late)
            elif step.kind == StepKind.CONFIRM:
                yield from self._confirm(rest, step, late)
            else:
                yield from self.write(rest, step, late)

    def _publish(self, world: World, step: Step, late: str) -> Iterator[Move]:
        row = world.row
        if step.stage == Stage.READY:
            yield from self._send(world, step, late)
        elif step.stage == Stage.ANSWERED:
            yield self._settle(world, step, late)
        elif why := self.may_begin(row, step, world.now):
            result = step._replace(answer=why, due=row.due, version=row.version)
            yield f"{late}publish: {_WHY[why]}", done(world, result), None
        elif row.sending:
            closed = row._replace(sending=0, target=Target.UNCONFIRMED, age=self._age_when_closed(row))
            yield f"{late}publish finds an open attempt: unconfirmed", done(world._replace(row=closed), step), None
        elif row.target <= Target.PUBLISHING:
            yield self.begin_send(world, step, late)
        else:
            yield f"{late}publish finds it settled", done(world, step), None

    def begin_send(self, world: World, step: Step, late: str) -> Move:
        """Write the attempt, unless the gate is closed at that moment."""
        if world.closed:
            return f"{late}publish finds the gate closed", answered(world, step, Answer.PAUSED), None
        return self.write_attempt(world, step, late)

    def write_attempt(self, world: World, step: Step, late: str) -> Move:
        """Write the attempt of a send."""
        row, number = world.row, world.row.attempts + 1
        sending = row._replace(target=Target.PUBLISHING, begun=True, sending=number, attempts=number, age=0)
        ready = step._replace(stage=Stage.READY, answer=Answer.NONE, number=number, due=row.due)
        broken = CLOSED_SENT if world.closed else None
        return f"{late}publish writes its attempt", put(world._replace(row=sending), ready), broken

    def _hold(self, world: World, step: Step, late: str) -> Move:
        row = world.row
        if why := self.may_begin(row, step, world.now):
            result = step._replace(answer=why, due=row.due, version=row.version)
            return f"{late}the hold finds that {_WHY[why]}", done(world, result), None
        if row.sending or row.target > Target.PUBLISHING:
            return f"{late}the hold finds it settled", done(world, step), None
        held = row._replace(target=Target.HELD, begun=True)
        return f"{late}the hold is written", done(world._replace(row=held), step), None

    def _age_when_closed(self, row: Row) -> int:
        return 0 if self.absence_counts_from_the_end else row.age

    def _send(self, world: World, step: Step, late: str) -> Iterator[Move]:
        if step.age and self.asks_after_the_fence:
            row = world.row
            if row.post == step.post and row.sending == step.number:
                yield f"{late}the worker asks: its attempt is still open", put(world, step._replace(age=0)), None
            else:
                yield f"{late}the worker asks: its attempt is closed, so it sends nothing", done(world, step), None
            return
        platform, left, lie = world.platform, world.left, _lie(world, step)
        public = world._replace(platform=platform._replace(public=platform.public + 1))
        broken = lie or (TWICE if platform.public else None)
        yield f"{late}the request is sent and accepted", answered(public, step, Answer.ACCEPTED), broken
        if left.refuse:
            spent = world._replace(left=spend(left, "refuse"))
            yield f"!{late}the request is sent and refused", answered(spent, step, Answer.REFUSED), lie
        if left.unconfirmed:
            less = spend(left, "unconfirmed")
            unheard = answered(public._replace(left=less), step, Answer.UNCONFIRMED)
            yield f"!{late}the request is accepted, its answer lost", unheard, broken
            unsent = answered(world._replace(left=less), step, Answer.UNCONFIRMED)
            yield f"!{late}the request is lost, its sender does not know", unsent, lie
        if left.accept_late:
            slow = world._replace(left=spend(left, "accept_late"), platform=platform._replace(late=platform.late + 1))
            yield f"!{late}the platform takes the request late", answered(slow, step, Answer.UNCONFIRMED), lie

    def _settle(self, world: World, step: Step, late: str) -> Move:
        row = world.row
        if step.answer == Answer.PAUSED:
            return self._hold(world, step, late)
        if row.post != step.post:
            return f"{late}the answer finds no row", done(world, step._replace(answer=Answer.GONE)), None
        if step.answer != Answer.ACCEPTED and row.sending != step.number:
            return f"{late}the answer to a closed attempt tells nothing", done(world, step), None
        came_to = row.target if row.target == Target.PUBLISHED else _CAME_TO[step.answer]
        sending = 0 if row.sending == step.number else row.sending
        age = self._age_when_closed(row) if came_to == Target.UNCONFIRMED else row.age
        settled = row._replace(target=came_to, sending=sending, age=age)
        return f"{late}the answer is recorded", done(world._replace(row=settled), step), None

    def _confirm(self, world: World, step: Step, late: str) -> Iterator[Move]:
        row = world.row
        if row.post != step.post:
            yield f"{late}the confirmation finds no row", done(world, step._replace(answer=Answer.GONE)), None
        elif step.stage == Stage.ANSWERED:
            if self.may_conclude(row, step):
                status = Target.PUBLISHED if step.answer == Answer.ACCEPTED else Target.PENDING
                concluded = world._replace(row=row._replace(target=status))
                yield f"{late}the finding is recorded", done(concluded, step), None
            else:
                yield f"{late}the finding is of no use any more", done(world, step), None
        elif row.target != Target.UNCONFIRMED:
            yield f"{late}the confirmation finds it settled", done(world, step), None
        elif world.platform.public:
            found_it = answered(world, step._replace(number=row.attempts), Answer.ACCEPTED)
            yield f"{late}the confirmation finds the post", found_it, None
        elif row.age >= (2 if self.absence_counts_from_the_end else 1):
            absent = answered(world, step._replace(number=row.attempts), Answer.ABSENT)
            yield f"{late}the confirmation finds nothing and believes it", absent, None

    def _mail(self, world: World) -> Iterator[Move]:
        for index, message in enumerate(world.mail):
            if index and message == world.mail[index - 1]:
                continue
            rest = world._replace(mail=world.mail[:index] + world.mail[index + 1 :])
            if world.left.lose:
                yield f"!{MAIL[message.kind]} is lost", rest._replace(left=spend(world.left, "lose")), None
            yield from self.receive(rest, message)

    def _faults(self, world: World) -> Iterator[Move]:
        left, run = world.left, world.run
        if run.temporal_status == TemporalStatus.RUNNING:
            if left.cancel and not run.canceling:
                canceled = self.cancel(world._replace(left=spend(left, "cancel")))
                yield "!an operator cancels the workflow", canceled, None
            if left.terminate:
                ended = close(world._replace(left=spend(left, "terminate")), TemporalStatus.TERMINATED)
                yield "!an operator terminates the workflow", ended, None
        if left.crash or left.freeze:
            yield from self._lost_workers(world)
        if left.lost_commit and world.row.post:
            lost = world._replace(row=Row(), promised=Promised(), left=spend(left, "lost_commit"))
            yield "!a failover loses the row", lost, None
        if left.restore_rows or left.restore_runs or left.restore_both:
            yield from self._restores(world)

    def _lost_workers(self, world: World) -> Iterator[Move]:
        left, row = world.left, world.row
        for index, step in enumerate(world.steps):
            if step.late or (step.stage == Stage.QUEUED and step.kind in SENDS):
                continue
            rest = world._replace(steps=world.steps[:index] + world.steps[index + 1 :])
            again = self.again(step)
            if left.crash and step.stage != Stage.QUEUED:
                died = put(rest._replace(left=spend(left, "crash")), again)
                yield f"!the worker dies with {_named(step)}", died, None
            if left.freeze and step.stage != Stage.DONE:
                frozen = step._replace(late=True)
                if step.stage == Stage.READY:
                    # Temporal misses the worker's heartbeats only after the fence.
                    frozen, rest = frozen._replace(age=1), rest._replace(row=row._replace(age=max(row.age, 1)))
                worlds = put(put(rest._replace(left=spend(left, "freeze")), frozen), again)
                yield f"!the worker freezes with {_named(step)}", worlds, None

    def _restores(self, world: World) -> Iterator[Move]:
        left, copy = world.left, world.copy
        if copy is None:
            taken = Copy(world.row, world.run, tuple(step for step in world.steps if not step.late), world.closed)
            yield "!both stores are copied", world._replace(copy=taken), None
            return
        row = self.restored(copy.row, world.now)
        rows = world._replace(row=row, promised=Promised(), closed=copy.closed)
        if left.restore_rows:
            yield "!the rows are put back", rows._replace(left=spend(left, "restore_rows")), None
        if left.restore_runs:
            back = self._runs_back(world, copy)
            yield "!the workflows are put back", back._replace(left=spend(left, "restore_runs")), None
        if left.restore_both:
            both = self._runs_back(rows, copy)
            yield "!both are put back", both._replace(left=spend(left, "restore_both")), None

    def _runs_back(self, world: World, copy: Copy) -> World:
        late = [step._replace(late=True) for step in world.steps if step.stage != Stage.DONE]
        return world._replace(run=copy.run, steps=ordered([*late, *map(self.again, copy.steps)]))


_CAME_TO = {
    Answer.ACCEPTED: Target.PUBLISHED,
    Answer.REFUSED: Target.FAILED,
    Answer.UNCONFIRMED: Target.UNCONFIRMED,
}
_WHY = {
    Answer.GONE: "there is nothing to publish",
    Answer.NOT_YET: "it is not due yet",
    Answer.SUPERSEDED: "the row is another version",
}
MAIL = {
    Mail.NOTED: "the note that it is taken up",
    Mail.TAKE_UP: "the word to take it up",
    Mail.REST: "the word to rest",
}
_KINDS = {
    StepKind.PUBLISH: "publish",
    StepKind.CONFIRM: "the confirmation",
    StepKind.WRITE_OFF: "the write-off",
    StepKind.READ: "what the row says",
    StepKind.GIVE_UP: "giving up",
}
_STAGES = {
    Stage.QUEUED: "not begun",
    Stage.READY: "its request unsent",
    Stage.ANSWERED: "its answer unwritten",
    Stage.DONE: "all written",
}


def _may_be_sent_still(row: Row) -> bool:
    return row.target == Target.RESTING and not row.age


def _older(step: Step) -> Step:
    return step._replace(age=min(step.age + 1, 2)) if step.stage == Stage.READY else step


def _named(step: Step) -> str:
    return f"{_KINDS[step.kind]}, {_STAGES[step.stage]}"


def _lie(world: World, step: Step) -> str | None:
    """Return which promise a request breaks if it is sent now."""
    row, promised = world.row, world.promised
    if promised.paused:
        return AFTER_PAUSED
    if promised.deleted:
        return AFTER_DELETE
    if promised.canceled:
        return NOT_WAITED if step.late else AFTER_CANCEL
    if row.post == step.post and step.version < promised.corrected:
        return AFTER_CORRECTION
    if row.post == step.post:
        if row.draft:
            return DRAFT_SENT
        if step.due > world.now:
            return EARLY
    return None
