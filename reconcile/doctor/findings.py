"""What disagrees, and how it heals. Ids, states and times only: no content, no secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

_GRACE = timedelta(minutes=2)
"""How long after its time a disagreement may still heal by itself before a person has to see why it does not."""


class FindingKind(StrEnum):
    """The kind of a disagreement."""

    NO_WORKER = "no_worker"
    """There is work, and no worker polls its queue."""
    NOT_STARTED = "not_started"
    """A row was saved, and the start of its workflow is not recorded."""
    LOST = "workflow_lost"
    """A row is not at rest, and no run of its workflow goes on."""
    STATE_UNKNOWN = "workflow_state_unknown"
    """As before; only a worker can find out whether its last run knows more than the row."""
    CANCELLED = "workflow_cancelled"
    ENDED = "workflow_ended"
    """A row is not at rest, and its last run came to its end knowing how the post ended."""
    STUCK = "workflow_stuck"
    """The deployed code does not fit the workflow's history."""
    ORPHAN = "row_gone"
    """A workflow runs for a post that is not there."""
    DRAFT = "draft_runs"
    """A draft's workflow runs."""
    ROW_AHEAD = "row_ahead"
    """The row is at rest, and its workflow has still to do something."""
    WORKFLOW_AHEAD = "workflow_ahead"
    """The workflow knows how a target ended, and the row does not."""
    TARGET = "target_differs"
    """Both know how a target ended, each in another way."""
    DUE = "due_differs"
    LATE = "late"
    SENDING = "left_sending"
    """A send was begun, and its worker is gone."""
    APP = "app_refused"
    """A network refuses the operator's app, and posts are held until that is mended."""
    API_VERSION = "api_version_ends"
    """A network is about to stop serving the version of its API that this release speaks."""
    RESTORE = "restore_unfinished"
    """A restore from a backup was noted, and it is not dealt with."""
    REVISION = "revision_waits"
    KEY = "key_without_post"
    NOT_PUBLIC = "not_public"
    """Published, and the network does not show it."""
    OTHER_ID = "other_id"
    """Published, and the network shows it under another id."""
    UNKNOWN_PUBLIC = "public_unknown"
    """Public, and the row does not know."""
    DOUBLE = "double"
    OLD_VERSION = "old_version"
    """Published, and the network has a newer version of it."""
    OTHER_TEXT = "other_text"


CAUSES = frozenset({FindingKind.NO_WORKER, FindingKind.APP, FindingKind.RESTORE, FindingKind.API_VERSION})
"""Kinds that other findings follow from."""


class Heals(StrEnum):
    """The party that must act."""

    ITSELF = "itself"
    PERSON = "person"


class Exit(IntEnum):
    """The exit codes of the command."""

    AGREES = 0
    HEALS = 1
    NEEDS_A_PERSON = 2
    COULD_NOT_LOOK = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a finding."""

    post_id: str | None = None
    workspace_id: str | None = None
    workflow_id: str | None = None
    target_id: str | None = None
    platform: str | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: `what` it is and `how` it heals, a sentence or two each; `by` when, if that is known."""

    kind: FindingKind
    heals: Heals
    subject: Subject
    what: str
    how: str
    by: datetime | None = None

    @property
    def identity(self) -> tuple[FindingKind, Subject]:
        """Return what makes it the same disagreement when it is looked at again."""
        return self.kind, self.subject

    def as_of(self, now: datetime) -> "Finding":
        """Return it as it must be called now: what has not healed long after it should is a person's to look into."""
        if self.heals is Heals.PERSON or self.by is None or now <= self.by + _GRACE:
            return self
        how = f"It should have healed and has not: see the worker's log. {self.how}"
        return replace(self, heals=Heals.PERSON, how=how)


@dataclass(slots=True)
class Report:
    """The result of one check. `away` has a sentence for each part that could not be read, and why."""

    findings: list[Finding] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    posts: int = 0
    workflows: int = 0
    waiting: list[str] = field(default_factory=list)
    """What is due and waits for something other than this service, in a sentence for each platform and reason."""
    public: int | None = None
    """Public posts of the sandbox that were compared; None where the networks are real ones."""

    def of(self, heals: Heals) -> Sequence[Finding]:
        """Return the findings that heal in a way."""
        return [each for each in self.findings if each.heals is heals]

    @property
    def exit(self) -> Exit:
        """Return the exit code that says how it stands."""
        if self.away:
            return Exit.COULD_NOT_LOOK
        if self.of(Heals.PERSON):
            return Exit.NEEDS_A_PERSON
        return Exit.HEALS if self.findings else Exit.AGREES
