"""Disagreements, and how they are resolved. Ids, states and times only: no content, no secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

_GRACE = timedelta(minutes=2)
"""How long after its time a disagreement may still heal by itself; after that a person must find out why not."""


class FindingKind(StrEnum):
    """The kind of a disagreement."""

    NO_WORKER = "no_worker"
    """There is work, and no worker polls its queue."""
    NOT_STARTED = "not_started"
    """A row was saved, and the start of its workflow is not recorded."""
    LOST = "workflow_lost"
    """A row is not at rest, and no run of its workflow is open."""
    STATE_UNKNOWN = "workflow_state_unknown"
    """The same, and only a worker can find out whether the last run knows more than the row."""
    CANCELLED = "workflow_cancelled"
    """A row is not at rest, and its last run was cancelled without the row saying so."""
    ENDED = "workflow_ended"
    """A row is not at rest, and its last run ended with knowledge of the post's outcome."""
    STUCK = "workflow_stuck"
    """The deployed code does not fit the workflow's history."""
    ORPHAN = "row_gone"
    """A workflow runs for a post that does not exist."""
    DRAFT = "draft_runs"
    """A draft's workflow runs."""
    ROW_AHEAD = "row_ahead"
    """The row is at rest, and its workflow still has work."""
    WORKFLOW_AHEAD = "workflow_ahead"
    """The workflow knows a target's outcome, and the row does not."""
    TARGET = "target_differs"
    """Row and workflow have different outcomes of a target."""
    DUE = "due_differs"
    """Row and workflow have different due times."""
    LATE = "late"
    """A target is due, and no worker has begun to publish it."""
    SENDING = "left_sending"
    """A send was begun, and its worker is gone."""
    KEY_MISSING = "encryption_key_missing"
    """Workers lack the key that accounts are encrypted with."""
    DISK_FULL = "disk_full"
    """Media find no room on the disk of a worker."""
    APP = "app_refused"
    """A platform refuses the operator's app, and posts are held until that is fixed."""
    API_VERSION = "api_version_ends"
    """A platform will soon stop serving the API version that this release uses."""
    CLOCK = "clock_skew"
    """The clock of the doctor's machine differs from the database's."""
    NAMESPACE = "foreign_namespace"
    """Temporal's namespace belongs to the installation of another database."""
    ROWS_MAY_BE_LOST = "rows_may_be_lost"
    """The server was promoted or restored, and it is not known whether its rows are complete."""
    OLD_TRANSACTION = "old_transaction"
    """A transaction of the database has been open for long, and events and vacuum wait for it."""
    RESTORE = "restore_unfinished"
    """A restore from a backup was recorded, and it is not finished."""
    REVISION = "revision_waits"
    """An edit was saved, and is neither made nor refused."""
    WEBHOOKS = "webhooks_wait"
    """Events for webhooks that do not fail are due, and no worker sends them."""
    NO_EVENT = "settled_without_event"
    """A target was published while its workspace listened, and there is no event of it."""
    KEY = "key_without_post"
    """An Idempotency-Key is taken for a post that does not exist."""
    SLOT_DOUBLE = "slot_double"
    """Several posts of one queue are due at the same instant."""
    OCCURRENCE_MISSING = "occurrence_missing"
    """An occurrence of a series should have a post and has none."""
    SERIES_BEHIND = "series_behind"
    """A series lacks posts for long."""
    WALL_DIFFERS = "wall_differs"
    """A post of a series is not due at its wall time."""
    ORPHANED_FILES = "orphaned_files"
    """Files of the storage belong to no upload."""
    NOT_PUBLIC = "not_public"
    """Published, and the platform does not show it."""
    OTHER_ID = "other_id"
    """Published, and the platform shows it under another id."""
    UNKNOWN_PUBLIC = "public_unknown"
    """Public, and the row does not know it."""
    DOUBLE = "double"
    """One target is public in several posts."""
    OLD_VERSION = "old_version"
    """Published, and the platform has a newer version of it."""
    SENT_WHILE_CLOSED = "sent_while_closed"
    """A publication began while its workspace, account, campaign or series was paused."""
    HELD_AT_AN_OPEN_GATE = "held_at_an_open_gate"
    """A pause holds a target although none stops it any more."""
    CAMPAIGN_LOST = "campaign_lost"
    """A campaign has no workflow."""
    OTHER_TEXT = "other_text"
    """Published, and the platform shows another text."""


CAUSES = frozenset(
    {
        FindingKind.NO_WORKER,
        FindingKind.KEY_MISSING,
        FindingKind.DISK_FULL,
        FindingKind.CLOCK,
        FindingKind.APP,
        FindingKind.RESTORE,
        FindingKind.NAMESPACE,
        FindingKind.ROWS_MAY_BE_LOST,
        FindingKind.OLD_TRANSACTION,
        FindingKind.API_VERSION,
    }
)
"""Kinds that cause other findings."""


class FixedBy(StrEnum):
    """The party that must act."""

    SYSTEM = "system"
    PERSON = "person"


class Exit(IntEnum):
    """The exit codes of the command."""

    AGREES = 0
    FIXES_ITSELF = 1
    NEEDS_A_PERSON = 2
    COULD_NOT_CHECK = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a finding."""

    post_id: str | None = None
    workspace_id: str | None = None
    workflow_id: str | None = None
    target_id: str | None = None
    platform: str | None = None
    account_id: str | None = None

    @classmethod
    def about(cls, row: Mapping[str, Any]) -> "Subject":
        """Return the subject of a row of the doctor's queries, by the ids that it has."""
        return cls(**{own.name: row.get(own.name) for own in fields(cls)})


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: `what` it is and `how` it is resolved, a sentence or two each; `by` when, if that is known."""

    kind: FindingKind
    fixed_by: FixedBy
    subject: Subject
    what: str
    how: str
    by: datetime | None = None

    @property
    def identity(self) -> tuple[FindingKind, Subject]:
        """Return the properties by which the same disagreement is recognized in the next check."""
        return self.kind, self.subject

    def judged_at(self, now: datetime) -> "Finding":
        """Return the finding as it is now: one that has not healed long after it should have needs a person."""
        if self.fixed_by is FixedBy.PERSON or self.by is None or now <= self.by + _GRACE:
            return self
        how = f"It should have healed and has not: see the worker's log. {self.how}"
        return replace(self, fixed_by=FixedBy.PERSON, how=how)


@dataclass(slots=True)
class Report:
    """The result of one check. `away` has a sentence for each part that could not be read, with the reason."""

    findings: list[Finding] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    unreachable: bool = False
    """Whether the database or Temporal did not answer at all, so that nothing was compared."""
    posts: int = 0
    workflows: int = 0
    waiting: list[str] = field(default_factory=list)
    """The due targets that wait for something other than this service, in a sentence for each platform and reason."""
    public: int | None = None
    """The number of the sandbox's public posts that were compared; None if the platforms are real ones."""

    def healing_by(self, fixed_by: FixedBy) -> Sequence[Finding]:
        """Return the findings that heal in this way."""
        return [finding for finding in self.findings if finding.fixed_by is fixed_by]

    @property
    def exit(self) -> Exit:
        """Return the exit code of the result."""
        if self.away:
            return Exit.COULD_NOT_CHECK
        if self.healing_by(FixedBy.PERSON):
            return Exit.NEEDS_A_PERSON
        return Exit.FIXES_ITSELF if self.findings else Exit.AGREES
