"""Sentences about targets that are due and wait."""

from datetime import datetime, timedelta

from domain.waits import WaitsFor
from platforms.registry import platforms
from store.maintenance.waiting import Stuck

_WHY = {
    WaitsFor.ACCOUNT: "for accounts to be reconnected: `socialsyncer accounts list --all --refused`",
    WaitsFor.PLATFORM: "because the platform refuses for now, and is tried again",
    WaitsFor.RATE_LIMIT: "for the rate limits of accounts",
    WaitsFor.MEDIA: "for other media of the workspace",
    WaitsFor.ANSWER: "because the platform's answer was lost, until it is confirmed",
    WaitsFor.PERSON: "for a person: look at the accounts, then use POST /v1/posts/{postId}/resolve",
    WaitsFor.OPERATOR: "for the operator: the platform refuses the app, or a worker's disk is full (`media.disk_full`)",
}


def waiting_sentence(platform: str, waits: WaitsFor, stuck: Stuck, now: datetime) -> str:
    """Return how many targets of a platform wait, since when and for what."""
    posts = "1 post" if stuck.count == 1 else f"{stuck.count:,} posts"
    verb = "waits" if stuck.count == 1 else "wait"
    since = _age(now - stuck.since)
    return f"waiting: {posts} to {platforms()[platform].label} {verb} {_WHY[waits]}. The oldest was due {since} ago."


def _age(age: timedelta) -> str:
    seconds = max(int(age.total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
