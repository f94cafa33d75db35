"""The state of one run of a post's workflow: its plan, and its running steps."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from domain.ownership import sleep_for
    from domain.plan import Plan, TargetPlan
    from domain.post import PostStatus, TargetStatus
    from workflows.messages import StatusView
    from workflows.search_attributes import Ending
    from workflows.visibility import Visibility


class PostRun:
    """The state of one run. The workflow, its targets' coroutines and its edits change it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun = not plan.untouched
        self.visibility = Visibility(plan, self.status())
        self.over = False
        """Nothing is to be published: the post is a draft, or deleted."""
        self.ending: Ending | None = None
        """The ending of the run, if it differs from the post's status."""
        self.done = False
        """Nothing can happen any more to the targets of the plan."""
        self.behind = plan.in_progress and workflow.info().continued_run_id is None
        """The rows may differ from this run's plan: a step has found that, or the plan that started this run was read
        while an earlier run worked on the post, and that run may have settled it since.
        """
        self.not_before: datetime | None = None
        """Until when the post is not due by a worker's clock, although it is by Temporal's."""
        self.changes = 0
        self.cancelled = False
        self.preparing: dict[str, asyncio.Task[None]] = {}
        self.target_tasks: dict[str, asyncio.Task[None]] = {}
        self.local = set[str]()
        """Targets that are being published within the workflow's task."""
        self.newer_targets: dict[str, TargetPlan | None] = {}
        """Newer plans of targets that came while their steps were running."""
        self.edits: list[asyncio.Task[None]] = []

    # -- the state of the post ---------------------------------------------------------------------------------------

    def status(self) -> PostStatus:
        """Return the status of the post as this run knows it."""
        if not self.begun and self.plan.untouched:
            return PostStatus.PUBLISHING if self.plan.immediate else PostStatus.SCHEDULED
        return self.plan.status

    def view(self) -> StatusView:
        """Return the response to a query."""
        return self.visibility.view(self.plan, self.status())

    def time_left(self) -> timedelta:
        """Return how long the post must still sleep."""
        now = workflow.now()
        left = sleep_for(self.plan.due_at, now, immediate=self.plan.immediate)
        return max(left, self.not_before - now) if self.not_before else left

    def stays_open_until(self) -> datetime:
        """Return until when a settled target can still be edited or retried."""
        return max((target.open_until for target in self.plan.targets if target.open_until), default=workflow.now())

    def must_not_begin(self) -> bool:
        """Return whether no step may begin: there is no plan, the row must be read first, or an operator cancelled."""
        return self.over or self.behind or self.cancelled

    # -- running steps -----------------------------------------------------------------------------------------------

    def unfinished_targets(self) -> list[TargetPlan]:
        """Return the targets whose coroutine runs."""
        under_way = {target_id for target_id, task in self.target_tasks.items() if not task.done()}
        return [target for target in self.plan.targets if target.target_id in under_way]

    def runs_steps(self) -> bool:
        """Return whether a step towards a platform is running."""
        return any(not target.waits for target in self.unfinished_targets())

    def is_sending(self) -> bool:
        """Return whether a target is being published or confirmed."""
        return any(not target.is_idle for target in self.unfinished_targets())

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

    def mistake(self) -> BaseException | None:
        """Return the exception of a coroutine if it is a mistake in our code and not a failed step."""
        for task in (*self.target_tasks.values(), *self.edits, *self.preparing.values()):
            mistake = task.exception() if task.done() and not task.cancelled() else None
            if mistake and not isinstance(mistake, FailureError):
                return mistake
        return None

    def raise_mistake(self) -> None:
        """Let a mistake in our code fail the workflow's task, which Temporal repeats until fixed code is deployed.

        In a separate coroutine it would end only that coroutine, and the workflow would end with the post unpublished.
        """
        if mistake := self.mistake():
            raise mistake

    # -- what operators see ------------------------------------------------------------------------------------------

    def current_work(self) -> str:
        """Return what is being done for the post, in words."""
        if self.is_sending():
            under_way = [target for target in self.unfinished_targets() if not target.is_idle]
            lost = all(target.status is TargetStatus.UNCONFIRMED for target in under_way)
            return "Waiting for confirmation: an answer was lost." if lost else "Publishing."
        waiting = [target for target in self.plan.targets if target.waits_for_a_time]
        if any(target.error_code for target in waiting):
            return "Refused for now by its platform; it is tried again by itself."
        if waiting:
            return "Waiting for its account's rate limit."
        if any(target.status is TargetStatus.HELD for target in self.plan.targets):
            return "Held until its account can publish."
        return "Working on a request." if self.is_busy() else self.visibility.waiting_for

    def show(self, waiting_for: str) -> None:
        """Show operators the state of the post and what it waits for."""
        waits_for = None if self.over else self.plan.waits_for
        moving = {target.target_id for target in self.unfinished_targets() if not target.is_idle}
        within_task = bool(moving) and moving <= self.local
        self.visibility.publish(
            self.plan, self.ending or self.status(), waiting_for, waits_for, within_task=within_task
        )

    def end_as(self, ending: Ending) -> None:
        """End, because nothing is to be published any more."""
        self.over, self.ending = True, ending
        self.show("Deleted: nothing more is done." if ending is Ending.DELETED else "Taken off the schedule.")
