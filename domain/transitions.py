"""The changes of a target by a step's result, as values without I/O: `store.publishing.sending.settle` writes them.

A transition names the statuses from which it may be made. Its basis names all other conditions: the facts that the step
knew when it decided. They are compared with the rows under the lock of the post's row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.attempts import AttemptStep
from domain.codes import PAUSED
from domain.post import UNSENT, ErrorCategory, HoldReason, TargetStatus


class WriteResult(StrEnum):
    """The result of a write to a target's rows: it was made, or what prevented it."""

    MADE = "made"
    GONE = "gone"
    """The post is deleted, or a draft."""
    SUPERSEDED = "superseded"
    """The post's row is of another version."""
    EARLY = "early"
    """The post is not due yet."""
    PAUSED = "paused"
    """A gate is closed: a person has paused the workspace or the account."""
    WRONG_STATUS = "wrong_status"
    """The target has a status from which this transition may not be made."""
    SENDING = "sending"
    """A send is open: another run of the step has begun it, and may be lost."""
    CLAIMED = "claimed"
    """The platform's answer names the post of another target."""
    OVERTAKEN = "overtaken"
    """Another run of the step has continued: it has saved handles, closed the send or begun the next."""


@dataclass(frozen=True, slots=True)
class AnswerTo:
    """A result that is the answer to a send. It counts while the send is open, or if the target is public."""

    attempt_id: int


@dataclass(frozen=True, slots=True)
class BeforeSend:
    """A result of a step that has not begun a send. It counts if none is open.

    `version`: the version of the post that the step knew; None: any. `due`: it counts only of a post that is due.
    `step`: the step of its attempt.
    """

    version: int | None
    due: bool = True
    step: AttemptStep = AttemptStep.PREPARE


@dataclass(frozen=True, slots=True)
class ConfirmationOf:
    """A result of confirming a send. It counts while the target is unconfirmed and was not sent again."""

    attempt_id: int | None
    began_at: datetime


Basis = AnswerTo | BeforeSend | ConfirmationOf

Value = str | bool | datetime | None

_UNSENT = frozenset(UNSENT)
_UNPUBLISHED = frozenset(TargetStatus) - {TargetStatus.PUBLISHED}
_UNCONFIRMED = frozenset({TargetStatus.UNCONFIRMED})
NO_FAILURE: Mapping[str, Value] = {
    "warning": None,
    "error": None,
    "error_code": None,
    "error_category": None,
    "retryable": None,
    "next_attempt_at": None,
    "confirming": False,
    "hold_reason": None,
    "released_at": None,
}
"""The columns of a target's row that say why it failed or waits, without a value."""


@dataclass(frozen=True, slots=True)
class TargetTransition:
    """A change of one target's row. Columns that are not in `columns` keep their values."""

    expects: frozenset[TargetStatus]
    """The statuses that it may be made from, unless its basis is a confirmation: then only `unconfirmed`."""
    columns: Mapping[str, Value]

    def starts(self, basis: Basis) -> frozenset[TargetStatus]:
        """Return the statuses that it may be made from on this basis."""
        return _UNCONFIRMED if isinstance(basis, ConfirmationOf) else self.expects


def published(
    now: datetime, platform_post_id: str, url: str | None, editable_until: datetime | None, warning: str | None
) -> TargetTransition:
    """Return the transition of a target that is public."""
    return TargetTransition(
        _UNPUBLISHED,
        {
            **NO_FAILURE,
            "status": TargetStatus.PUBLISHED,
            "platform_post_id": platform_post_id,
            "platform_post_url": url,
            "editable_until": editable_until,
            "warning": warning,
            "published_at": now,
        },
    )


def unlisted(now: datetime, label: str) -> TargetTransition:
    """Return the transition of a target that is public and that its platform does not list, so that it has no id."""
    warning = (
        f"{label} says that the post is public and does not list it: its id and address are not known, "
        "and what follows a post, such as a first comment, was not added."
    )
    columns = {**NO_FAILURE, "status": TargetStatus.PUBLISHED, "warning": warning, "published_at": now}
    return TargetTransition(_UNPUBLISHED, columns)


def failed(message: str, code: str, category: ErrorCategory) -> TargetTransition:
    """Return the transition of a target that is certainly not public and is not tried again by itself."""
    retryable = category is not ErrorCategory.REJECTED
    columns = _error(message, code, category, retryable=retryable) | {"status": TargetStatus.FAILED}
    return TargetTransition(_UNSENT, columns)


