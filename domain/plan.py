"""The plan of a post, which its workflow carries, the outcomes of its steps, and what its targets wait for.

It has ids, times and states, no content.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from domain.ownership import PostVersion
from domain.post import PUBLISH_WITHIN_S, ErrorCategory, HoldReason, PostStatus, TargetState, TargetStatus, post_status


class Outcome(BaseModel):
    """The state of a target after a step. Content and platforms' texts stay in the row."""

    status: TargetStatus
    confirming: bool = False
    incomplete: bool = False
    """Whether it is public and still lacks a later step, such as a permalink or a first comment."""
    stale: bool = False
    """Whether nothing was done because the post's row differs from the run's plan: the run must read the row."""
    early: timedelta | None = None
    """How long the post must still wait, if nothing was done because it is not due yet by the worker's clock."""
    platform_post_id: str | None = None
    platform_post_url: str | None = None
    editable_until: datetime | None = None
    error_code: str | None = None
    resumes_at: datetime | None = None
    """When its next try is, if it is held or refused for now, or waits for its account's rate limit."""
    hold_reason: HoldReason | None = None
    """The reason if it is held."""
    error_category: ErrorCategory | None = None
    tries: int = 0
    """How often in a row its platform has refused it for now, if it waits for its platform."""

    @property
    def did_nothing(self) -> bool:
        """Return whether the step did nothing because of the row's state."""
        return self.stale or self.early is not None


STALE = Outcome(status=TargetStatus.PENDING, stale=True)
"""The result of a step whose post has changed, is a draft, or is deleted."""


MEDIA_BUSY = "media_busy"
"""The error code of a target that waits for other media of its workspace."""
NO_DISK_SPACE = "no_disk_space"
"""The error code of a target whose media do not fit on the worker's disk."""
KEY_MISSING = "key_missing"
"""The error code of a target whose account is encrypted with a key that the worker does not have."""


class WaitsFor(StrEnum):
    """An event that must happen before a due target continues."""

    ACCOUNT = "account"
    """Its owner must reconnect the account."""
    PLATFORM = "platform"
    """Its platform refused it for now; it is tried again at `nextAttemptAt`."""
    RATE_LIMIT = "rate_limit"
    """Its account has published as much as its platform allows for now."""
    MEDIA = "media"
    """Other media of its workspace are fetched first."""
    ANSWER = "answer"
    """The platform's answer was lost; the post waits for confirmation."""
    PERSON = "person"
    """The platform's answer was lost and the post could not be confirmed; a person must say whether it is public."""
    OPERATOR = "operator"
    """The operator must repair the app at the platform, free disk space of a worker, or give it an encryption key."""
    PAUSE = "pause"
    """Its workspace, account, campaign or series is paused, and a person must end the pause."""


MOST_PRESSING = (
    WaitsFor.PERSON,
    WaitsFor.OPERATOR,
    WaitsFor.ACCOUNT,
    WaitsFor.PAUSE,
    WaitsFor.ANSWER,
    WaitsFor.PLATFORM,
    WaitsFor.RATE_LIMIT,
    WaitsFor.MEDIA,
)

_HELD = {
    HoldReason.RECONNECT: WaitsFor.ACCOUNT,
    HoldReason.CAP: WaitsFor.RATE_LIMIT,
    HoldReason.OPERATOR: WaitsFor.OPERATOR,
    HoldReason.PAUSED: WaitsFor.PAUSE,
}
_BY_CODE = {
    MEDIA_BUSY: WaitsFor.MEDIA,
    NO_DISK_SPACE: WaitsFor.OPERATOR,
    KEY_MISSING: WaitsFor.OPERATOR,
}


def waits_for(
    status: TargetStatus,
    *,
    confirming: bool,
    hold_reason: str | None,
    error_code: str | None,
    next_attempt_at: datetime | None,
) -> WaitsFor | None:
    """Return what a target waits for; None if a worker processes it, or it is settled or not due yet."""
    match status:
        case TargetStatus.HELD:
            return _HELD[HoldReason(hold_reason or HoldReason.RECONNECT)]
        case TargetStatus.UNCONFIRMED:
            return WaitsFor.ANSWER if confirming else WaitsFor.PERSON
        case TargetStatus.PUBLISHING if next_attempt_at is not None:
            if error_code is None:
                return WaitsFor.RATE_LIMIT
            return _BY_CODE.get(error_code, WaitsFor.PLATFORM)
        case _:
            return None


