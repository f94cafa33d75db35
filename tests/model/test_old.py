"""The search finds, without hints, the errors in the rules of ownership before rows had versions."""

import sys

import pytest

from tests.model.changes import first_world
from tests.model.old import OldModel
from tests.model.post import AFTER_CANCEL, EARLY, LEFT_MOVING, LOST, NOT_WAITED, TWICE
from tests.model.scenarios import (
    ACCEPTED_LATE,
    CANCEL,
    DRAFT_AGAIN,
    FROZEN,
    KEY_AGAIN,
    RETRY_AND_CANCEL,
    TWO_CHANGES,
)
from tests.model.search import search
from tests.model.state import World


@pytest.mark.parametrize(
    ("start", "broken", "by"),
    [
        # A start without an update finds the run that is just ending, and nothing starts the next one.
        (
            DRAFT_AGAIN,
            LOST,
            [
                "make it a draft",
                "the change is written",
                "schedules the draft",
                "the start meets the run",
                "never settles",
            ],
        ),
        # Two changes are answered in the opposite order to that in which they were written.
        (
            TWO_CHANGES,
            EARLY,
            ["move it to 1", "move it to 2", "hears the change to 2", "hears the change to 1", "sent and accepted"],
        ),
        # The retry of a cancelled run is written after the run is closed, and recovery takes the run for lost.
        (
            RETRY_AND_CANCEL,
            AFTER_CANCEL,
            ["asks for a retry", "cancels", "late: the retry is written", "recovery starts it", "sent and accepted"],
        ),
        # The retry is written just before: nothing is written off, because the run believes that the target failed.
        (RETRY_AND_CANCEL, LEFT_MOVING, ["the retry is written", "cancels"]),
        # The run of the first post is taken for that of the second, which has the same key.
        (KEY_AGAIN, LOST, ["creates it", "loses the row", "creates it", "the start meets the run", "never settles"]),
        # The run of the first post has ended, so one is started for the second.
        (KEY_AGAIN, TWICE, ["sent and accepted", "loses the row", "creates it", "starts a run", "sent and accepted"]),
        # A running send is reported as unconfirmed, and the run that would confirm it ends.
        (CANCEL, LEFT_MOVING, ["writes its attempt", "sent and accepted", "cancels"]),
        (CANCEL, NOT_WAITED, ["writes its attempt", "cancels", "late: the request is sent"]),
        # A frozen worker sends after another worker found nothing and sent again.
        (FROZEN, TWICE, ["freezes with publish", "finds nothing and believes it", "late: the request is sent"]),
        # Absence is believed a while after the start of a request that the platform had not accepted yet.
        (ACCEPTED_LATE, TWICE, ["takes the request late", "finds nothing", "the platform shows", "sent and accepted"]),
    ],
    ids=[
        "draft-scheduled-again",
        "answers-in-the-other-order",
        "retry-written-after-a-cancel",
        "retry-written-before-a-cancel",
        "key-again-while-asleep",
        "key-again-once-published",
        "cancel-while-sending",
        "cancel-does-not-wait",
        "frozen-worker",
        "accepted-late",
    ],
)
def test_the_old_rules_break(start: World, broken: str, by: list[str]) -> None:
    result = search(OldModel(), start)
    assert result.complete, result.states
    way = result.broken[broken]
    sys.stdout.write("\n".join([f"{broken}, after {len(way)} moves:", *way, ""]))
    lines = iter(way)
    assert all(any(cause in line for line in lines) for cause in by)


def test_the_old_rules_hold_while_nothing_goes_wrong() -> None:
    result = search(OldModel(), first_world(due=1, to_2=1, delete=1, refuse=1, crash=1))
    assert (result.complete, result.broken) == (True, {})
