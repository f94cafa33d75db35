"""The words of the attempt log and of edits, and what they mean for the next step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.post import ErrorCategory


class AttemptStep(StrEnum):
    """A kind of step: a request to a platform, or what replaces one."""

    PREPARE = "prepare"
    PUBLISH = "publish"
    """The one request that makes a target public."""
    CONFIRM = "confirm"
    EDIT = "edit"
    RESOLVE = "resolve"
    """A person reported the outcome of an unconfirmed send."""
    CORRECT = "correct"
    """The owner gave a failed target another content."""


class AttemptState(StrEnum):
    """The state of an attempt."""

    SENDING = "sending"
    """Written before the request. Left behind by a worker that died, it counts as unconfirmed: nothing else is sent."""
    DONE = "done"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    """The answer was lost."""

    @property
    def may_have_succeeded(self) -> bool:
        """Return whether the request may have had its effect although no answer confirms it."""
        return self in {AttemptState.SENDING, AttemptState.UNCONFIRMED}


class WhenUnreadable(StrEnum):
    """The wish for a target that its platform refused and cannot show: the refusal may lie."""

    ASK_ME = "askMe"
    """A person is asked after any answer but success."""
    RESEND_ONCE = "resendOnce"
    """It is sent once more if the refusal would pass; then a person is asked."""

    @property
    def most_sends(self) -> int:
        """Return how often such a target is sent until a person asks for another retry."""
        return 1 if self is WhenUnreadable.ASK_ME else 2


class RevisionState(StrEnum):
    """The state of an edit of a published post."""

    WAITING = "waiting"
    APPLIED = "applied"
    REFUSED = "refused"


UNANSWERED = tuple(state for state in AttemptState if state.may_have_succeeded)

WORKER_LOST = "worker_lost"
"""The code of a send that was closed for a lost worker, which may be frozen and not gone."""
ROWS_LOST = "rows_lost"
"""The code of a send that may have been made, and whose rows this database has lost."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The refusal that the answer to an unconfirmed send claims to be.

    It counts once the platform shows that nothing was published, or if the platform can never show that. The attempt
    has its code.
    """

    message: str
    category: ErrorCategory

    def as_json(self) -> dict[str, str]:
        """Return the claim as its row contains it."""
        return {"message": self.message, "category": self.category.value}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> "Claim":
        """Return the claim of a row."""
        return cls(stored["message"], ErrorCategory(stored["category"]))


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of a step's last request, and the decision on it, for the attempt log."""

    state: AttemptState
    decision: str
    http_status: int | None = None
    code: str | None = None
    request_id: str | None = None
    next_attempt_at: datetime | None = None
    request_sent: bool = False
    """Whether a request was sent that makes a post public."""
    claim: Claim | None = None
