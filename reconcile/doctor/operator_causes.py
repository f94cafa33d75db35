"""Causes for which posts wait for the operator of the workers, with the sentences about each."""

from dataclasses import dataclass

from domain.plan import KEY_MISSING, NO_DISK_SPACE
from reconcile.doctor.findings import FindingKind

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
