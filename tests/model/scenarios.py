"""The start states of searches: a post, and how often each thing may happen that does not happen by itself."""

from tests.model.changes import start_of
from tests.model.state import Target

DRAFT_AGAIN = start_of(due=1, to_draft=1, to_2=1)
TWO_CHANGES = start_of(due=2, to_1=1, to_2=1)
RETRY_AND_CANCEL = start_of(target=Target.FAILED, retry=1, cancel=1)
CANCEL = start_of(cancel=1)
KEY_AGAIN = start_of(exists=False, create=2, lost_commit=1)
FROZEN = start_of(freeze=1)
ACCEPTED_LATE = start_of(accept_late=1)

OLD = {
    "a draft scheduled again": DRAFT_AGAIN,
    "two changes": TWO_CHANGES,
    "a retry and a cancel": RETRY_AND_CANCEL,
    "a cancel": CANCEL,
    "a key used again after a lost commit": KEY_AGAIN,
    "a frozen worker": FROZEN,
    "a request accepted late": ACCEPTED_LATE,
}
"""Promises that the old rules break, each with the smallest budget that shows it."""

NEAR = {
    "changes": start_of(due=2, to_draft=1, to_1=1),
    "a change, a deletion and a lost message": start_of(due=1, to_2=1, delete=1, lose=1),
    "a retry, a cancel and a lost message": start_of(target=Target.FAILED, retry=1, cancel=1, lose=1),
    "a correction, a cancel and a lost message": start_of(target=Target.FAILED, retry=1, correct=1, cancel=1, lose=1),
    "a correction and a terminated run": start_of(target=Target.FAILED, retry=1, correct=1, terminate=1),
    "a correction and a frozen worker": start_of(target=Target.FAILED, retry=1, correct=1, freeze=1),
    "a cancel and a frozen worker": start_of(cancel=1, freeze=1),
    "a key used again after a lost commit": start_of(exists=False, create=2, lost_commit=1),
    "a dead and a frozen worker, an unconfirmed answer": start_of(crash=1, freeze=1, unconfirmed=1),
    "unconfirmed answers and a frozen confirmation": start_of(freeze=1, unconfirmed=2),
    "a request accepted late, and a dead worker": start_of(accept_late=1, crash=1),
    "a terminated run and an unconfirmed answer": start_of(terminate=1, unconfirmed=1),
    "rows put back": start_of(restore_rows=1),
    "workflows put back": start_of(restore_runs=1),
    "both put back": start_of(restore_both=1),
}
"""Scenarios that the test suite searches to the end."""

FAR = {
    "changes": start_of(due=1, to_draft=1, to_1=1, to_2=1, lose=1, crash=1),
    "changes, a deletion and a terminated run": start_of(due=2, to_1=1, delete=1, terminate=1, lose=1, crash=1),
    "retries and a cancel": start_of(retry=1, cancel=1, refuse=1, freeze=1, unconfirmed=1, lose=1),
    "corrections and a dead worker": start_of(target=Target.FAILED, retry=2, correct=1, refuse=1, crash=1),
    "a key used again after a lost commit": start_of(exists=False, create=1, create_now=1, lost_commit=1, lose=1),
    "workers": start_of(crash=1, freeze=2, unconfirmed=1, accept_late=1, terminate=1, refuse=1, retry=1),
    "rows put back": start_of(due=2, restore_rows=1, to_1=1, crash=1),
    "workflows put back": start_of(due=2, restore_runs=1, to_1=1, to_draft=1),
    "both put back": start_of(restore_both=1, to_2=1, unconfirmed=1),
}
"""Scenarios that are searched outside the suite, to the depth that there is time for."""
