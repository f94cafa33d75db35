"""The product's rules of ownership: a post is what its row says, and a run knows one version of the row.

`domain.ownership` makes every decision, in the model as in the product. The model itself has only the order of events
and their effects. A change is written by the client or step that makes it, under the row's lock, and raises the row's
version. The run is notified afterwards, or finds out by itself before it sends.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from domain.ownership import (
    FoundRun,
    KnownToRun,
    PostVersion,
    RowFacts,
    RowState,
    RunFacts,
    RunState,
    RunStatus,
    SendDecision,
    TargetRow,
    VersionComparison,
    classify_found_run,
    classify_run,
    compare_versions,
    decide_send,
    may_be_behind,
    may_change,
    may_correct,
    may_delete,
    may_retry,
    write_off,
)
from domain.post import PostStatus, TargetStatus
from tests.model.changes import SENDS, TO_DRAFT, close, message_of_plan, post, put, schedule, spend
from tests.model.gates import gate_moves, give_up, lift_holds, rest, window_passes
from tests.model.post import MAIL, Model
from tests.model.search import Move
from tests.model.state import Answer, Mail, Message, Row, Run, Stage, Step, StepKind, Target, TemporalStatus, World

_REOPENED_FROM = frozenset({Target.FAILED, Target.RESTING, Target.HELD})
_BUDGET_OF = {TO_DRAFT: "to_draft", 1: "to_1", 2: "to_2"}
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_STATUS = {
    Target.PENDING: TargetStatus.PENDING,
    Target.HELD: TargetStatus.HELD,
    Target.PUBLISHING: TargetStatus.PUBLISHING,
    Target.UNCONFIRMED: TargetStatus.UNCONFIRMED,
    Target.PUBLISHED: TargetStatus.PUBLISHED,
    Target.FAILED: TargetStatus.FAILED,
    Target.RESTING: TargetStatus.UNCONFIRMED,
}
_WHY = {
    SendDecision.GO: Answer.NONE,
    SendDecision.GONE: Answer.GONE,
    SendDecision.SUPERSEDED: Answer.SUPERSEDED,
    SendDecision.EARLY: Answer.NOT_YET,
}


class OwnedModel(Model):
    """A post under the product's rules."""

    absence_counts_from_the_end = True
    asks_after_the_fence = True

    def may_begin(self, row: Row, step: Step, now: int) -> int:
        if row.post != step.post:
            return Answer.GONE
        return _may_begin(row.draft, row.begun, row.due, row.version, step.version, now)

    def may_conclude(self, row: Row, step: Step) -> bool:
        # A finding is about the last send that was known when it was confirmed.
        return row.target == Target.UNCONFIRMED and row.attempts == step.number

    # -- the workflow ------------------------------------------------------------------------------------------------

    def wake(self, world: World) -> Iterator[Move]:
        run = world.run
        awaited = [step for step in world.steps if not step.late]
        if run.canceling:
            if not awaited:
                step = Step(StepKind.WRITE_OFF, Stage.QUEUED, post=run.post)
                yield "the canceled workflow has waited for what is out", put(world, step), None
            return
        if run.ended or (run.begun and run.target >= Target.PUBLISHED and not awaited and not run.behind):
            yield "the workflow completes", close(world, TemporalStatus.COMPLETED), None
        elif run.behind:
            if not awaited:
                step = Step(StepKind.READ, Stage.QUEUED, post=run.post)
                yield "the workflow reads the row", put(world, step), None
        elif run.begun and run.target == Target.HELD and not awaited:
            step = Step(StepKind.PUBLISH, Stage.QUEUED, post=run.post, version=run.version)
            yield "the workflow looks, a day later", put(world, step), None
        elif not run.begun and run.due <= world.now + (self.skewed and not run.warned):
            yield "the workflow wakes: it is due", schedule(world, run._replace(begun=True, warned=False)), None

    def hear(self, world: World, step: Step) -> World:
        run = world.run
        if step.kind == StepKind.WRITE_OFF:
            # A retry that came in between is a newer request.
            promised = world.promised._replace(canceled=world.row.version == step.version)
            known = world._replace(run=run._replace(version=max(run.version, step.version)), promised=promised)
            return close(known, TemporalStatus.CANCELED)
        if step.kind == StepKind.READ:
            run = run._replace(behind=False)
            if step.answer == Answer.GONE or step.version < run.version:
                return world._replace(run=run._replace(ended=True))
            return _follow(world._replace(run=run), step.version, step.due, step.number)
        newer, run = run.newer, run._replace(newer=-1)
        if step.answer in {Answer.GONE, Answer.SUPERSEDED}:
            return world._replace(run=run._replace(behind=True))
        if step.answer == Answer.NOT_YET:
            return world._replace(run=run._replace(begun=False, warned=True))
        target = step.due
        if newer in {Target.PENDING, Target.UNCONFIRMED} and target in _REOPENED_FROM:
            # The target was reopened before the run knew of its failure, or of its hold.
            target = newer
        return schedule(world, run._replace(target=target))

    def cancel(self, world: World) -> World:
        return world._replace(run=world.run._replace(canceling=True))

    # -- activities --------------------------------------------------------------------------------------------------

    def write(self, world: World, step: Step, late: str) -> Iterator[Move]:
        row = world.row
        if step.kind == StepKind.GIVE_UP:
            yield from give_up(world, step, late, self.may_begin(row, step, world.now))
            return
        if step.kind == StepKind.READ:
            if row.post != step.post or row.draft:
                result = step._replace(answer=Answer.GONE)
            else:
                result = step._replace(answer=Answer.STANDS, due=row.due, version=row.version, number=_planned(row))
            yield f"{late}the row is read", _answer_run(world, result), None
            return
        if row.post == step.post and not row.draft:
            target = _written_off(row.target, bool(row.sending))
            age = 0 if row.sending else row.age
            row = row._replace(target=target, sending=0, version=row.version + 1, age=age)
        result = step._replace(answer=Answer.APPLIED, version=row.version)
        yield f"{late}the row is written off", _answer_run(world._replace(row=row), result), None

    def again(self, step: Step) -> Step:
        number = step.number if step.kind == StepKind.GIVE_UP else 0
        return Step(step.kind, Stage.QUEUED, post=step.post, version=step.version, number=number)

    # -- messages ----------------------------------------------------------------------------------------------------

    def receive(self, world: World, message: Message) -> Iterator[Move]:
        run, row = world.run, world.row
        match message.kind:
            case Mail.NOTED:
                if row.post == message.post and row.version == message.version:
                    world = world._replace(row=row._replace(taken=message.version))
                yield "the row notes that it is taken up", world, None
            case Mail.REST:
                newer = run.post == message.post and message.version > run.version
                if run.temporal_status == TemporalStatus.RUNNING and newer:
                    world = world._replace(run=run._replace(version=message.version, ended=True))
                yield "the word to rest arrives", world, None
            case _:
                yield self._take_up(world, message)

    def _take_up(self, world: World, message: Message) -> Move:
        """Make a workflow take up a version: by its first start, or by an update with start."""
        run = world.run
        name, met = MAIL[message.kind], run.temporal_status != TemporalStatus.NONE
        if (
            met
            and (message.fresh or run.temporal_status == TemporalStatus.RUNNING)
            and _found_run(message.post, run.post) is FoundRun.OTHER_POST
        ):
            moved = _moved(world) if world.row.post == message.post else world
            return f"{name} finds another post's run", moved, None
        if run.temporal_status != TemporalStatus.RUNNING:
            return f"{name} starts a run", _noted(_start(world, message), message), None
        if run.canceling:
            return f"{name} is refused: the run was canceled", world, None
        if _offer(run.post, run.version, message.post, message.version) is not VersionComparison.NEWER:
            return f"{name} is no news", _noted(world, message), None
        taken = _follow(world, message.version, message.due, message.target)
        return f"{name} is taken up", _noted(taken, message), None

    def background(self, world: World) -> Iterator[Move]:
        row, run = world.row, world.run
        yield from lift_holds(world)
        yield from _drafts_told(world)
        if not row.open or (request := message_of_plan(Mail.TAKE_UP, row)) in world.mail:
            return
        if row.taken < row.version:
            yield "the sweep sends the request again", post(world, request), None
        elif run.temporal_status == TemporalStatus.RUNNING:
            news = _offer(run.post, run.version, row.post, row.version) is not VersionComparison.KNOWN
            if news and _may_be_behind(row.begun, row.due, run.begun, run.due):
                yield "recovery sends the request again", post(world, request), None
        elif (state := _run_state(row, run)) is RunState.LOST:
            yield "recovery starts it", post(world, request), None
        elif state is RunState.AHEAD:
            confirmed_first = _confirm_first(row)
            known = world._replace(row=confirmed_first)
            yield "recovery has it confirmed first", post(known, message_of_plan(Mail.TAKE_UP, confirmed_first)), None

    # -- clients -----------------------------------------------------------------------------------------------------

    def clients(self, world: World) -> Iterator[Move]:
        row, left = world.row, world.left
        yield from gate_moves(world)
        yield from window_passes(world)
        if not row.post and not world.promised.deleted:
            for name in ("create", "create_now"):
                if getattr(left, name):
                    now = name == "create_now"
                    created = Row(
                        post=3 - left.create - left.create_now, version=1, begun=now, due=world.now if now else 1
                    )
                    asked = world._replace(row=created, left=spend(left, name))
                    yield "!a client creates it with its key", post(asked, message_of_plan(Mail.TAKE_UP, created)), None
        if not row.post:
            return
        if may_change(_post_status(row), [_target_row(row.target, sending=bool(row.sending))]):
            for due, name in _BUDGET_OF.items():
                if getattr(left, name) and due != row.due and not (row.draft and due == TO_DRAFT):
                    yield _patch(world._replace(left=spend(left, name)), due)
        if left.delete and _may_delete(row.draft, row.begun, row.target, bool(row.sending)):
            gone = world._replace(row=Row(), promised=world.promised._replace(deleted=True), left=spend(left, "delete"))
            yield "!a client deletes it", post(gone, rest(row, row.version + 1)), None
        if left.retry and may_retry(_target_row(row.target, sending=bool(row.sending))):
            target = Target.PENDING if row.target == Target.FAILED else Target.UNCONFIRMED
            again = row._replace(target=target, version=row.version + 1)
            asked = world._replace(
                row=again, promised=world.promised._replace(canceled=False), left=spend(left, "retry")
            )
            yield "!a client retries it", post(asked, message_of_plan(Mail.TAKE_UP, again)), None
        yield from _corrections(world)

    def restored(self, row: Row, now: int) -> Row:
        # Only posts that are due by now: on a platform that cannot confirm, they wait for a person's decision.
        return _confirm_first(row) if row.open and (row.begun or row.due <= now) else row


