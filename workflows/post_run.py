"""The state of one run of a post's workflow: its plan, and its running steps."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from domain.ownership import sleep_for
    from domain.plan import Plan, TargetPlan
    from domain.post import HoldReason, PostStatus, TargetStatus
    from workflows.details import Visibility
    from workflows.messages import StatusView
    from workflows.search_attributes import Ending


class PostRun:
    """The state of one run. The workflow, its targets' coroutines and its edits change it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun = not plan.untouched
        """Whether publishing has begun, so that the run does not sleep."""
        self.visibility = Visibility(plan, self.status())
        self.stopped = False
        """Whether no further step may begin: the post is a draft or deleted, its row is older than this run, or the run
        continues as new.
        """
        self.finished = False
        """Whether all targets are settled, and the time for edits and retries is over."""
        self.cancelled = False
        """Whether an operator has cancelled the run."""
        self.ending: Ending | None = None
        """The ending of the run, if it differs from the post's status."""
        self.behind = plan.in_progress and workflow.info().continued_run_id is None
        """Whether the row must be read before the next step: a step has found that it differs from the plan, or the
        plan that started this run was read while an earlier run worked on the post.
        """
        self.not_before: datetime | None = None
        """When the post is due by a worker's clock, if Temporal's clock is ahead of it."""
        self.wakeups = 0
        """How often `wake` was called."""
        self.preparing: dict[str, asyncio.Task[None]] = {}
        self.target_tasks: dict[str, asyncio.Task[None]] = {}
        self.publishing_locally = set[str]()
        """The ids of the targets that are being published within the workflow's task."""
        self.newer_targets: dict[str, TargetPlan | None] = {}
        """Targets of newer plans that came while the targets' steps were running; None if a plan has no such target."""
        self.edits: list[asyncio.Task[None]] = []

    # -- the state of the post ---------------------------------------------------------------------------------------

    def status(self) -> PostStatus:
        """Return the status of the post as this run knows it."""
        return self.plan.status if self.begun else self.plan.first_status

    def view(self) -> StatusView:
        """Return the response to a query."""
        return self.visibility.view(self.plan, self.status())

    def time_left(self) -> timedelta:
        """Return how long the post must still sleep."""
        now = workflow.now()
        sleep = sleep_for(self.plan.due_at, now, immediate=self.plan.immediate)
        return max(sleep, self.not_before - now) if self.not_before else sleep

    def stays_open_until(self) -> datetime:
        """Return how long a settled target can still be edited or retried; the present time if none can."""
        return max((target.open_until for target in self.plan.targets if target.open_until), default=workflow.now())

    def has_ended(self) -> bool:
        """Return whether the run has nothing more to do, unless a message brings a newer plan."""
        return self.stopped or self.finished

    def may_begin_steps(self) -> bool:
        """Return whether a step may begin: not if the run is stopped or cancelled, or must read the row first."""
        return not (self.stopped or self.behind or self.cancelled)

    def follow(self, newer: Plan, known: Collection[str]) -> None:
        """Follow a newer plan, but keep the state that this run knows of the targets with the ids `known`."""
        self.plan = self.plan.merged(newer, known)
        self.begun = bool(known) or not self.plan.untouched
        self.stopped, self.finished, self.not_before, self.ending = False, False, None, None
        self.wake()

    def wake(self) -> None:
        """Wake the workflow's main coroutine, which checks its phases again: the plan or its due time has changed."""
        self.wakeups += 1

    # -- running steps -----------------------------------------------------------------------------------------------

    def unfinished_targets(self) -> list[TargetPlan]:
        """Return the targets whose coroutine runs."""
        unfinished = {target_id for target_id, task in self.target_tasks.items() if not task.done()}
        return [target for target in self.plan.targets if target.target_id in unfinished]

    def active_targets(self) -> list[TargetPlan]:
        """Return the targets that are being published, confirmed or completed."""
        return [target for target in self.unfinished_targets() if target.is_active]

    def runs_steps(self) -> bool:
        """Return whether a step towards a platform is running."""
        return any(not target.is_between_steps for target in self.unfinished_targets())

    def is_editing(self) -> bool:
        """Return whether an edit is running."""
        return any(not task.done() for task in self.edits)

    def is_busy(self) -> bool:
        """Return whether a target, an edit or a message is being processed."""
        return bool(self.unfinished_targets()) or self.is_editing() or not workflow.all_handlers_finished()

    def should_continue_as_new(self) -> bool:
        """Return whether the history is long enough to continue as new, and nothing would be lost by that."""
        busy = self.runs_steps() or self.is_editing() or any(not task.done() for task in self.preparing.values())
        return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished() and not busy

    def must_break_off(self) -> bool:
        """Return whether a wait must end, to continue as new or because of a mistake in our code."""
        return self.should_continue_as_new() or self.mistake() is not None

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of all coroutines of the run, including ended ones."""
        return [*self.preparing.values(), *self.target_tasks.values(), *self.edits]

    def mistake(self) -> BaseException | None:
        """Return the exception of a coroutine if it is a mistake in our code and not a failed step."""
        for task in self.tasks():
            mistake = task.exception() if task.done() and not task.cancelled() else None
            if mistake and not isinstance(mistake, FailureError):
                return mistake
        return None

    def raise_mistake(self) -> None:
        """Raise a mistake in our code, which fails the workflow task: Temporal repeats it until fixed code is deployed.

        In a separate coroutine it would end only that coroutine, and the workflow would end with the post unpublished.
        """
        if mistake := self.mistake():
            raise mistake

    # -- what operators see ------------------------------------------------------------------------------------------

    def current_work(self) -> str:
        """Return what is being done for the post, in words."""
        if active := self.active_targets():
            lost = all(target.status is TargetStatus.UNCONFIRMED for target in active)
            return "Waiting for confirmation: an answer was lost." if lost else "Publishing."
        waiting = [target for target in self.plan.targets if target.waits_for_a_time]
        if any(target.error_code for target in waiting):
            return "Refused for now by its platform; it is tried again by itself."
        if waiting:
            return "Waiting for its account's rate limit."
        held = {target.hold_reason for target in self.plan.targets if target.status is TargetStatus.HELD}
        if held == {HoldReason.PAUSED}:
            return "Held until the pause ends."
        if held:
            return "Held until its account can publish."
        return "Working on a request." if self.is_busy() else self.visibility.waiting_for

    def show(self, waiting_for: str) -> None:
        """Show operators the state of the post and what it waits for."""
        waits_for = None if self.stopped else self.plan.waits_for
        active = {target.target_id for target in self.active_targets()}
        within_task = bool(active) and active <= self.publishing_locally
        self.visibility.publish(
            self.plan, self.ending or self.status(), waiting_for, waits_for, within_task=within_task
        )

    def stop(self, waiting_for: str, ending: Ending | None = None) -> None:
        """Begin no further step, and show operators why."""
        self.stopped, self.ending = True, ending
        self.show(waiting_for)

    def stop_unpublished(self, *, deleted: bool) -> None:
        """Begin no further step, because the post is deleted, or a draft otherwise."""
        if deleted:
            self.stop("Deleted: nothing more is done.", Ending.DELETED)
        else:
            self.stop("Taken off the schedule.", Ending.DRAFT)
