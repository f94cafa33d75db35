"""Pauses: what a gate stops, and what its opening does with the posts that were missed meanwhile."""

from dataclasses import dataclass
from enum import StrEnum


class PauseScope(StrEnum):
    """The posts that a pause stops, and the kind of its gate."""

    WORKSPACE = "workspace"
    """All posts of a workspace."""
    ACCOUNT = "account"
    """The posts to one account. Other targets of the same posts are published."""
    CAMPAIGN = "campaign"
    """The posts of one campaign."""
    SERIES = "series"
    """The posts of one series."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of a workspace's posts, as the database names it."""

    kind: PauseScope
    id: str = ""

    @property
    def account(self) -> tuple[str, str] | None:
        """Return platform and id of the account; None if it is the gate of something else."""
        if self.kind is not PauseScope.ACCOUNT:
            return None
        platform, _, account_id = self.id.partition("/")
        return platform, account_id

    def __str__(self) -> str:
        """Return what it stops, for people."""
        return "the workspace" if self.kind is PauseScope.WORKSPACE else f"{self.kind} {self.id}"


WORKSPACE_GATE = Gate(PauseScope.WORKSPACE)


def account_gate(platform: str, account_id: str) -> Gate:
    """Return the gate of an account."""
    return Gate(PauseScope.ACCOUNT, f"{platform}/{account_id}")


def campaign_gate(campaign_id: str) -> Gate:
    """Return the gate of a campaign."""
    return Gate(PauseScope.CAMPAIGN, campaign_id)


def series_gate(series_id: str) -> Gate:
    """Return the gate of a series."""
    return Gate(PauseScope.SERIES, series_id)


class PauseStatus(StrEnum):
    """The status of a pause."""

    PAUSING = "pausing"
    """No send begins any more, and a request that began before is still under way."""
    PAUSED = "paused"
    """No request that publishes a post leaves any process."""
    ENDED = "ended"


class MissedPolicy(StrEnum):
    """The outcome of the posts that fell due during a pause. It is never guessed."""

    PUBLISH = "publish"
    """They are published now, one after the other."""
    SHIFT = "shift"
    """All posts that were not sent move by whole days, as few as possible, so that their order and their hours stay."""
    SKIP = "skip"
    """They become drafts. A target of a post that is partly public fails instead, and may be retried."""


class SkipReason(StrEnum):
    """The reason why a scheduled post has become a draft by itself."""

    PAUSED = "paused"
    """A pause has missed it, and it was skipped when the pause ended."""
    OUTSIDE_WINDOW = "outside_window"
    """Its campaign begins later or ends earlier than it was to be published."""
    IN_BLACKOUT = "in_blackout"
    """It was to be published in a blackout that its campaign got."""
    CAMPAIGN_ENDED = "campaign_ended"
    PREVIOUS_FAILED = "previous_failed"
    """The post that it waited for has failed."""
    PREVIOUS_DELETED = "previous_deleted"
    """The post that it waited for was deleted."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The effect of the end of a pause on the posts that were missed."""

    published: int = 0
    """The posts that are published now, one after the other."""
    shifted: int = 0
    """The posts that have moved by whole days, those that were not missed too."""
    skipped: int = 0
    """The posts that become drafts, or whose missed targets fail because the post is partly public or under way."""
    still_paused: int = 0
    """The posts that another pause stops as well. They stay as they are."""


REASON_LENGTH = 500
"""Characters of the reason that a person gives for a pause."""
LONGEST_SPACING_S = 7 * 24 * 60 * 60
"""The longest time between two posts to one account that were missed."""
