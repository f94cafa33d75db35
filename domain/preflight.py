"""Checks of a scheduled post before its time: why it will not be published as it is, and when to check again."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter

from domain.request_limits import RateLimit

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
    """The quota of its account will be used up at its time, as its platform reports it or by the platform's rules."""
    MEDIA_GONE = "media_gone"
    """An uploaded file was deleted, or the storage has lost it."""
    MEDIA_NOT_UPLOADED = "media_not_uploaded"
    MEDIA_NOT_PUBLIC = "media_not_public"
    """Its platform fetches an uploaded file itself, and this service has no public address."""
    MEDIA_REFUSED = "media_refused"
    """A file cannot be fetched, or its platform does not accept it."""
    MEDIA_NOT_CHECKED = "media_not_checked"
    """A file could not be fetched at the moment."""


OF_MEDIA = frozenset(reason for reason in PreflightReason if reason.startswith("media_"))
_MEDIA_AGAIN = timedelta(minutes=15)
"""When a target with a warning about its media is checked again: each check is a request to the files' servers."""

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
        "The account will have used up its quota at {label} when the post is due. The post is held until the quota "
        "begins again."
    ),
    PreflightReason.MEDIA_GONE: (
        "An uploaded file of this post is not there any more. Upload it again, and change the post before it is due."
    ),
    PreflightReason.MEDIA_NOT_UPLOADED: (
        "A file of this post has not been uploaded. Upload it before the post is due."
    ),
    PreflightReason.MEDIA_NOT_PUBLIC: (
        "{label} fetches an uploaded file of this post itself, and this service has no public address. Use a public "
        "URL, or ask the operator to set SOCIALSYNCER_PUBLIC_URL."
    ),
    PreflightReason.MEDIA_REFUSED: (
        "A file of this post cannot be fetched, or {label} does not accept it. Validate the post with "
        "checkMedia to see which, and correct it before the post is due."
    ),
    PreflightReason.MEDIA_NOT_CHECKED: (
        "The server of a file of this post did not deliver it when the post was checked. Make sure that the file can "
        "be fetched when the post is due."
    ),
}


def warning_sentence(reason: PreflightReason, label: str) -> str:
    """Return a warning for the post's owner; `label` is the platform's name for people."""
    return _SENTENCES[reason].format(label=label)


def is_over_quota(
    limits: Iterable[RateLimit],
    used: Sequence[datetime],
    queue: Sequence[tuple[datetime, str]],
    due_at: datetime,
    target_id: str,
) -> bool:
    """Return whether an account will have used up one of its limits when a target is due.

    `used` are the times of its sends, `queue` the due times of its targets with their ids; both in order. An account
    may have thousands of targets, and each of them is checked, so the counts are differences of places in them.
    """
    place = bisect_left(queue, (due_at, target_id))
    for limit in limits:
        since = due_at - limit.per
        sends = bisect_right(used, due_at) - bisect_right(used, since)
        before = place - bisect_right(queue, since, key=itemgetter(0))
        if sends + before >= limit.limit:
            return True
    return False


def next_check(due_at: datetime, now: datetime, *, reason: PreflightReason | None) -> datetime:
    """Return when a target is checked again; its due time, which is too late, if it is not."""
    if reason is not None:
        return min(now + (_MEDIA_AGAIN if reason in OF_MEDIA else _CLEARS_AFTER), due_at)
    return next((due_at - ahead for ahead in _NEXT_CHECKS if due_at - ahead > now), due_at)
