"""The rules of ownership keep every promise, and without any one of them a promise is broken."""

from collections.abc import Iterator

import pytest

from domain.ownership import FoundRun, RunState
from tests.model import gates, owned
from tests.model.changes import close, first_world, put
from tests.model.gates import WINDOW_ENDED
from tests.model.owned import OwnedModel
from tests.model.post import (
    AFTER_CANCEL,
    AFTER_CORRECTION,
    AFTER_PAUSED,
    CLOSED_SENT,
    EARLY,
    LEFT_MOVING,
    LOST,
    NOT_WAITED,
    TWICE,
    WAITS_FOR_EVER,
)
from tests.model.scenarios import LONG, NEAR
from tests.model.search import Move, search
from tests.model.state import Answer, Row, Step, Target, TemporalStatus, World


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(start, id=name, marks=[pytest.mark.thorough] if name in LONG else [])
        for name, start in NEAR.items()
    ],
)
def test_no_order_of_events_breaks_a_guarantee(start: World) -> None:
    result = search(OwnedModel(), start)
    assert (result.complete, result.broken) == (True, {})


def test_fast_clock_publishes_nothing_early() -> None:
    model = OwnedModel()
    model.skewed = True
    result = search(model, first_world(due=1, to_2=1, crash=1))
    assert (result.complete, result.broken) == (True, {})


class _SendsWhatItRemembers(OwnedModel):
    def may_begin(self, row: Row, step: Step, now: int) -> int:
        return Answer.GONE if row.post != step.post else Answer.NONE


class _NeverAsks(OwnedModel):
    asks_after_the_fence = False


class _CountsFromTheStart(OwnedModel):
    absence_counts_from_the_end = False


class _ConcludesAnything(OwnedModel):
    def may_conclude(self, row: Row, step: Step) -> bool:
        return row.target == Target.UNCONFIRMED


class _BelievesOldRows(OwnedModel):
    def restored(self, row: Row, now: int) -> Row:
        return row


class _AnswersAtOnce(OwnedModel):
    waits_after_write_off = False


class _WritesNothingOff(OwnedModel):
    def cancel(self, world: World) -> World:
        return close(world, TemporalStatus.CANCELED)._replace(promised=world.promised._replace(canceled=True))


class _ChecksThenLocks(OwnedModel):
    """The gate is read before the row is locked, as by a plain SELECT."""

    def begin_send(self, world: World, step: Step, late: str) -> Move:
        if step.answer == Answer.STANDS:
            return self.write_attempt(world, step, late)
        if world.closed:
            return super().begin_send(world, step, late)
        return f"{late}publish reads that the gate is open", put(world, step._replace(answer=Answer.STANDS)), None


class _NeverLooks(OwnedModel):
    def wake(self, world: World) -> Iterator[Move]:
        return (move for move in super().wake(world) if "looks" not in move[0])


@pytest.mark.parametrize(
    ("model", "start", "broken"),
    [
        (_SendsWhatItRemembers(), first_world(due=1, to_2=1), EARLY),
        (_SendsWhatItRemembers(), first_world(target=Target.FAILED, retry=2, correct=1, refuse=1), AFTER_CORRECTION),
        (_NeverAsks(), first_world(freeze=1), TWICE),
        (_CountsFromTheStart(), first_world(accept_late=1), TWICE),
        (_ConcludesAnything(), first_world(freeze=1, unconfirmed=2), TWICE),
        (_BelievesOldRows(), first_world(restore_both=1), TWICE),
        (_AnswersAtOnce(), first_world(cancel=1, freeze=1), NOT_WAITED),
        (_WritesNothingOff(), first_world(cancel=1), LEFT_MOVING),
        (_ChecksThenLocks(), first_world(close=1), CLOSED_SENT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OwnedModel) else "",
)
def test_each_rule_is_needed(model: OwnedModel, start: World, broken: str) -> None:
    assert broken in search(model, start).broken


def test_canceled_run_is_not_taken_for_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_run_state", lambda _, __: RunState.LOST)
    assert AFTER_CANCEL in search(_WritesNothingOff(), first_world(cancel=1)).broken


def test_run_of_another_post_is_not_taken_for_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_found_run", lambda _, __: FoundRun.SAME_POST)
    assert TWICE in search(OwnedModel(), NEAR["a key used again after a lost commit"]).broken


def test_sends_of_another_post_with_the_key_are_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_confirm_first", lambda row: row)
    assert TWICE in search(OwnedModel(), NEAR["a key used again after a lost commit"]).broken


def test_paused_is_answered_once_nothing_can_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_has_drained", lambda row: not row.sending)
    assert AFTER_PAUSED in search(OwnedModel(), NEAR["a pause and a frozen worker"]).broken


@pytest.mark.parametrize(
    ("model", "round_lifts", "broken"),
    [
        (OwnedModel(), True, False),
        (OwnedModel(), False, False),
        (_NeverLooks(), True, False),
        (_NeverLooks(), False, True),
    ],
)
def test_a_hold_under_an_open_gate_is_lifted_by_two_parts(
    model: OwnedModel, round_lifts: bool, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the round within seconds, and by the workflow's own look within a day."""
    if not round_lifts:
        monkeypatch.setattr(owned, "lift_holds", lambda _: ())
    assert (LOST in search(model, NEAR["a pause that is ended by hand"]).broken) is broken


@pytest.mark.parametrize(("model", "broken"), [(OwnedModel(), False), (_NeverLooks(), True)])
def test_the_workflow_of_a_skipped_post_ends_by_itself_if_no_message_reaches_it(
    model: OwnedModel, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned, "_drafts_told", lambda _: ())
    assert (WAITS_FOR_EVER in search(model, NEAR["a pause that ends"]).broken) is broken


def test_no_time_to_be_published_ends_during_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_waits_for_pause", lambda _: False)
    assert WINDOW_ENDED in search(OwnedModel(), NEAR["a pause beyond the time to publish"]).broken


@pytest.mark.thorough
def test_a_post_moved_forward_in_the_lost_time_is_not_confirmed() -> None:
    """A known limit of a restore of both stores: nothing shows that such a post was already published."""
    assert TWICE in search(OwnedModel(), first_world(due=2, restore_both=1, to_1=1), 150_000).broken
