"""The start states of searches: a post, and how often each thing may happen that does not happen by itself."""

from tests.model.changes import first_world
from tests.model.state import Target

NEAR = {
    "changes": first_world(due=2, to_draft=1, to_1=1),
    "a change, a deletion and a lost message": first_world(due=1, to_2=1, delete=1, lose=1),
    "a retry, a cancel and a lost message": first_world(target=Target.FAILED, retry=1, cancel=1, lose=1),
    "a correction, a cancel and a lost message": first_world(
        target=Target.FAILED, retry=1, correct=1, cancel=1, lose=1
    ),
    "a correction and a terminated run": first_world(target=Target.FAILED, retry=1, correct=1, terminate=1),
    "a correction and a frozen worker": first_world(target=Target.FAILED, retry=1, correct=1, freeze=1),
    "a cancel and a frozen worker": first_world(cancel=1, freeze=1),
    "a key used again after a lost commit": first_world(exists=False, create=2, lost_commit=1),
    "a dead and a frozen worker, an unconfirmed answer": first_world(crash=1, freeze=1, unconfirmed=1),
    "unconfirmed answers and a frozen confirmation": first_world(freeze=1, unconfirmed=2),
    "a request accepted late, and a dead worker": first_world(accept_late=1, crash=1),
    "a terminated run and an unconfirmed answer": first_world(terminate=1, unconfirmed=1),
    "rows put back": first_world(restore_rows=1),
    "workflows put back": first_world(restore_runs=1),
    "both put back": first_world(restore_both=1),
    "a pause that ends": first_world(close=1, open=1),
    "a pause that ends, and a lost message": first_world(close=1, open=1, lose=1),
    "a pause that ends, and a dead worker": first_world(close=1, open=1, crash=1),
    "a pause and a frozen worker": first_world(close=1, freeze=1),
    "a pause that is ended by hand": first_world(close=1, open_by_hand=1),
    "a pause, a change and a terminated run": first_world(due=2, close=1, to_1=1, terminate=1),
    "a pause beyond the time to publish": first_world(close=1, open=1, window=1),
}
"""Scenarios that the test suite searches to the end."""

LONG = frozenset(
    {
        "a key used again after a lost commit",
        "rows put back",
        "both put back",
        "a pause, a change and a terminated run",
    }
)
"""Those of them that take more than a second each; they take two thirds of the time of all."""

FAR = {
    "changes": first_world(due=1, to_draft=1, to_1=1, to_2=1, lose=1, crash=1),
    "changes, a deletion and a terminated run": first_world(due=2, to_1=1, delete=1, terminate=1, lose=1, crash=1),
    "retries and a cancel": first_world(retry=1, cancel=1, refuse=1, freeze=1, unconfirmed=1, lose=1),
    "corrections and a dead worker": first_world(target=Target.FAILED, retry=2, correct=1, refuse=1, crash=1),
    "a key used again after a lost commit": first_world(exists=False, create=1, create_now=1, lost_commit=1, lose=1),
    "workers": first_world(crash=1, freeze=2, unconfirmed=1, accept_late=1, terminate=1, refuse=1, retry=1),
    "rows put back": first_world(due=2, restore_rows=1, to_1=1, crash=1),
    "workflows put back": first_world(due=2, restore_runs=1, to_1=1, to_draft=1),
    "both put back": first_world(restore_both=1, to_2=1, unconfirmed=1),
    "a pause and rows put back": first_world(close=1, open=1, restore_rows=1),
    "a pause, a change and workers": first_world(close=1, open=1, to_2=1, freeze=1, unconfirmed=1, lose=1),
}
"""Scenarios that are searched outside the suite, to the depth that there is time for."""
