"""Functions that change the state of the model: steps, messages, the run and the budget of faults."""

from collections.abc import Iterable
from typing import TypeVar

from tests.model.state import (
    Answer,
    Budget,
    Message,
    Platform,
    Promised,
    Row,
    Run,
    Stage,
    Step,
    StepKind,
    Target,
    TemporalStatus,
    World,
)

TO_DRAFT = -1
"""In place of a due time: the post becomes a draft."""
SENDS = frozenset({StepKind.PUBLISH, StepKind.CONFIRM, StepKind.GIVE_UP})
"""The steps of the target; the others are steps of the post."""
_REPORT_A_REASON = frozenset({Answer.GONE, Answer.NOT_YET, Answer.SUPERSEDED})
_Item = TypeVar("_Item", Step, Message)


def first_world(*, due: int = 1, target: int = Target.PENDING, exists: bool = True, **budget: int) -> World:
    """Return a first state: a scheduled post whose workflow sleeps, or (`exists=False`) nothing at all."""
    begun = target != Target.PENDING
    row = Row(post=1, version=1, taken=1, begun=begun, due=due, target=target) if exists else Row()
    run = Run(TemporalStatus.RUNNING, 1, 1, due, target, begun) if exists else Run()
    return World(due if begun else 0, row, run, (), (), Platform(), Promised(), Budget(**budget))


def ordered(items: Iterable[_Item]) -> tuple[_Item, ...]:
    """Return steps or messages in a canonical order: the order in which they began does not matter."""
    return tuple(sorted(items))


def put(world: World, step: Step) -> World:
    """Add a step."""
    return world._replace(steps=ordered((*world.steps, step)))


def post(world: World, message: Message) -> World:
    """Send a message. A duplicate has no effect."""
    if message in world.mail:
        return world
    return world._replace(mail=ordered((*world.mail, message)))


def message_of_plan(kind: int, row: Row) -> Message:
    """Return a message with the plan of the row."""
    target = Target.PENDING if row.target == Target.PUBLISHING else row.target
    return Message(kind, row.post, row.version, row.due, target, fresh=not row.taken)


def done(world: World, step: Step) -> World:
    """End a step; its result goes to its workflow, if that still awaits it."""
    if step.late:
        return world
    if step.kind in SENDS and step.answer not in _REPORT_A_REASON:
        step = step._replace(answer=Answer.STANDS, due=world.row.target)
    return put(world, step._replace(stage=Stage.DONE, number=0, age=0))


def answered(world: World, step: Step, answer: int) -> World:
    """Give a step the platform's response."""
    return put(world, step._replace(stage=Stage.ANSWERED, answer=answer, age=0, due=0))


def schedule(world: World, run: Run) -> World:
    """Let the workflow do the next thing that its target needs."""
    world = world._replace(run=run)
    waits = run.target == Target.HELD or run.target > Target.UNCONFIRMED
    if run.ended or run.canceling or not run.begun or waits:
        return world
    kind = StepKind.CONFIRM if run.target == Target.UNCONFIRMED else StepKind.PUBLISH
    return put(world, Step(kind, Stage.QUEUED, post=run.post, version=run.version))


def close(world: World, temporal_status: int) -> World:
    """Close the run. Its steps continue, and their results are no longer awaited."""
    steps = [step._replace(late=True) for step in world.steps if step.stage != Stage.DONE and not step.late]
    late = [step for step in world.steps if step.late]
    return world._replace(run=world.run._replace(temporal_status=temporal_status), steps=ordered([*late, *steps]))


def spend(left: Budget, name: str) -> Budget:
    """Return the budget that is left after a thing has happened."""
    return left._replace(**{name: getattr(left, name) - 1})
