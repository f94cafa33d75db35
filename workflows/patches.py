"""Changes of the workflow's order of steps that are gated because runs of older code may still be open.

There are none yet: nothing was released, and the histories in tests/histories are of the present code.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.options import RETRY_WINDOW
    from domain.schedule import HORIZON_YEARS

LONGEST_RUN = timedelta(days=366 * HORIZON_YEARS + 30) + RETRY_WINDOW
"""How long a run can be open at most: a post sleeps, has up to 30 days to be published, and may be retried then."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A gated change, and the day of the release that introduced it."""

    name: str
    released: date

    @property
    def needed_until(self) -> date:
        """Return from when on no open run can be older than the change, so that the gate and the old code can go."""
        return self.released + LONGEST_RUN


PATCHES: tuple[Patch, ...] = ()
"""Every gate. Its name is in histories, so it is never used for another change."""


def patched(patch: Patch) -> bool:
    """Return whether a run uses the new code: False if it began before the patch was deployed."""
    return workflow.patched(patch.name)