class Unscheduled(BaseModel):
    """The answer that a post is a draft: nothing is to be published."""

    model_config = ConfigDict(extra="forbid")

    post_id: str
    version: int


class TargetPlan(BaseModel):
    """One target of a post and its state, as a run of the post's workflow knows them."""

    target_id: str
    platform: str
    account_id: str
    username: str = ""
    prepares: bool = False
    """Whether media must be uploaded, or containers built, before it is published."""
    status: TargetStatus = TargetStatus.PENDING
    confirming: bool = False
    """Whether the worker still tries to confirm it, if it is unconfirmed."""
    incomplete: bool = False
    """Whether it is public and still lacks a later step, such as a permalink or a first comment."""
    editable_until: datetime | None = None
    platform_post_id: str | None = None
    platform_post_url: str | None = None
    error_code: str | None = None
    error_category: ErrorCategory | None = None
    hold_reason: HoldReason | None = None
    resumes_at: datetime | None = None
    """When its next try is, if it is held or refused for now, or waits for its account's rate limit."""
    publish_by: datetime | None = None
    """The last time at which it may be published, if a retry has set one; otherwise the post's window counts."""
    prepared: bool = False
    """Whether its preparation ahead of time has begun; it is not begun again."""
    tries: int = 0
    """How often in a row its platform has refused it for now; the next wait follows from that."""
    continues_on: str | None = None
    """The queue of the worker on which a step continues as an activity because its local activity took too long."""
    released: bool = False
    """Whether its present wait ends now: its account works again, or an operator asks for a try."""
    confirm_attempts: int = 0
    """How many attempts to confirm a send have been due; those that a person asked for do not count."""
    next_confirm_at: datetime | None = None
    """When the worker tries to confirm it next by itself; None while it is trying because this time has come."""
    confirm_until: datetime | None = None
    """When the worker gives up confirming it."""
    open_until: datetime | None = None
    """How long the workflow stays open for its retry or its edits, once it is settled."""

    def apply(self, outcome: Outcome) -> None:
        """Take over the state that a step has left the target in."""
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
        # A signal to continue may come before the result of the step after which the target waits.
        self.released = self.released and (self.status is TargetStatus.HELD or self.waits_for_a_time)
        if not (self.status is TargetStatus.UNCONFIRMED and self.confirming):
            self.confirm_attempts, self.next_confirm_at, self.confirm_until = 0, None, None

    @property
    def waits_for_a_time(self) -> bool:
        """Return whether nothing is done for the target until `resumes_at`: for its rate limit, or its next try."""
        return self.status is TargetStatus.PUBLISHING and self.resumes_at is not None

    @property
    def settled(self) -> bool:
        """Return whether nothing more happens to the target by itself."""
        return TargetState(self.status, self.confirming).settled

    @property
    def may_be_public(self) -> bool:
        """Return whether people may see it on its platform."""
        return self.status.may_be_public

    @property
    def must_prepare(self) -> bool:
        """Return whether its preparation ahead of time is needed and has not begun."""
        return self.prepares and not self.prepared

    def starts_over(self, newer: "TargetPlan | None") -> bool:
        """Return whether this target is held, and was changed since: in the newer plan it has not begun."""
        return self.status is TargetStatus.HELD and newer is not None and newer.status is TargetStatus.PENDING

    @property
    def is_active(self) -> bool:
        """Return whether the target is being published, confirmed or completed: it is not settled and does not wait."""
        is_complete = self.settled and not self.incomplete
        return not (is_complete or self.status is TargetStatus.HELD or self.waits_for_a_time)

    @property
    def is_between_steps(self) -> bool:
        """Return whether no step of the target runs: it is held, or waits for the time of its next try or confirm."""
        return self.status is TargetStatus.HELD or self.waits_for_a_time or self.next_confirm_at is not None


