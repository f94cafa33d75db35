"""The gate in the model: it closes, is answered `paused`, opens with each policy for what was missed, and by hand.

A step that meets a closed gate sends nothing, and its target is held. Here are also the round that lets held posts
continue, and the end of the time in which a post may be published.
"""

from collections.abc import Iterator

from tests.model.changes import done, message_of_plan, post, put, spend
from tests.model.search import Move
from tests.model.state import Answer, Mail, Message, Row, Stage, Step, StepKind, Target, TemporalStatus, World

WINDOW_ENDED = "failed although its time to be published stood still, or began anew"
_LAST_DUE = 2


def rest(row: Row, version: int) -> Message:
    """Return the message that nothing is left to do: the post is a draft, or deleted."""
    return Message(Mail.REST, row.post, version, 0, 0)


def gate_moves(world: World) -> Iterator[Move]:
    """Yield what a client or operator can do with the gate, and the answer to it."""
    left = world.left
    if not world.closed:
        if left.close:
            yield "!a client closes the gate", world._replace(closed=True, left=spend(left, "close")), None
        return
    if not world.promised.paused and _has_drained(world.row):
        yield "!`paused` is answered", world._replace(promised=world.promised._replace(paused=True)), None
    opened = world._replace(closed=False, promised=world.promised._replace(paused=False))
    if left.open_by_hand:
        yield "!an operator opens the gate by hand", opened._replace(left=spend(left, "open_by_hand")), None
    if left.open:
        yield from _resumed(opened._replace(left=spend(left, "open")))


def _has_drained(row: Row) -> bool:
    """Return whether no request can leave any more: no attempt is open, and the fence of the last one has passed."""
    return not row.sending and (not row.attempts or row.age > 0)


def _resumed(world: World) -> Iterator[Move]:
    """Yield the end of a pause: what was missed is rewritten in the transaction that opens the gate."""
    row = world.row
    if not _is_missed(row, world.now):
        yield "!a client resumes, and nothing was missed", world, None
        return
    again = lifted(row, world.now)
    yield "!a client resumes: publish", post(world._replace(row=again), message_of_plan(Mail.TAKE_UP, again)), None
    if world.now < _LAST_DUE:
        # The sweep delivers it: it is not due soon.
        yield "!a client resumes: shift", world._replace(row=lifted(row, world.now + 1)), None
    draft = lifted(row, 0)._replace(draft=True)
    yield "!a client resumes: skip", world._replace(row=draft), None


def _is_missed(row: Row, now: int) -> bool:
    waits = row.target == Target.HELD or (row.target == Target.PENDING and row.due <= now)
    return row.open and waits and not row.sending


def lifted(row: Row, due: int) -> Row:
    """Return the row of a post that a pause has missed and that continues at a time, with a new version."""
    return row._replace(target=Target.PENDING, begun=False, due=due, version=row.version + 1)


def lift_holds(world: World) -> Iterator[Move]:
    """Yield the round that lets a post continue which is held although the gate is open."""
    row = world.row
    if not world.closed and row.open and row.target == Target.HELD and not row.sending:
        yield "the round lifts its hold", world._replace(row=lifted(row, world.now)), None


def window_passes(world: World) -> Iterator[Move]:
    """Yield the end of the time in which the post may be published, while no worker has begun to send it."""
    run, awaited = world.run, [step for step in world.steps if not step.late]
    waits = run.temporal_status == TemporalStatus.RUNNING and run.begun and not (run.canceling or run.ended)
    if not world.left.window or not waits or run.behind or run.target > Target.HELD or run.due > world.now:
        return
    if all(step.kind == StepKind.PUBLISH and step.stage == Stage.QUEUED for step in awaited):
        stands_still = int(world.closed or world.row.target == Target.HELD)
        step = Step(StepKind.GIVE_UP, Stage.QUEUED, post=run.post, version=run.version, number=stands_still)
        late = tuple(step for step in world.steps if step.late)
        passed = world._replace(steps=late, left=spend(world.left, "window"))
        yield "!its time to be published passes", put(passed, step), None


def _waits_for_pause(world: World) -> bool:
    return world.closed or world.row.target == Target.HELD


def give_up(world: World, step: Step, late: str, refusal: int) -> Iterator[Move]:
    """Yield what the step does that settles a target whose time has passed: it reads the rows, then it writes.

    `refusal`: why it may not settle the row as it is now, `Answer.NONE` if it may.
    """
    row = world.row
    if refusal:
        answer = Answer.GONE if refusal == Answer.GONE else Answer.SUPERSEDED
        yield f"{late}giving up finds another version", done(world, step._replace(answer=answer)), None
    elif row.sending:
        closed = row._replace(sending=0, target=Target.UNCONFIRMED, age=0)
        yield f"{late}giving up finds an open attempt: unconfirmed", done(world._replace(row=closed), step), None
    elif row.target > Target.PUBLISHING:
        yield f"{late}giving up finds it settled", done(world, step), None
    elif step.stage == Stage.QUEUED:
        answer = Answer.PAUSED if _waits_for_pause(world) else Answer.REFUSED
        yield f"{late}giving up reads the row", put(world, step._replace(stage=Stage.ANSWERED, answer=answer)), None
    elif step.answer == Answer.PAUSED:
        held = row._replace(target=Target.HELD, begun=True)
        yield f"{late}giving up holds it for the pause", done(world._replace(row=held), step), None
    else:
        failed = row._replace(target=Target.FAILED, begun=True)
        began_anew = row.version != step.version
        broken = WINDOW_ENDED if step.number or began_anew else None
        yield f"{late}giving up fails it", done(world._replace(row=failed), step), broken