def _drafts_told(world: World) -> Iterator[Move]:
    """Yield the sweep's word to the workflow of a draft, which may wait for the end of a pause."""
    row, run = world.row, world.run
    is_behind = run.temporal_status == TemporalStatus.RUNNING and run.post == row.post and run.version < row.version
    if row.post and row.draft and is_behind and (request := rest(row, row.version)) not in world.mail:
        yield "the sweep tells the workflow of the draft", post(world, request), None


def _corrections(world: World) -> Iterator[Move]:
    row, left = world.row, world.left
    if left.correct and may_correct(_target_row(row.target, sending=bool(row.sending))):
        # Its workflow is not notified: there is nothing to do before the retry.
        other = row._replace(version=row.version + 1)
        promised = world.promised._replace(corrected=other.version)
        yield "!a client corrects it", world._replace(row=other, promised=promised, left=spend(left, "correct")), None


def _patch(world: World, due: int) -> Move:
    row, draft = world.row, due == TO_DRAFT
    # A held post starts over.
    begun, target = row.begun and row.target != Target.HELD, Target.PENDING if row.target == Target.HELD else row.target
    changed = row._replace(draft=draft, begun=begun, target=target, due=0 if draft else due, version=row.version + 1)
    what = "makes it a draft" if draft else f"schedules it for {due}"
    message = rest(changed, changed.version) if draft else message_of_plan(Mail.TAKE_UP, changed)
    return f"!a client {what}", post(world._replace(row=changed), message), None


