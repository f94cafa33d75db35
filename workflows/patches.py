"""Every change of the workflow's order of steps that was gated because runs of older code may still be open.

Nothing is released yet, so there is none: the histories in tests/histories are of today's code.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.options import RETRY_WINDOW
    from domain.schedule import HORIZON_YEARS

LONGEST_RUN = timedelta(days=366 * HORIZON_YEARS + 30) + RETRY_WINDOW
"""How long a run can be open at most: a post sleeps, has up to 30 days to go out, and may be retried then."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A gated change, and the day on which the release that has it was made."""

    name: str
    released: date

    @property
    def needed_until(self) -> date:
        """Return from when on no open run can be older than the change: the gate and the old way may then go."""
        return self.released + LONGEST_RUN


PATCHES: tuple[Patch, ...] = ()
"""Every gate there is. Its name stands in histories, so it is never used for another change."""


def patched(patch: Patch) -> bool:
    """Tell whether a run does what is new: False for one that began before the patch was deployed."""
    return workflow.patched(patch.name)
