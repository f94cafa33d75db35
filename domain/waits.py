"""The event that a target waits for, by its row."""

from datetime import datetime
from enum import StrEnum

from domain.post import HoldReason, TargetStatus

MEDIA_BUSY = "media_busy"
"""The error code of a target that waits for other media of its workspace."""
NO_DISK_SPACE = "no_disk_space"
"""The error code of a target whose media do not fit on the worker's disk."""
KEY_MISSING = "key_missing"
"""The error code of a target whose account is encrypted with a key that the worker does not have."""


class WaitsFor(StrEnum):
    """An event that must happen before a due target continues."""

    ACCOUNT = "account"
    """Its owner must reconnect the account."""
    PLATFORM = "platform"
    """Its platform refused it for now; it is tried again at `nextAttemptAt`."""
    RATE_LIMIT = "rate_limit"
    """Its account has published as much as its platform allows for now."""
    MEDIA = "media"
    """Other media of its workspace are fetched first."""
    ANSWER = "answer"
    """The platform's answer was lost; the post waits for confirmation."""
    PERSON = "person"
    """The platform's answer was lost and the post could not be confirmed; a person must say whether it is public."""
    OPERATOR = "operator"
    """The operator must repair the app at the platform, free disk space of a worker, or give it an encryption key."""
    PAUSE = "pause"
    """Its workspace, account, campaign or series is paused, and a person must end the pause."""


MOST_PRESSING = (
    WaitsFor.PERSON,
    WaitsFor.OPERATOR,
    WaitsFor.ACCOUNT,
    WaitsFor.PAUSE,
    WaitsFor.ANSWER,
    WaitsFor.PLATFORM,
    WaitsFor.RATE_LIMIT,
    WaitsFor.MEDIA,
)

_HELD = {
    HoldReason.RECONNECT: WaitsFor.ACCOUNT,
    HoldReason.CAP: WaitsFor.RATE_LIMIT,
    HoldReason.OPERATOR: WaitsFor.OPERATOR,
    HoldReason.PAUSED: WaitsFor.PAUSE,
}
_BY_CODE = {
    MEDIA_BUSY: WaitsFor.MEDIA,
    NO_DISK_SPACE: WaitsFor.OPERATOR,
    KEY_MISSING: WaitsFor.OPERATOR,
}


def waits_for(
    status: TargetStatus,
    *,
    confirming: bool,
    hold_reason: str | None,
    error_code: str | None,
    next_attempt_at: datetime | None,
) -> WaitsFor | None:
    """Return what a target waits for; None if a worker processes it, or it is settled or not due yet."""
    match status:
        case TargetStatus.HELD:
            return _HELD[HoldReason(hold_reason or HoldReason.RECONNECT)]
        case TargetStatus.UNCONFIRMED:
            return WaitsFor.ANSWER if confirming else WaitsFor.PERSON
        case TargetStatus.PUBLISHING if next_attempt_at is not None:
            if error_code is None:
                return WaitsFor.RATE_LIMIT
            return _BY_CODE.get(error_code, WaitsFor.PLATFORM)
        case _:
            return None
