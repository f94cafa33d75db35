"""Sentences about targets that are due and wait."""

from datetime import datetime, timedelta

from domain.plan import WaitsFor
from platforms.registry import platforms
from reconcile.doctor.operator_causes import OPERATOR_CAUSES
from store.maintenance.waiting import WaitingCount

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
