"""Why a scheduled post will not go out as it is, found before its time: pure, and no platform is asked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_CHECK = timedelta(hours=24)
"""How long before its time a post is checked first."""
LAST_CHECK = timedelta(minutes=15)
"""How long before its time a post is checked for the last time. Later it is prepared, which finds out more."""
_NEXT_CHECKS: Sequence[timedelta] = (timedelta(hours=6), timedelta(hours=1), timedelta(minutes=20))
"""How long before its time a post is checked again if nothing was found."""
_CLEARS_AFTER = timedelta(minutes=1)
"""When a target with a warning is checked again: it is until its cause is gone, or the post is due."""


class PreflightReason(StrEnum):
    """The reason of a warning, which clients read as its code."""

    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_REFUSED = "account_refused"
    CONNECTION_ENDS = "connection_ends"
    """Its tokens end before the post is due, and nothing renews them."""
    PERMISSION_MISSING = "permission_missing"
    APP_REFUSED = "app_refused"
    """Its platform refuses the operator's app."""
    PLATFORM_CAP = "platform_cap"
    """Its platform has reported that it may publish nothing before a time that is later than the post's."""


_SENTENCES = {
    PreflightReason.ACCOUNT_NOT_FOUND: (
        "The {label} account is not connected any more. Connect it before the post is due, or the post is held."
    ),
    PreflightReason.ACCOUNT_REFUSED: (
        "{label} does not accept this connection. Reconnect the account before the post is due, or the post is held."
    ),
    PreflightReason.CONNECTION_ENDS: (
        "The connection to {label} ends before the post is due, and nothing renews it. Reconnect the account."
    ),
    PreflightReason.PERMISSION_MISSING: (
        "The connection to {label} lacks a permission without which nothing can be published. Reconnect the account, "
        "and grant what is asked for."
    ),
    PreflightReason.APP_REFUSED: (
        "{label} refuses this service's app. The operator of this service must act, or the post is held."
    ),
    PreflightReason.PLATFORM_CAP: (
        "The account has used up its quota at {label}, which begins again after the post is due. The post is held "
        "until then."
    ),
}


def warning_sentence(reason: PreflightReason, label: str) -> str:
    """Return a warning for the post's owner; `label` is the platform's name for people."""
    return _SENTENCES[reason].format(label=label)


def next_check(due_at: datetime, now: datetime, *, warned: bool) -> datetime:
    """Return when a target is checked again; its due time, which is too late, if it is not."""
    if warned:
        return min(now + _CLEARS_AFTER, due_at)
    return next((due_at - ahead for ahead in _NEXT_CHECKS if due_at - ahead > now), due_at)
