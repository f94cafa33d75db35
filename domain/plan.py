"""What a post's workflow carries: ids and times, nothing else."""

from datetime import datetime

from pydantic import BaseModel

from domain.post import TargetStatus
from domain.schedule import rfc3339


class TargetPlan(BaseModel):
    """Name one target. `prepares` says that something must be uploaded or built before it can be published."""

    target_id: str
    platform: str
    account_id: str
    username: str = ""
    prepares: bool = False
    status: TargetStatus = TargetStatus.PENDING
    looking: bool = False
    editable_until: datetime | None = None


class Plan(BaseModel):
    """Name one post, its targets and its time. Fields are only ever added, with defaults: histories live for years."""

    post_id: str
    workspace_id: str
    workflow_id: str
    due_at: datetime
    immediate: bool = False
    """Whether a client waits for it (publishNow)."""
    targets: list[TargetPlan]
    tags: list[str] = []

    @property
    def summary(self) -> str:
        """Return the one line that an operator reads first."""
        where = " + ".join(dict.fromkeys(target.platform for target in self.targets))
        return f"{where}, now" if self.immediate else f"{where}, due {rfc3339(self.due_at)}"
