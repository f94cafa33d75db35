"""The verdict on a post that a pause concerns, by the platform's clock and the answers that the client got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.pauses import MissedPolicy


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to the requests that begin and end a pause. Times are seconds since 1970."""

    first_at: float
    """When the first answer came: `pausing` or `paused`."""
    in_flight: frozenset[str]
    """The ids of the posts that the first answer named."""
    paused_at: float
    """When the first answer came that says `paused`."""
    resumed_at: float
    """When the end was asked for."""
    missed: MissedPolicy
    result: dict[str, int]
    """The counts in the answer to that."""


@dataclass(frozen=True, slots=True)
class PausedPost:
    """A post that was due around the beginning of a pause, as it is at the end."""

    post_id: str
    status: str
    skip_reason: str | None
    due: datetime | None
    arrivals: tuple[float, ...]
    """When a request that publishes it arrived at the platform."""
    public: int

    def was_sent(self, answered: Answered) -> bool:
        """Return whether it was sent, or may have been, before the pause was complete."""
        before = any(arrival <= answered.paused_at for arrival in self.arrivals)
        return before or self.post_id in answered.in_flight

    def fault(self, answered: Answered) -> str:
        """Return what is wrong with it; an empty text if nothing is."""
        during = [arrival for arrival in self.arrivals if answered.paused_at < arrival < answered.resumed_at]
        if during:
            return f"a request arrived {during[0] - answered.paused_at:.3f} s after `paused` was answered"
        unnamed = [arrival for arrival in self.arrivals if answered.first_at < arrival <= answered.paused_at]
        if unnamed and self.post_id not in answered.in_flight:
            return "a request arrived during `pausing` that its answer did not name"
        if self.public > 1:
            return f"it is public {self.public} times"
        if self.status == "published" and self.public == 1 and self._may_be_published(answered):
            return ""
        if self.public == 0 and self._is_left_as_asked(answered):
            return ""
        return f"it is {self.status} (due {self.due}), public {self.public} times, after `{answered.missed}`"

    def _may_be_published(self, answered: Answered) -> bool:
        return answered.missed is MissedPolicy.PUBLISH or self.was_sent(answered)

    def _is_left_as_asked(self, answered: Answered) -> bool:
        if answered.missed is MissedPolicy.SKIP:
            return (self.status, self.skip_reason) == ("draft", "paused")
        is_later = self.due is not None and self.due.timestamp() > answered.resumed_at
        return answered.missed is MissedPolicy.SHIFT and self.status == "scheduled" and is_later


def fault_of_counts(posts: Sequence[PausedPost], answered: Answered) -> str:
    """Return how the counts of the end differ from what it did; an empty text if they do not.

    A post that was in flight may have been among those that were missed, because its worker was lost.
    """
    certain = sum(not post.was_sent(answered) for post in posts)
    names = {MissedPolicy.PUBLISH: "published", MissedPolicy.SKIP: "skipped", MissedPolicy.SHIFT: "shifted"}
    counted = sum(answered.result[name] for name in names.values())
    if certain <= counted <= len(posts) and counted == answered.result[names[answered.missed]]:
        return ""
    return f"the end counted {answered.result} for {certain} to {len(posts)} missed posts"