def waiting(until: datetime) -> TargetTransition:
    """Return the transition of a target that waits for its account's rate limit."""
    columns = {**NO_FAILURE, "status": TargetStatus.PUBLISHING, "next_attempt_at": until}
    return TargetTransition(_UNSENT, columns)


def tried_again(until: datetime, message: str, code: str, category: ErrorCategory) -> TargetTransition:
    """Return the transition of a target that is tried again by itself."""
    columns = _error(message, code, category) | {"status": TargetStatus.PUBLISHING, "next_attempt_at": until}
    return TargetTransition(_UNSENT, columns)


def looked_for_later(at: datetime, message: str, code: str) -> TargetTransition:
    """Return the transition of a target that was refused, and that is looked for at a time before it is sent again."""
    columns = _error(message, code, ErrorCategory.PLATFORM)
    columns |= {"status": TargetStatus.PUBLISHING, "next_attempt_at": at}
    # Its release, after its account or its app was refused, still counts.
    del columns["released_at"]
    return TargetTransition(_UNSENT, columns)


def held(
    reason: HoldReason, until: datetime | None, message: str, code: str, category: ErrorCategory
) -> TargetTransition:
    """Return the transition of a target that waits for its account, the account's quota or the operator.

    `until` is the time at which it continues by itself, None if that is not known.
    """
    columns = _error(message, code, category) | {
        "status": TargetStatus.HELD,
        "hold_reason": reason,
        "next_attempt_at": until,
    }
    return TargetTransition(_UNSENT, columns)


def paused() -> TargetTransition:
    """Return the transition of a target that waits for the end of a pause: nothing has failed, and no time is set."""
    columns = {
        **NO_FAILURE,
        "status": TargetStatus.HELD,
        "hold_reason": HoldReason.PAUSED,
        "error": "Publishing is paused. It continues when the pause ends.",
        "error_code": PAUSED,
    }
    return TargetTransition(_UNSENT, columns)


def unconfirmed(code: str, message: str) -> TargetTransition:
    """Return the transition of a target whose send may have been published, because the answer was lost."""
    explanation = f"{message} The post may be public; it is waiting for confirmation."
    columns = _error(explanation, code, ErrorCategory.UNCONFIRMED) | {
        "status": TargetStatus.UNCONFIRMED,
        "confirming": True,
    }
    return TargetTransition(_UNSENT, columns)


def still_unconfirmed(at: datetime) -> TargetTransition:
    """Return the transition that says when the worker tries again to confirm a target."""
    return TargetTransition(_UNCONFIRMED, {"next_attempt_at": at})


def pending(now: datetime) -> TargetTransition:
    """Return the transition of an unconfirmed target that is certainly not public: it is sent again."""
    columns = {**NO_FAILURE, "status": TargetStatus.PENDING, "due_at": now, "begun_at": None}
    return TargetTransition(_UNCONFIRMED, columns)


def resting(error: str = "", code: str = "") -> TargetTransition:
    """Return the transition of a target that can no longer be confirmed: only a person can decide now.

    `error` says why, if there is more to say than that an answer was lost, and `code` is its code.
    """
    error = error or "The platform's answer was lost and the post could not be found or ruled out."
    columns = {"confirming": False, "next_attempt_at": None, "error": f"{error} Look at the account."}
    return TargetTransition(_UNCONFIRMED, {**columns, **({"error_code": code} if code else {})})


def checked() -> TargetTransition:
    """Return the transition of a target that its platform does not have: it changes nothing, and may be sent."""
    return TargetTransition(_UNSENT, {})


def warned(message: str) -> TargetTransition:
    """Return the transition of a target that could not be prepared ahead of its time; it is tried all the same."""
    return TargetTransition(frozenset({TargetStatus.PENDING}), {"warning": message})


def incomplete(warning: str) -> TargetTransition:
    """Return the transition of a settled target without the steps that were to follow its publication."""
    return TargetTransition(frozenset({TargetStatus.PUBLISHED, TargetStatus.FAILED}), {"warning": warning})


def _error(message: str, code: str, category: ErrorCategory, *, retryable: bool = False) -> dict[str, Value]:
    return {
        **NO_FAILURE,
        "error": message,
        "error_code": code,
        "error_category": category,
        "retryable": retryable,
    }