def _answer_run(world: World, step: Step) -> World:
    return world if step.late else put(world, step._replace(stage=Stage.DONE))


def _planned(row: Row) -> int:
    return Target.PENDING if row.target == Target.PUBLISHING else row.target


def _follow(world: World, version: int, due: int, target: int) -> World:
    """Let the run follow a newer plan; a target whose step is running keeps its state until that step's result."""
    run = world.run
    if any(step.kind in SENDS and not step.late for step in world.steps):
        newer = run._replace(version=version, due=due, newer=target, begun=True, ended=False)
        return world._replace(run=newer)
    begun = target != Target.PENDING
    newer = run._replace(version=version, due=due, target=target, begun=begun, ended=False, warned=False)
    return schedule(world, newer)


def _start(world: World, message: Message) -> World:
    begun = message.target != Target.PENDING
    run = Run(TemporalStatus.RUNNING, message.post, message.version, message.due, message.target, begun)
    return schedule(world, run)


def _noted(world: World, message: Message) -> World:
    return post(world, Message(Mail.NOTED, message.post, message.version, 0, 0))


def _moved(world: World) -> World:
    """Give the post the next workflow id, and confirm before anything is sent: the other post's result is lost."""
    row = _confirm_first(world.row)
    moved = close(world, TemporalStatus.NONE)._replace(run=Run(), row=row)
    return post(moved, message_of_plan(Mail.TAKE_UP, row))


