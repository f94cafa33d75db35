"""The rules of ownership as they were before rows had versions, frozen: the search must find what was wrong with them.

The API starts the workflow of what it opened, and a start that finds a run changes nothing. PATCH, DELETE and retry are
updates of the run; the last answer of a change is the run's plan. Nothing compares the row's time with the clock. A
cancel waits for nothing and writes off what the run remembers. Recovery believes a run that completed after the row's
last change. In these rules the version counts every change of the row, as its `updated_at` did.
"""

from collections.abc import Iterator

from tests.model.changes import SENDS, TO_DRAFT, close, done, message_of_plan, ordered, post, put, schedule, spend
from tests.model.post import MAIL, Model
from tests.model.search import Move
from tests.model.state import Answer, Mail, Message, Row, Run, Stage, Step, StepKind, Target, TemporalStatus, World

_PUBLIC = frozenset({Target.PUBLISHED, Target.UNCONFIRMED, Target.RESTING})
_APPLIED = -1
"""In place of the version that a change is based on: the change is applied already."""
_BUDGET_OF = {TO_DRAFT: "to_draft", 1: "to_1", 2: "to_2"}


class OldModel(Model):
    """A post under the old rules."""

    absence_counts_from_the_end = False
    asks_after_the_fence = False
    given_up_is_given_up = False

    def may_begin(self, row: Row, step: Step, now: int) -> int:
        return Answer.GONE if row.post != step.post or row.draft else Answer.NONE

    def may_conclude(self, row: Row, step: Step) -> bool:
        return row.target == Target.UNCONFIRMED

    def record(self, world: World, row: Row) -> World:
        run = world.run
        behind = run.behind or run.temporal_status > TemporalStatus.RUNNING
        return world._replace(row=row._replace(version=row.version + 1), run=run._replace(behind=behind))

    # -- the workflow ------------------------------------------------------------------------------------------------

    def wake(self, world: World) -> Iterator[Move]:
        run = world.run
        awaited = [step for step in world.steps if not step.late]
        if any(step.kind not in SENDS for step in awaited):
            return
        if not (run.begun or run.ended) and run.due <= world.now:
            yield "the workflow wakes: it is due", schedule(world, run._replace(begun=True)), None
        if run.ended or (run.begun and run.target >= Target.PUBLISHED and not awaited):
            yield "the workflow completes", close(world, TemporalStatus.COMPLETED), None

    def hear(self, world: World, step: Step) -> World:
        run = world.run
        if step.kind in SENDS:
            if step.answer == Answer.GONE:
                return world._replace(run=run._replace(ended=True))
            return schedule(world, run._replace(target=step.due))
        if step.kind == StepKind.REOPEN:
            return world if step.answer == Answer.STALE else schedule(world, run._replace(target=step.due))
        if step.answer == Answer.DRAFT:
            return world._replace(run=run._replace(ended=True))
        # The last version that was heard is the plan.
        world = world._replace(run=run._replace(due=step.due, version=step.version))
        if step.answer == Answer.STALE:
            name = _BUDGET_OF[step.number]
            return world._replace(left=world.left._replace(**{name: getattr(world.left, name) + 1}))
        return world

    def cancel(self, world: World) -> World:
        run, row = world.run, world.row
        if run.target <= Target.UNCONFIRMED and row.post == run.post and row.open:
            if row.sending:
                world = self.record(world, row._replace(sending=0, target=Target.UNCONFIRMED))
            else:
                rests = Target.RESTING if row.target == Target.UNCONFIRMED else Target.FAILED
                world = self.record(world, row._replace(target=rests))
        return close(world, TemporalStatus.CANCELED)._replace(promised=world.promised._replace(canceled=True))

    # -- activities --------------------------------------------------------------------------------------------------

    def write(self, world: World, step: Step, late: str) -> Iterator[Move]:
        if step.kind == StepKind.AMEND:
            yield f"{late}the change is written", self._amend(world, step), None
        else:
            yield f"{late}the retry is written", self._reopen(world, step), None

    def _amend(self, world: World, step: Step) -> World:
        row = world.row
        if row.post != step.post:
            return done(world, step._replace(answer=Answer.DRAFT))
        answer = Answer.APPLIED if step.number == _APPLIED else Answer.STALE
        if step.number == row.version:
            answer, draft = Answer.APPLIED, step.due == TO_DRAFT
            world = self.record(world, row._replace(draft=draft, due=0 if draft else step.due))
            # The same change may be with another worker, which then finds it applied.
            steps = [
                _applied(under_way) if _is_same_change(under_way, step) else under_way for under_way in world.steps
            ]
            world = world._replace(steps=ordered(steps))
        row = world.row
        shown = Answer.DRAFT if row.draft else answer
        return done(world, step._replace(answer=shown, due=row.due, version=row.version, number=step.due))

    def _reopen(self, world: World, step: Step) -> World:
        row = world.row
        if row.post != step.post or row.target in {Target.PUBLISHED, Target.PUBLISHING}:
            return done(world, step._replace(answer=Answer.STALE))
        if row.target == Target.FAILED:
            world = self.record(world, row._replace(target=Target.PENDING))
        elif row.target == Target.RESTING:
            world = self.record(world, row._replace(target=Target.UNCONFIRMED))
        return done(world, step)

    def again(self, step: Step) -> Step:
        fresh = Step(step.kind, Stage.QUEUED, post=step.post, version=step.version)
        if step.kind != StepKind.AMEND:
            return fresh
        if step.stage == Stage.DONE:
            return fresh._replace(number=_APPLIED, due=step.number)
        return fresh._replace(number=step.number, due=step.due)

    # -- messages ----------------------------------------------------------------------------------------------------

    def receive(self, world: World, message: Message) -> Iterator[Move]:
        if message.kind == Mail.NOTED:
            row = world.row
            if row.post == message.post and not row.taken:
                world = world._replace(row=row._replace(taken=1))
            yield "the row notes that its workflow was started", world, None
            return
        met = world.run.temporal_status == TemporalStatus.RUNNING
        if not met:
            world = _start(world, message)
        label = f"{MAIL[message.kind]} {'meets the run' if met else 'starts a run'}"
        yield label, self._take(world, message), None

    def _take(self, world: World, message: Message) -> World:
        run, row = world.run, world.row
        noted = post(world, Message(Mail.NOTED, message.post, 0, 0, 0))
        match message.kind:
            case Mail.AMEND:
                if run.begun or run.ended or run.due <= world.now or run.target != Target.PENDING:
                    return noted
                based_on, change = message.version, message.change
                return put(noted, Step(StepKind.AMEND, Stage.QUEUED, post=message.post, number=based_on, due=change))
            case Mail.RETRY:
                if run.ended or run.target not in {Target.FAILED, Target.RESTING}:
                    return world
                # A retry that comes after a cancel is a new request.
                again = world._replace(promised=world.promised._replace(canceled=False))
                return put(again, Step(StepKind.REOPEN, Stage.QUEUED, post=run.post))
            case Mail.DELETE:
                missed = message.target not in _PUBLIC and run.target in _PUBLIC
                sending = any(step.kind in SENDS and not step.late for step in world.steps)
                moving = (run.begun or run.due <= world.now) and run.target <= Target.UNCONFIRMED
                if missed or sending or moving:
                    return world
                world = world._replace(run=run._replace(ended=True), promised=world.promised._replace(deleted=True))
                return world._replace(row=Row()) if row.post == run.post else world
        return noted

    def background(self, world: World) -> Iterator[Move]:
        row, run = world.row, world.run
        if not row.open or (start := message_of_plan(Mail.START, row)) in world.mail:
            return
        if not row.taken:
            yield "the sweep starts it", post(world, start), None
        elif run.temporal_status != TemporalStatus.RUNNING and _is_lost(row, run):
            yield "recovery starts it", post(world, start), None

    # -- clients -----------------------------------------------------------------------------------------------------

    def clients(self, world: World) -> Iterator[Move]:
        row, left = world.row, world.left
        if left.create and not row.post and not world.promised.deleted:
            created = Row(post=3 - left.create, version=1, due=1)
            asked = world._replace(row=created, left=spend(left, "create"))
            yield "!a client creates it with its key", post(asked, message_of_plan(Mail.START, created)), None
        if not row.post:
            return
        if row.target == Target.PENDING and not row.begun:
            for due, name in _BUDGET_OF.items():
                if getattr(left, name) and due != row.due and not (row.draft and due == TO_DRAFT):
                    yield self._patch(world._replace(left=spend(left, name)), due)
        if left.delete:
            asked = world._replace(left=spend(left, "delete"))
            if row.draft:
                gone = asked._replace(row=Row(), promised=world.promised._replace(deleted=True))
                yield "!a client deletes the draft", gone, None
            else:
                yield "!a client asks to delete it", post(asked, message_of_plan(Mail.DELETE, row)), None
        if left.retry and row.target in {Target.FAILED, Target.RESTING}:
            asked = world._replace(left=spend(left, "retry"))
            yield "!a client asks for a retry", post(asked, message_of_plan(Mail.RETRY, row)), None

    def _patch(self, world: World, due: int) -> Move:
        row = world.row
        if row.draft:
            opened = self.record(world, row._replace(draft=False, due=due, taken=0))
            return (
                f"!a client schedules the draft for {due}",
                post(opened, message_of_plan(Mail.START, opened.row)),
                None,
            )
        what = "make it a draft" if due == TO_DRAFT else f"move it to {due}"
        return f"!a client asks to {what}", post(world, message_of_plan(Mail.AMEND, row)._replace(change=due)), None

    def restored(self, row: Row, now: int) -> Row:
        return row


def _is_same_change(one: Step, other: Step) -> bool:
    return (
        one.kind == StepKind.AMEND and one.stage == Stage.QUEUED and (one.number, one.due) == (other.number, other.due)
    )


def _applied(step: Step) -> Step:
    return step._replace(number=_APPLIED)


def _start(world: World, message: Message) -> World:
    begun = message.target != Target.PENDING
    run = Run(TemporalStatus.RUNNING, message.post, message.version, message.due, message.target, begun)
    return schedule(world, run)


def _is_lost(row: Row, run: Run) -> bool:
    """Judge as recovery did: by whether the row changed after the run was closed, and by how the run ended."""
    if run.temporal_status == TemporalStatus.NONE or run.behind:
        return True
    if run.temporal_status != TemporalStatus.TERMINATED:
        return False
    knows_more = (run.target == Target.PUBLISHED and row.target != Target.PUBLISHED) or (
        run.target == Target.UNCONFIRMED and row.target in {Target.PENDING, Target.PUBLISHING}
    )
    return not knows_more
