"""The workflow of one post. It carries ids and times; content and credentials stay in the database."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from domain import codes
    from domain.ownership import VersionComparison, compare_versions
    from domain.plan import Plan
    from workflows import details, steps
    from workflows.messages import EditRequest, Rejection, StatusView, Unschedule
    from workflows.post_run import PostRun
    from workflows.search_attributes import Ending
    from workflows.targets import Edits, TargetCoroutines

_NOTHING = timedelta(0)


@workflow.defn
class PostWorkflow:
    """A workflow that publishes one post at its time, and stays open while something can still happen to it.

    Only the post's row decides what is to be published. This run knows one version of the row, its plan, and takes up
    newer ones. Every step that sends compares the version with the row's.
    """

    @workflow.init
    def __init__(self, plan: Plan) -> None:
        self._run = PostRun(plan)
        self._targets = TargetCoroutines(self._run)
        self._edits = Edits(self._run)

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        """Sleep until the post is due, publish it to every target, and stay open for retries and edits."""
        try:
            while not await self._has_ended():
                await self._read_row_if_behind()
                await self._sleep_until_due()
                self._publish_to_every_target()
                await self._stay_open()
        except asyncio.CancelledError:
            await self._write_off()
            raise
        return self.status()

    # -- phases ------------------------------------------------------------------------------------------------------

    async def _has_ended(self) -> bool:
        """Return whether the run ends. Every message is handled before that, because it may bring a newer plan."""
        if self._run.has_ended():
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self._run.has_ended()

    async def _read_row_if_behind(self) -> None:
        if not self._run.behind:
            return
        known = self._run.plan.version
        plan = await steps.read_plan(self._run.plan)
        self._run.behind = False
        if self._run.plan.version != known:
            # A newer plan came while the row was read.
            return
        if not isinstance(plan, Plan):
            self._run.stop_unpublished(deleted=plan is None)
        elif plan.version < known:
            self._run.stop(
                "Ended: the post's row is older than this run, as after a restore. `socialsyncer doctor` tells more."
            )
        else:
            self._follow(plan)

    async def _sleep_until_due(self) -> None:
        while not self._run.begun and not self._run.stopped:
            wait = self._run.time_left()
            if wait <= _NOTHING:
                return
            self._continue_as_new_if_suggested()
            due = details.short(self._run.plan.due_at)
            purpose = f"publish at {due}"
            if self._targets.has_to_prepare():
                wait_to_prepare = wait - options.prepare_ahead(self._run.plan.post_id)
                if wait_to_prepare > _NOTHING:
                    wait, purpose = wait_to_prepare, f"prepare the media for {due}"
                else:
                    self._targets.prepare_ahead()
            self._run.show(f"Sleeping until {due}.")
            await self._sleep(wait, purpose)

    async def _sleep(self, duration: timedelta, purpose: str) -> None:
        """Sleep, but wake if the plan changes."""
        seen = self._run.wakeups
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._run.stopped or self._run.wakeups != seen or self._run.must_break_off(),
                timeout=duration,
                timeout_summary=purpose,
            )
        self._run.raise_mistake()

    def _publish_to_every_target(self) -> None:
        if not self._run.stopped:
            self._run.begun, self._run.not_before = True, None
            self._targets.begin()

    async def _stay_open(self) -> None:
        """Wait while steps run, and then for retries and edits, until there is something to begin or to end."""
        seen = self._run.wakeups

        def is_woken() -> bool:
            return self._run.stopped or self._run.behind or self._run.wakeups != seen

        # Let the targets' coroutines begin, so that it is known which of them publish within this task.
        await asyncio.sleep(0)
        while not is_woken():
            self._continue_as_new_if_suggested()
            self._run.raise_mistake()
            if self._run.is_busy():
                self._run.show(self._run.current_work())
                await workflow.wait_condition(
                    lambda: is_woken() or not self._run.is_busy() or self._run.must_break_off()
                )
            elif self._run.stays_open_until() > workflow.now():
                await self._wait_for_requests(is_woken)
            else:
                self._run.show("Done.")
                self._run.finished = True
                return

    async def _wait_for_requests(self, is_woken: Callable[[], bool]) -> None:
        """Wait for a retry or an edit as long as one may come."""
        until = self._run.stays_open_until()
        purpose = "a retry" if self._run.plan.failed_or_unconfirmed else "edits"
        self._run.show(f"Open for {purpose} until {details.short(until)}.")
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: is_woken() or self._run.is_busy() or self._run.must_break_off(),
                timeout=until - workflow.now(),
                timeout_summary=f"open for {purpose} until {details.short(until)}",
            )

    def _continue_as_new_if_suggested(self) -> None:
        """Continue as new before the history reaches Temporal's limits; the plan contains all that this run knows."""
        if self._run.should_continue_as_new():
            self._run.show(self._run.visibility.waiting_for)
            # A coroutine that wakes in this same moment must not begin a step, because this run would not receive its
            # result.
            self._run.stopped = True
            workflow.continue_as_new(self._run.plan)

    # -- the plan ----------------------------------------------------------------------------------------------------

    @workflow.update(description="Follow a newer plan of the row: content, targets, time, a retry")
    async def update_plan(self, plan: Plan) -> None:
        """Follow this plan of the row from now on; a plan that is not newer than this run's changes nothing."""
        self._follow_if_newer(plan)

    @update_plan.validator
    def _may_update_plan(self, plan: Plan) -> None:
        if compare_versions(self._run.plan.post_version, plan.post_version) is VersionComparison.ANOTHER_POST:
            raise ApplicationError("This is the workflow of another post", type=Rejection.ANOTHER_POST)
        if self._run.cancelled:
            raise ApplicationError("This run was cancelled and ends", type=Rejection.CANCELLED)

    @workflow.signal(description="End: the post is a draft or deleted")
    async def unschedule(self, request: Unschedule) -> None:
        """End, unless a newer plan is known."""
        if request.post_id == self._run.plan.post_id and request.version > self._run.plan.version:
            self._run.plan = self._run.plan.model_copy(update={"version": request.version})
            self._run.stop_unpublished(deleted=request.deleted)

    def _follow_if_newer(self, plan: Plan | None) -> None:
        if plan and compare_versions(self._run.plan.post_version, plan.post_version) is VersionComparison.NEWER:
            self._follow(plan)

    def _follow(self, plan: Plan) -> None:
        self._run.follow(plan, self._targets.adapt_to(plan))
        self._targets.keep_settled_open()

    # -- an operator cancels -----------------------------------------------------------------------------------------

    async def _write_off(self) -> None:
        """Write off the targets if an operator cancels the workflow, once no step runs that could change them."""
        self._run.cancelled = True
        tasks = self._run.tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await workflow.wait_condition(workflow.all_handlers_finished)
        # The rows decide, not this run's plan: they may have a newer request by now.
        plan = await steps.write_off(self._run.plan)
        if not isinstance(plan, Plan):
            self._run.stop_unpublished(deleted=plan is None)
            return
        self._run.plan = plan.model_copy(update={"workspace": plan.workspace or self._run.plan.workspace})
        if any(target.error_code == codes.CANCELLED for target in plan.targets):
            self._run.ending = Ending.CANCELLED
        self._run.show("Cancelled by an operator. Targets that were not sent can be retried.")

    # -- requests of clients and operators ---------------------------------------------------------------------------

    @workflow.query(description="The state of the post and what its workflow waits for")
    def status(self) -> StatusView:
        """Return the state of the post."""
        return self._run.view()

    @workflow.signal(description="Try immediately: publish again to failed and held targets, confirm unconfirmed ones")
    async def retry(self) -> None:
        """Publish again to failed targets, for operators with many posts; published targets do not change."""
        self._release_waiting_targets()
        # A target's row says `failed` a moment before this run receives the result of its step.
        await workflow.wait_condition(
            lambda: (
                not self._run.may_begin_steps()
                or bool(self._run.plan.failed_or_unconfirmed)
                or not self._run.runs_steps()
            )
        )
        if self._run.may_begin_steps() and self._run.plan.failed_or_unconfirmed:
            self._follow_if_newer(await steps.reopen(self._run.plan))

    @workflow.signal(description="Try held targets again: their account works again")
    async def release(self) -> None:
        """Try held targets again now; those that must still wait are held again."""
        self._release_waiting_targets()

    def _release_waiting_targets(self) -> None:
        for target in self._run.plan.targets:
            # Also a target whose step is running: its row may say `held` already. Any other result resets this.
            target.released = not target.settled

    @workflow.update(description="Give the published targets their new text, which was saved before")
    async def edit(self, request: EditRequest) -> None:
        """Begin an edit; its result is in the revision's row."""
        self._edits.begin(request)

    @edit.validator
    def _may_edit(self, request: EditRequest) -> None:
        if not self._run.may_begin_steps() or not self._edits.to_edit(request):
            raise ApplicationError("No published target takes this edit", type=Rejection.NOT_EDITABLE)

    @workflow.signal(name="edit", description="As the update of that name; ignored if it does not apply")
    async def edit_signal(self, request: EditRequest) -> None:
        """Edit published targets, for operators."""
        if self._run.may_begin_steps() and self._edits.to_edit(request):
            self._edits.begin(request)
