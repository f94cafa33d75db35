"""The rules of ownership keep every promise, and without any one of them a promise is broken."""

import pytest

from domain.ownership import FoundRun
from tests.model import owned
from tests.model.changes import first_world
from tests.model.owned import OwnedModel
from tests.model.post import AFTER_CORRECTION, EARLY, NOT_WAITED, TWICE
from tests.model.scenarios import NEAR
from tests.model.search import search
from tests.model.state import Answer, Row, Step, Target, World


@pytest.mark.parametrize("start", [*NEAR.values()], ids=[*NEAR])
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
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OwnedModel) else "",
)
def test_each_rule_is_needed(model: OwnedModel, start: World, broken: str) -> None:
    assert broken in search(model, start).broken


def test_run_of_another_post_is_not_taken_for_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_found_run", lambda _, __: FoundRun.SAME_POST)
    assert TWICE in search(OwnedModel(), NEAR["a key used again after a lost commit"]).broken


def test_sends_of_another_post_with_the_key_are_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "_confirm_first", lambda row: row)
    assert TWICE in search(OwnedModel(), NEAR["a key used again after a lost commit"]).broken


@pytest.mark.thorough
def test_a_post_moved_forward_in_the_lost_time_is_not_confirmed() -> None:
    """A known limit of a restore of both stores: nothing shows that such a post was already published."""
    assert TWICE in search(OwnedModel(), first_world(due=2, restore_both=1, to_1=1), 150_000).broken
