"""A crash counts only if it was observed at its intended point."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from benchmarks.proof.cells import (
    CLOCKS,
    FROZEN_PART,
    FROZEN_SENDING,
    FROZEN_WORKER,
    FROZEN_WRITING,
    LOSES_ROWS,
    RESTORED,
    Cell,
    Crash,
    Fault,
    Mode,
    chosen,
    every,
    short,
)
from benchmarks.proof.crashes import progress_in
from benchmarks.proof.faults import GIVEN_UP_AFTER, HOLD, LATE, point, programs
from benchmarks.proof.observation import Observation, crash_hit
from benchmarks.proof.platforms import PLATFORMS
from benchmarks.proof.rounds import next_batch, shares

OUT = Observation(killed_at=100 + HOLD / 2, arrived_at=100, asked=True, unanswered=True, row=True)
"""A request was sent, and its response has not come."""


def cell(crash: Crash, mode: Mode = Mode.NOW, fault: Fault = Fault.NONE) -> Cell:
    return Cell("twitter", mode, fault, crash)


def hit(crash: Crash, seen: Observation, mode: Mode = Mode.NOW, fault: Fault = Fault.NONE, **more: Any) -> bool:
    return crash_hit(cell(crash, mode, fault), replace(seen, **more))


@pytest.mark.parametrize("crash", [Crash.SENDING, Crash.UPLOADING, Crash.TEMPORAL, Crash.POSTGRES, Crash.EVERYTHING])
def test_crash_while_sending_strikes_between_request_and_response(crash: Crash) -> None:
    assert hit(crash, OUT)
    assert not hit(crash, OUT, killed_at=100 + HOLD)
    assert hit(crash, OUT, arrived_at=None) is (crash is Crash.EVERYTHING)


def test_crash_of_everything_strikes_only_requested_posts() -> None:
    assert not hit(Crash.EVERYTHING, OUT, arrived_at=None, asked=False)


def test_crash_before_send_strikes_after_the_worker_started() -> None:
    assert hit(Crash.BEFORE, OUT, arrived_at=None, taken=True)
    assert not hit(Crash.BEFORE, OUT, arrived_at=None)
    assert not hit(Crash.BEFORE, OUT, taken=True)


def test_crash_unrecorded_strikes_after_the_response() -> None:
    answered = replace(OUT, killed_at=100 + HOLD + 2, barred_since=100 + HOLD - 1, sending=True)
    assert hit(Crash.UNRECORDED, answered)
    assert not hit(Crash.UNRECORDED, answered, barred_since=100 + HOLD + 1)
    assert not hit(Crash.UNRECORDED, answered, killed_at=100 + HOLD - 0.5)
    assert not hit(Crash.UNRECORDED, answered, sending=False)
    assert not hit(Crash.UNRECORDED, answered, arrived_at=None)
    assert not hit(Crash.UNRECORDED, answered, barred_since=None)
    assert not hit(Crash.UNRECORDED, answered, fault=Fault.LATE)
    assert hit(Crash.UNRECORDED, answered, fault=Fault.LATE, killed_at=100 + GIVEN_UP_AFTER + 1)


def test_crash_after_row_strikes_before_the_workflow_starts() -> None:
    assert hit(Crash.ROW, OUT, unanswered=False)
    assert not hit(Crash.ROW, OUT, started=True)
    assert not hit(Crash.ROW, OUT, row=False)
    assert hit(Crash.ROW, OUT, Mode.RETRY, unanswered=False)
    assert not hit(Crash.ROW, OUT, Mode.RETRY, row=False)


def test_crash_before_answer_strikes_while_a_client_waits() -> None:
    assert hit(Crash.ANSWER, OUT)
    assert not hit(Crash.ANSWER, OUT, unanswered=False)
    assert hit(Crash.ANSWER, OUT, Mode.SCHEDULED, arrived_at=None, started=True)
    assert not hit(Crash.ANSWER, OUT, Mode.SCHEDULED)


def test_the_row_says_what_the_mode_requires() -> None:
    row = {"revised": False, "sent": None, "status": "failed", "version": 1, "delivered_version": 1}
    assert progress_in(row, Mode.NOW) == {"row": True, "started": True, "sending": False}
    assert not progress_in(row | {"delivered_version": 0}, Mode.NOW)["started"]
    for mode, version in ((Mode.CHANGED, 2), (Mode.RETRY, 2), (Mode.DRAFTED, 3)):
        assert progress_in(row, mode) == {"row": False, "started": False, "sending": False}
        written = row | {"version": version}
        assert progress_in(written, mode) == {"row": True, "started": False, "sending": False}
        assert progress_in(written | {"delivered_version": version}, mode)["started"]
    assert progress_in(row | {"sent": "sending"}, Mode.CHANGED)["sending"]
    assert progress_in(row, Mode.EDIT) == {"row": False, "started": False, "sending": False}
    assert progress_in(row | {"revised": True, "sent": "sending"}, Mode.EDIT) == {
        "row": True,
        "started": True,
        "sending": True,
    }


def test_cells_that_wait_for_a_request_hold_it_back() -> None:
    waiting = {Crash.SENDING, Crash.UNRECORDED, Crash.TEMPORAL, Crash.POSTGRES, Crash.EVERYTHING, Crash.UPLOADING}
    for experiment in every():
        if experiment.crash in waiting and experiment.left_out is None:
            first = next(
                fault for fault in programs(experiment, "1") if fault.get("operation") in (None, point(experiment))
            )
            assert first["operation"] == point(experiment)
            assert first.get("hold") == HOLD or first.get("seconds") == LATE, experiment


def test_short_matrix_is_a_subset_with_every_platform() -> None:
    whole = chosen()
    pairs = {(experiment.fault, experiment.crash) for experiment in whole}
    killed = set(Crash) - set(FROZEN_WORKER) - set(FROZEN_PART) - set(RESTORED) - set(CLOCKS)
    assert pairs >= {(fault, crash) for fault in set(Fault) - {Fault.ACCEPTED_LATE} for crash in killed}
    assert {crash for _, crash in pairs} == set(Crash)
    assert (Fault.ACCEPTED_LATE, Crash.SENDING) in pairs
    assert {experiment.mode for experiment in whole if experiment.crash in killed} == set(Mode)
    assert len(whole) > 3000
    brief = chosen(shortened=True)
    assert {experiment.platform for experiment in brief} == set(PLATFORMS)
    assert {experiment.mode for experiment in brief} == set(Mode)
    assert all(short(experiment) for experiment in brief)
    assert [str(experiment) for experiment in chosen("twitter/edit/*-drop/temporal")] == [
        "twitter/edit/accept-then-drop/temporal"
    ]


def test_a_batch_is_no_larger_than_wanted() -> None:
    assert len(next_batch([(experiment, 1) for experiment in chosen("*/*/none/temporal")], 7)) == 7


def test_a_frozen_worker_has_no_more_attempts_than_connections() -> None:
    cells = [*chosen("*/*/*/worker-frozen-20s"), *chosen("*/*/*/worker-frozen-5s")]
    assert len(next_batch([(experiment, 1) for experiment in cells], 480)) == 28


def test_worker_frozen_before_send_has_an_attempt_and_no_request() -> None:
    written = replace(OUT, arrived_at=None, sending=True)
    for crash in FROZEN_WORKER:
        written = replace(written, held=crash in FROZEN_SENDING)
        assert hit(crash, written)
        assert hit(crash, written, held=False) is (crash in FROZEN_WRITING)
        assert not hit(crash, written, sending=False)
        # If the request was sent later, by this worker or another, the observation still counts.
        assert hit(crash, written, arrived_at=OUT.killed_at + 1)
        assert not hit(crash, written, arrived_at=OUT.killed_at - 1)


def test_a_server_is_frozen_while_requests_are_out() -> None:
    for crash in FROZEN_PART:
        assert hit(crash, OUT)
        assert not hit(crash, OUT, arrived_at=None)


def test_stores_are_put_back_while_requests_are_out_or_once_all_is_published() -> None:
    for crash in set(RESTORED) - {Crash.FAILOVER}:
        assert hit(crash, OUT)
        assert not hit(crash, OUT, sending=True)
        assert not hit(crash, OUT, arrived_at=None)
    assert hit(Crash.FAILOVER, OUT)
    assert not hit(Crash.FAILOVER, OUT, killed_at=100 + HOLD)


def test_restore_is_evaluated_only_if_its_outcome_is_known() -> None:
    for crash in LOSES_ROWS:
        assert cell(crash, Mode.CHANGED).left_out is None
        assert Cell("mastodon", Mode.CHANGED, Fault.NONE, crash).left_out
    assert cell(Crash.RESTORED_BOTH).left_out
    assert cell(Crash.RESTORED_POSTGRES).left_out is None


def test_stacks_share_all_crashes_and_restores_come_first() -> None:
    cells = chosen(shortened=True)
    shared = shares(cells, 3)
    assert sorted(map(str, cells)) == sorted(str(experiment) for share in shared for experiment in share)
    crashes = [{experiment.crash for experiment in share} for share in shared]
    assert all(first.isdisjoint(second) for first, second in combinations(crashes, 2))
