"""The plan that a post's workflow carries: ids and times, nothing else."""

from collections.abc import Collection
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from domain.outcome import Outcome
from domain.ownership import PostVersion
from domain.post import PUBLISH_WITHIN_S, ErrorCategory, HoldReason, PostStatus, TargetState, TargetStatus, post_status
from domain.waits import MOST_PRESSING, WaitsFor, waits_for


class Unscheduled(BaseModel):
    """The answer that a post is a draft: nothing is to be published."""

    model_config = ConfigDict(extra="forbid")

    post_id: str
    version: int


class TargetPlan(BaseModel):
    """One target and its state. `prepares`: something must be uploaded or built before it is published."""

    target_id: str
    platform: str
    account_id: str
    username: str = ""
    prepares: bool = False
    status: TargetStatus = TargetStatus.PENDING
    confirming: bool = False
    incomplete: bool = False
    editable_until: datetime | None = None
    platform_post_id: str | None = None
    platform_post_url: str | None = None
    error_code: str | None = None
    error_category: ErrorCategory | None = None
    hold_reason: HoldReason | None = None
    resumes_at: datetime | None = None
    publish_by: datetime | None = None
    """Until when it may still go out, where a retry has given it another time than the post's."""
    prepared: bool = False
    """What is done ahead of its time has begun, and need not begin again."""
    tries: int = 0
    """How often in a row its platform has refused it for now; the next wait follows from that."""
    continues_on: str | None = None
    """Its local activity took too long; the step continues as an activity on this queue, of the worker that runs it."""
    released: bool = False
    """If it is held, refused for now or unconfirmed, it continues: its account works again, or an operator asks."""
    confirm_attempts: int = 0
    """How many attempts to confirm a send have been due; those that a person asked for do not count."""
    next_confirm_at: datetime | None = None
    """When the worker tries next by itself; None while it is trying because this time has come."""
    confirm_until: datetime | None = None
    """When the worker gives up trying."""
    open_until: datetime | None = None
    """Until when a retry or an edit may still come, once nothing more happens to it by itself."""

    def apply(self, outcome: Outcome) -> None:
        """Move to where a step has brought the target."""
        self.status = outcome.status
        self.confirming = outcome.confirming
        self.incomplete = outcome.incomplete
        self.platform_post_id = outcome.platform_post_id
        self.platform_post_url = outcome.platform_post_url
        self.editable_until = outcome.editable_until
        self.error_code = outcome.error_code
        self.error_category = outcome.error_category
        self.tries = outcome.tries
        self.hold_reason = outcome.hold_reason
        self.resumes_at = outcome.resumes_at
        # A word that it may continue may come before the result of the step after which it waits.
        self.released = self.released and (self.status is TargetStatus.HELD or self.waits_for_a_time)
        if not (self.status is TargetStatus.UNCONFIRMED and self.confirming):
            self.confirm_attempts, self.next_confirm_at, self.confirm_until = 0, None, None

    @property
    def waits_for_a_time(self) -> bool:
        """Tell whether nothing is done for the target until `resumes_at`: its account's rate limit, or its next try."""
        return self.status is TargetStatus.PUBLISHING and self.resumes_at is not None

    @property
    def settled(self) -> bool:
        """Tell whether nothing more happens to the target by itself."""
        return TargetState(self.status, self.confirming).settled

    @property
    def moving(self) -> bool:
        """Tell whether something may be done for the target now."""
        return TargetState(self.status, self.confirming).moving and not self.waits_for_a_time

    @property
    def may_be_public(self) -> bool:
        """Tell whether people may see it on its platform."""
        return self.status.may_be_public

    def starts_over(self, newer: "TargetPlan | None") -> bool:
        """Tell whether it is held by what is known here, and was changed: its row lets it begin again."""
        return self.status is TargetStatus.HELD and newer is not None and newer.status is TargetStatus.PENDING

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is sent for the target: it is out, held, or waits for a time."""
        out = self.settled and not self.incomplete
        return out or self.status is TargetStatus.HELD or self.waits_for_a_time

    @property
    def waits(self) -> bool:
        """Tell whether a time or a word from outside is waited for before the next step is taken."""
        return self.status is TargetStatus.HELD or self.waits_for_a_time or self.next_confirm_at is not None


class Plan(BaseModel):
    """One post, its targets and its time: all that a workflow knows, so that it can continue as new.

    Fields are only ever added, with defaults: histories live for years.
    """

    post_id: str
    workspace_id: str
    workspace: str = ""
    """Its name, for people; empty if it is not known."""
    workflow_id: str
    version: int = 1
    """Which version of what is wanted this is. A run follows only newer ones."""
    due_at: datetime
    immediate: bool = False
    """Whether it is published now, whatever any clock says, and before posts that no client waits for."""
    targets: list[TargetPlan]
    tags: list[str] = []
    publish_within: timedelta = timedelta(seconds=PUBLISH_WITHIN_S)
    """How long after its due time it may still go out."""
    request_id: str | None = None
    """The request that asked for this, so that its id finds the worker's log lines too."""
    started: bool = Field(default=True, exclude=True)
    """Whether a run of the post was ever seen to start. The run itself is not given this."""

    @property
    def post_version(self) -> PostVersion:
        """Return which version of which post this is."""
        return PostVersion(self.post_id, self.version)

    @property
    def status(self) -> PostStatus:
        """Return the post's status once its publishing has begun."""
        return post_status(TargetState(target.status, target.confirming) for target in self.targets)

    @property
    def waits_for(self) -> WaitsFor | None:
        """Return what its targets wait for; of several, what needs somebody to act most."""
        found = {
            waits_for(
                target.status,
                confirming=target.confirming,
                hold_reason=target.hold_reason,
                error_code=target.error_code,
                next_attempt_at=target.resumes_at,
            )
            for target in self.targets
        }
        return next((each for each in MOST_PRESSING if each in found), None)

    @property
    def untouched(self) -> bool:
        """Tell whether nothing has been done for any target."""
        return all(target.status is TargetStatus.PENDING for target in self.targets)

    @property
    def in_progress(self) -> bool:
        """Tell whether something was done for a target that is not settled: it is held, or unconfirmed, for example."""
        return any(not each.settled and each.status is not TargetStatus.PENDING for each in self.targets)

    @property
    def failed(self) -> list[TargetPlan]:
        """Return the targets that rest without being published."""
        return [each for each in self.targets if each.settled and each.status is not TargetStatus.PUBLISHED]

    def target(self, target_id: str) -> TargetPlan | None:
        """Return a target by its id, None if the post no longer has it."""
        return next((each for each in self.targets if each.target_id == target_id), None)

    def replace(self, target: TargetPlan) -> None:
        """Take another state of a target for the one that is known."""
        self.targets = [target if each.target_id == target.target_id else each for each in self.targets]

    def merged(self, newer: "Plan", busy: Collection[str]) -> "Plan":
        """Return a newer plan with what this one knows better than the rows that the newer one was read from.

        That is where the `busy` targets stand, whose steps are out, and until when a settled one may be edited or tried
        again.
        """
        return newer.model_copy(
            update={
                "targets": [self._better(each, busy) for each in newer.targets],
                "request_id": newer.request_id or self.request_id,
                "workspace": newer.workspace or self.workspace,
            }
        )

    def _better(self, newer: TargetPlan, busy: Collection[str]) -> TargetPlan:
        known = self.target(newer.target_id)
        if known is None:
            return newer
        keeps = known.settled and newer.settled and known.status is newer.status
        if keeps or newer.target_id in busy:
            return known
        # A request that it may continue may come before its row is read.
        released = known.released and known.status is newer.status and not newer.settled
        return newer.model_copy(update={"released": released})
