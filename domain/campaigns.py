"""Campaigns: posts that are planned, watched, paused and ended together."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from domain.schedule import resolve


class CampaignStatus(StrEnum):
    """The status of a campaign."""

    DRAFT = "draft"
    """Its posts are drafts until it is started."""
    ACTIVE = "active"
    PAUSED = "paused"
    """Its gate is closed by hand until it is resumed."""
    ENDED = "ended"
    """Its gate is closed for good, and what was not sent has become a draft."""

    @property
    def may_schedule(self) -> bool:
        """Return whether posts of the campaign may be scheduled."""
        return self in (CampaignStatus.ACTIVE, CampaignStatus.PAUSED)


class OperationKind(StrEnum):
    """A kind of operation: on a campaign, or on many posts in one step."""

    CREATED = "created"
    CHANGED = "changed"
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    SHIFTED = "shifted"
    ENDED = "ended"
    DELETED = "deleted"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Blackout:
    """Days of a campaign's zone on which its posts are not sent; `last` is one of them."""

    first: date
    last: date
    reason: str | None = None

    def range_in(self, zone: str) -> tuple[datetime, datetime]:
        """Return the first instant of the blackout, and the first after it. Raises UnknownZone."""
        midnights = (day.isoformat() + "T00:00:00" for day in (self.first, self.last + timedelta(days=1)))
        first, end = (resolve(midnight, zone).instant for midnight in midnights)
        return first, end

    def as_json(self) -> dict[str, str]:
        """Return the blackout as its row keeps it and as clients write it."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return days if self.reason is None else days | {"reason": self.reason}

    @classmethod
    def from_json(cls, document: dict[str, str]) -> "Blackout":
        """Return the blackout of a row."""
        first, last = date.fromisoformat(document["from"]), date.fromisoformat(document["to"])
        return cls(first, last, document.get("reason"))


MOST_CAMPAIGNS = 1_000
"""Campaigns of a workspace."""
MOST_BLACKOUTS = 200
"""Blackouts of a campaign."""