def _confirm_first(row: Row) -> Row:
    """Return the row with an open attempt that was lost: the next step finds it, and confirms before it sends."""
    number = row.attempts + 1
    return row._replace(sending=number, attempts=number, version=row.version + 10, age=0)


# -- the product's decisions, remembered -----------------------------------------------------------------------------


def _at(hour: int) -> datetime:
    return _BEGAN + timedelta(hours=hour)


def _post_status(row: Row) -> PostStatus:
    return _status(row.draft, row.begun, row.target)


@cache
def _status(draft: bool, begun: bool, target: int) -> PostStatus:
    if draft:
        return PostStatus.DRAFT
    if not begun:
        return PostStatus.SCHEDULED if target == Target.PENDING else PostStatus.FAILED
    return PostStatus.PUBLISHING if target <= Target.UNCONFIRMED else PostStatus.FAILED


@cache
def _target_row(target: int, *, sending: bool) -> TargetRow:
    return TargetRow(_STATUS[target], confirming=target == Target.UNCONFIRMED, sending=sending)


@cache
def _may_begin(draft: bool, begun: bool, due: int, version: int, known: int, now: int) -> int:
    state = RowState(_status(draft, begun, Target.PENDING), version, None if draft else _at(due))
    return _WHY[decide_send(state, known, _at(now))]


@cache
def _offer(known_post: int, known: int, offered_post: int, offered: int) -> VersionComparison:
    return compare_versions(PostVersion(str(known_post), known), PostVersion(str(offered_post), offered))


@cache
def _found_run(post_id: int, found_id: int) -> FoundRun:
    return classify_found_run(str(post_id), str(found_id))


@cache
def _may_delete(draft: bool, begun: bool, target: int, sending: bool) -> bool:
    return may_delete(_status(draft, begun, target), [_target_row(target, sending=sending)])


@cache
def _written_off(target: int, sending: bool) -> int:
    state = write_off(_target_row(target, sending=sending))
    if state.status is TargetStatus.UNCONFIRMED:
        return Target.UNCONFIRMED if state.confirming else Target.RESTING
    return next(number for number, status in _STATUS.items() if status is state.status)


@cache
def _may_be_behind(row_begun: bool, row_due: int, run_begun: bool, run_due: int) -> bool:
    statuses = {False: PostStatus.SCHEDULED, True: PostStatus.PUBLISHING}
    return may_be_behind((statuses[row_begun], _at(row_due)), (statuses[run_begun].value, _at(run_due)))


def _run_state(row: Row, run: Run) -> RunState:
    return _judged(row.post, row.version, row.target, run.temporal_status, run.post, run.version, run.target)


@cache
def _judged(
    post_id: int, version: int, target: int, temporal_status: int, known_post: int, known: int, seen: int
) -> RunState:
    facts = None
    if temporal_status != TemporalStatus.NONE:
        state = RunStatus.CANCELED if temporal_status == TemporalStatus.CANCELED else RunStatus.CLOSED
        knows = KnownToRun(PostVersion(str(known_post), known), {"target": _STATUS[seen]})
        facts = RunFacts(state, _BEGAN, knows)
    return classify_run(RowFacts(PostVersion(str(post_id), version), _BEGAN, {"target": _STATUS[target]}), facts)
