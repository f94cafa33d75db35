"""Sentences about targets that are due and wait, and about a database or a Temporal that cannot be used."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy.exc import DBAPIError

from domain.plan import KEY_MISSING, NO_DISK_SPACE, WaitsFor
from platforms.registry import platforms
from reconcile.doctor.findings import FindingKind
from store.failures import is_database_unavailable
from store.maintenance.waiting import WaitingCount

_CONTINUE = "Then posts continue by themselves, or immediately after the signal `retry` (docs/runbook.md, section 1)."


@dataclass(frozen=True, slots=True)
class OperatorCause:
    """One cause: its finding, with what it is and how it is resolved; why posts wait; and the advice for one post."""

    kind: FindingKind
    what: str
    how: str
    why: str
    advice: str


OPERATOR_CAUSES = {
    KEY_MISSING: OperatorCause(
        FindingKind.KEY_MISSING,
        what="Due posts wait because a worker lacks the key that their accounts are encrypted with.",
        how=f"Add it to SOCIALSYNCER_ENCRYPTION_KEYS of the workers; `keys.missing` in their log names it. {_CONTINUE}",
        why="for the operator, because workers lack an encryption key",
        advice="Add the key of this account to SOCIALSYNCER_ENCRYPTION_KEYS of the workers and start them again.",
    ),
    NO_DISK_SPACE: OperatorCause(
        FindingKind.DISK_FULL,
        what="Due posts wait because the disk of a worker has no room for their media.",
        how=(
            "Free space in the worker's folder for temporary files (TMPDIR); `media.disk_full` in its log names it. If "
            "there is no such line, a file is larger than a quarter of SOCIALSYNCER_MEDIA_DISK_MB: set a larger one. "
            f"{_CONTINUE}"
        ),
        why="for the operator, because the disk of a worker is full",
        advice="Free disk space in the folder for temporary files of the workers, or raise SOCIALSYNCER_MEDIA_DISK_MB.",
    ),
}
"""By the error code of the waiting targets; with another code, the platform refuses this service's app."""


TEMPORAL_UNAVAILABLE = "Temporal does not answer. Does it run, and does TEMPORAL_ADDRESS name it?"
_FIND_THE_SESSION = (
    "Find the session and end it: SELECT pid, usename, query FROM pg_stat_activity"
    " WHERE pid = ANY (SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity)"
)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
_OLD = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
_LOCKED = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


def explain_database_error(error: BaseException) -> str | None:
    """Return what is wrong with the database and what to do; None if the error is not the database's.

    The driver's own message is left out, because it may repeat a statement's arguments.
    """
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.filename is not None):
        return None
    own = _driver_error(error)
    if isinstance(own, _REFUSED):
        return f"The database refuses the login that SOCIALSYNCER_DATABASE_URL names ({type(own).__name__})."
    if isinstance(own, _OLD):
        return "The database lacks tables of this release: run `socialsyncer migrate`."
    if isinstance(own, _LOCKED):
        return "Another session has locked a table of the database: `socialsyncer doctor` says how to find it."
    if is_database_unavailable(error):
        return "The database does not answer. Does PostgreSQL run, and does SOCIALSYNCER_DATABASE_URL name it?"
    return None


def explain_to_the_doctor(error: BaseException) -> str:
    """Return the same for a check that a database error has ended; a locked table may be what it was to find."""
    own = _driver_error(error)
    if isinstance(own, asyncpg.LockNotAvailableError):
        return f"Another session has locked a table of the database, so nothing could be compared. {_FIND_THE_SESSION}"
    explanation = explain_database_error(error) or f"The database cannot be read ({type(own).__name__})."
    return f"{explanation} Nothing could be compared."


def _driver_error(error: BaseException) -> BaseException:
    # SQLAlchemy wraps the driver's own error twice.
    return (error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None) or error


_WHY = {
    WaitsFor.ACCOUNT: "for accounts to be reconnected: `socialsyncer accounts list --all --refused`",
    WaitsFor.PLATFORM: "because the platform refuses for now; they are tried again by themselves",
    WaitsFor.RATE_LIMIT: "for the rate limits of accounts",
    WaitsFor.PAUSE: "for the end of a pause: `socialsyncer pauses`, then `socialsyncer resume`",
    WaitsFor.MEDIA: "for other media of the workspace",
    WaitsFor.ANSWER: "because the platform's answer was lost; they are confirmed by themselves",
    WaitsFor.PERSON: "for a person: `socialsyncer waiting --for person`, look at the accounts, `socialsyncer resolve`",
    WaitsFor.OPERATOR: "for the operator, because the platform refuses this service's app",
}
_MOST_CODES = 3
BEGUN_WITHIN = timedelta(seconds=10)
"""Within this time after it is due, a worker begins a post, even on a busy machine."""


def not_begun_sentence(posts: int) -> str:
    """Return how many posts are due and not begun. Temporal names a worker that hangs for a minute more as running."""
    subject = "1 post was" if posts == 1 else f"{posts:,} posts were"
    return (
        f"not begun: {subject} due more than {BEGUN_WITHIN.seconds} s ago, and no worker has begun to publish. "
        "If this lasts, the workers hang or have too much to do: restart them, or start another."
    )


def waiting_sentence(platform: str, waits: WaitsFor, waiting: WaitingCount, now: datetime) -> str:
    """Return how many targets of a platform wait, since when and for what."""
    posts = "1 post" if waiting.count == 1 else f"{waiting.count:,} posts"
    verb = "waits" if waiting.count == 1 else "wait"
    since = _age(now - waiting.since)
    label, why = platforms()[platform].label, _why(waits, waiting)
    return f"waiting: {posts} to {label} {verb} {why}. The oldest was due {since} ago."


def _why(waits: WaitsFor, waiting: WaitingCount) -> str:
    codes = sorted(waiting.codes)
    if waits is WaitsFor.OPERATOR and codes:
        causes = [OPERATOR_CAUSES.get(code) for code in codes]
        return ", and ".join(cause.why if cause else _WHY[waits] for cause in causes)
    shown = codes[:_MOST_CODES] + (["…"] if len(codes) > _MOST_CODES else [])
    return f"{_WHY[waits]} ({', '.join(shown)})" if waits is WaitsFor.PLATFORM and shown else _WHY[waits]


def _age(age: timedelta) -> str:
    seconds = max(int(age.total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