class Plan(BaseModel):
    """One post, its targets and its time: all that a workflow knows, so that it can continue as new.

    Fields are only added, with defaults, because histories are kept for years.
    """

    post_id: str
    workspace_id: str
    workspace: str = ""
    """Its name, for people; empty if it is not known."""
    workflow_id: str
    version: int = 1
    """The version of the post's row from which this plan was read. A run follows only newer ones."""
    due_at: datetime
    immediate: bool = False
    """Whether a client waits for it: it is published now, by any clock, and before posts that no client waits for."""
    targets: list[TargetPlan]
    tags: list[str] = []
    publish_within: timedelta = timedelta(seconds=PUBLISH_WITHIN_S)
    """How long after its due time it may still be published."""
    campaign_id: str | None = None
    request_id: str | None = None
    """The id of the request that caused this version; it is also in the worker's log lines."""
    started: bool = Field(default=True, exclude=True)
    """Whether a run of the post is known to have started. It is not part of the payload."""

    @property
    def post_version(self) -> PostVersion:
        """Return which version of which post this is."""
        return PostVersion(self.post_id, self.version)

    @property
    def status(self) -> PostStatus:
        """Return the post's status once its publishing has begun."""
        return post_status(TargetState(target.status, target.confirming) for target in self.targets)

    @property
    def first_status(self) -> PostStatus:
        """Return the post's status when its run begins."""
        if not self.untouched:
            return self.status
        return PostStatus.PUBLISHING if self.immediate else PostStatus.SCHEDULED

    @property
    def waits_for(self) -> WaitsFor | None:
        """Return what the targets wait for; of several reasons, the one that needs a person most."""
        reasons = {
            waits_for(
                target.status,
                confirming=target.confirming,
                hold_reason=target.hold_reason,
                error_code=target.error_code,
                next_attempt_at=target.resumes_at,
            )
            for target in self.targets
        }
        return next((reason for reason in MOST_PRESSING if reason in reasons), None)

    @property
    def untouched(self) -> bool:
        """Return whether nothing has been done for any target."""
        return all(target.status is TargetStatus.PENDING for target in self.targets)

    @property
    def in_progress(self) -> bool:
        """Return whether a target has begun and is not settled: it is held or unconfirmed, for example."""
        return any(not target.settled and target.status is not TargetStatus.PENDING for target in self.targets)

    @property
    def failed_or_unconfirmed(self) -> list[TargetPlan]:
        """Return the settled targets that are not known to be published: a retry reopens them."""
        return [target for target in self.targets if target.settled and target.status is not TargetStatus.PUBLISHED]

    def target(self, target_id: str) -> TargetPlan | None:
        """Return a target by its id, None if the post no longer has it."""
        return next((target for target in self.targets if target.target_id == target_id), None)

    def replace(self, target: TargetPlan) -> None:
        """Replace the target that has the same id."""
        self.targets = [target if known.target_id == target.target_id else known for known in self.targets]

    def merged(self, newer: "Plan", own_targets: Collection[str]) -> "Plan":
        """Return a newer plan with the facts that this plan has and the newer plan's row does not.

        These are the state of the targets with the ids `own_targets`, and how long settled ones stay open for edits or
        a retry.
        """
        return newer.model_copy(
            update={
                "targets": [self._merged_target(target, own_targets) for target in newer.targets],
                "request_id": newer.request_id or self.request_id,
                "workspace": newer.workspace or self.workspace,
            }
        )

    def _merged_target(self, newer: TargetPlan, own_targets: Collection[str]) -> TargetPlan:
        known = self.target(newer.target_id)
        if known is None:
            return newer
        is_settled_alike = known.settled and newer.settled and known.status is newer.status
        if is_settled_alike or newer.target_id in own_targets:
            return known
        # A signal to continue may come before the row is read.
        released = known.released and known.status is newer.status and not newer.settled
        return newer.model_copy(update={"released": released})
