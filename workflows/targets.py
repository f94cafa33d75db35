"""Publishing to the targets of a post, one coroutine for each so that a slow one does not delay others; their edits."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.commands import GiveUpReason
    from domain.plan import Outcome, Plan, TargetPlan
    from domain.post import HoldReason, TargetStatus
    from workflows import details, steps
    from workflows.messages import EditRequest
    from workflows.post_run import PostRun


class Edits:
    """The edits of one run, one at a time."""

    def __init__(self, run: PostRun) -> None:
        self._run = run
        self._editing = asyncio.Lock()

    def begin(self, request: EditRequest) -> None:
        """Begin an edit after those that are running."""
        # The response to the caller must not wait for the platform.
        self._run.edits.append(asyncio.create_task(self._edit(request)))

    async def _edit(self, request: EditRequest) -> None:
        # One at a time: the next edit of a tweet must name the version that the last edit made.
        async with self._editing:
            for target_id in [target.target_id for target in self.to_edit(request)]:
                # The target's row said that it is published, but this run may not have received the step's result yet.
                await workflow.wait_condition(partial(self._is_published, target_id))
                target = self._run.plan.target(target_id)
                if not self._run.may_begin_steps() or target is None:
                    return
                try:
                    if edited := await steps.edit(self._run.plan, target, request):
                        target.apply(edited)
                except ActivityError:
                    workflow.logger.warning("edit given up", extra={"revision_id": request.revision_id})
            self._run.show(self._run.visibility.waiting_for)

    def to_edit(self, request: EditRequest) -> list[TargetPlan]:
        """Return the named targets; if none are named, those that can be edited."""
        if request.target_ids:
            return [target for target in self._run.plan.targets if target.target_id in request.target_ids]
        return [
            target
            for target in self._run.plan.targets
            if target.status is TargetStatus.PUBLISHED and options.edit_window(target.platform)
        ]

    def _is_published(self, target_id: str) -> bool:
        """Return whether this run knows that a target is public, or has no running step that could report it."""
        target = self._run.plan.target(target_id)
        public = target is None or target.status is TargetStatus.PUBLISHED
        return public or not self._run.may_begin_steps() or target not in self._run.unfinished_targets()


_NOTHING = timedelta(0)
_SHORTEST = timedelta(seconds=1)
"""The shortest wait for a time that another machine has named, because its clock may be behind."""


class TargetCoroutines:
    """The coroutines of one run's targets, each from the first try to the target's final state."""

    def __init__(self, run: PostRun) -> None:
        self._run = run

    def begin(self) -> None:
        """Begin to publish to every target that is not settled, each in a separate coroutine."""
        unfinished = {target.target_id for target in self._run.unfinished_targets()}
        for target in self._run.plan.targets:
            if not target.settled and target.target_id not in unfinished:
                self._run.target_tasks[target.target_id] = asyncio.create_task(self._publish_to_target(target))

    def adapt_to(self, newer: Plan) -> set[str]:
        """Cancel the coroutines that do not fit a newer plan; return the ids of the targets whose state is to be kept.

        A step that runs is not cancelled. Its coroutine compares the result with the newer plan.
        """
        known = set[str]()
        for target in self._run.unfinished_targets():
            newer_target = newer.target(target.target_id)
            if not target.is_between_steps:
                known.add(target.target_id)
                self._run.newer_targets[target.target_id] = newer_target
            elif target.starts_over(newer_target):
                self._run.target_tasks.pop(target.target_id).cancel()
            elif newer_target and not newer_target.settled:
                known.add(target.target_id)
            else:
                # A person has decided its outcome, or the plan no longer has it: there is nothing left to wait for.
                self._run.target_tasks[target.target_id].cancel()
        for task in self._run.preparing.values():
            task.cancel()
        self._run.preparing.clear()
        return known

    async def _publish_to_target(self, target: TargetPlan) -> None:
        """Publish to one target until it is settled, independently of the others."""
        if prepared := self._run.preparing.pop(target.target_id, None):
            await prepared
        deadline = target.publish_by or self._run.plan.due_at + self._run.plan.publish_within
        while not target.settled and self._run.may_begin_steps():
            if target.status is TargetStatus.HELD:
                await self._wait_while_held(target, deadline)
                continue
            if target.waits_for_a_time:
                await self._wait_for_its_time(target)
                continue
            if target.status is TargetStatus.UNCONFIRMED:
                outcome = await self._confirm(target)
            else:
                outcome = await self._publish(target, deadline)
            newer = self._run.newer_targets.pop(target.target_id, None)
            if outcome.did_nothing:
                self._begin_again(outcome)
                return
            target.apply(outcome)
            if target.incomplete and not self._run.cancelled:
                target.apply(await steps.complete(self._run.plan, target))
            self._keep_open(target)
            is_replaced = newer is not None and self._replace_if_reopened(target, newer)
            self._run.show(self._run.current_work())
            if is_replaced:
                return

    async def _publish(self, target: TargetPlan, deadline: datetime) -> Outcome:
        """Publish within this task of the workflow if that can be done soon, otherwise by an activity."""
        outcome = None
        if (self._run.plan.immediate or not target.must_prepare) and deadline > workflow.now():
            self._run.publishing_locally.add(target.target_id)
            outcome = await steps.publish_locally(self._run.plan, target, deadline)
            self._run.publishing_locally.discard(target.target_id)
        if outcome is None:
            self._run.show(self._run.current_work())
            outcome = await steps.publish(self._run.plan, target, deadline)
        return outcome

    async def _confirm(self, target: TargetPlan) -> Outcome:
        """Try to confirm a send, repeatedly, until it is found, ruled out or given up."""
        plan = self._run.plan
        target.confirm_until = target.confirm_until or workflow.now() + options.CONFIRM_WITHIN
        while True:
            again_in = await self._wait_for_confirm(target)
            outcome = await steps.confirm(plan, target, again_in)
            if outcome and not (outcome.status is TargetStatus.UNCONFIRMED and outcome.confirming):
                return outcome
            _raise_if_cancelled()
            if workflow.now() >= target.confirm_until:
                return await steps.give_up(plan, target, GiveUpReason.UNCONFIRMED)

    async def _wait_for_confirm(self, target: TargetPlan) -> timedelta:
        """Wait until the next attempt to confirm a send is due, or a person asks for one.

        Return the time from then to the attempt after it. However often a person asks, that attempt is no later.
        """
        # The time is known if a person asked for the last attempt, or if an earlier run of the workflow has set it.
        wait = options.confirm_wait(target.confirm_attempts)
        target.next_confirm_at = target.next_confirm_at or workflow.now() + wait
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: target.released,
                timeout=max(target.next_confirm_at - workflow.now(), _NOTHING),
                timeout_summary=f"confirm on {details.account_name(target)}",
            )
        again_in = target.next_confirm_at - workflow.now()
        if not target.released or again_in <= _NOTHING:
            target.next_confirm_at, target.confirm_attempts = None, target.confirm_attempts + 1
            again_in = options.confirm_wait(target.confirm_attempts)
        target.released = False
        return again_in

    def _begin_again(self, outcome: Outcome) -> None:
        """Begin again with the post, from the row's state that kept a step from doing anything."""
        if outcome.stale:
            self._run.behind = True
        if outcome.early:
            self._run.begun = False
            self._run.not_before = workflow.now() + outcome.early
            self._run.wake()

    def _replace_if_reopened(self, target: TargetPlan, newer: TargetPlan) -> bool:
        """Follow a newer plan's target, which came while a step ran, if the step's result lets it begin again."""
        reopened = target.settled and target.status is not TargetStatus.PUBLISHED and not newer.settled
        if is_replaced := reopened or target.starts_over(newer):
            self._run.plan.replace(newer)
            self._run.wake()
        return is_replaced

    async def _wait_while_held(self, target: TargetPlan, deadline: datetime) -> None:
        """Wait until the target's account works again, its quota resets, its pause ends, or it is too late to publish.

        Its time to be published stands still during a pause. Its row is read once a day, if the message that ends the
        wait is lost.
        """
        until = min(target.resumes_at or deadline, deadline)
        if target.hold_reason is HoldReason.PAUSED:
            until = workflow.now() + options.RECHECK_PAUSE
        await self._wait_until(target, until, "held until")
        target.status = TargetStatus.PENDING

    async def _wait_for_its_time(self, target: TargetPlan) -> None:
        """Wait for the target's slot or its next try, unless an operator releases it; nothing is sent meanwhile."""
        why = "is refused for now, and tried again at" if target.error_code else "waits for its rate limit until"
        await self._wait_until(target, target.resumes_at or workflow.now(), why)
        target.resumes_at = None

    async def _wait_until(self, target: TargetPlan, until: datetime, why: str) -> None:
        """Wait until a time, or until the target is released, or no step may begin."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: target.released or not self._run.may_begin_steps(),
                timeout=max(until - workflow.now(), _SHORTEST),
                timeout_summary=f"{details.account_name(target)} {why} {details.short(until)}",
            )
        target.released = False

    def keep_settled_open(self) -> None:
        """Set how long settled targets can be edited or retried, if that is not known."""
        for target in self._run.plan.targets:
            if not target.open_until:
                self._keep_open(target)

    def _keep_open(self, target: TargetPlan) -> None:
        """Set how long a target can be edited or retried, if it is settled."""
        if target.status is TargetStatus.PUBLISHED:
            target.open_until = target.editable_until or workflow.now() + options.edit_window(target.platform)
        elif target.settled:
            target.open_until = workflow.now() + options.RETRY_WINDOW

    def has_to_prepare(self) -> bool:
        """Return whether a target needs media that are not uploaded yet."""
        return any(target.must_prepare for target in self._run.plan.targets)

    def prepare_ahead(self) -> None:
        """Begin to upload the targets' media before the post is due."""
        for target in self._run.plan.targets:
            if target.must_prepare:
                target.prepared = True
                self._run.preparing[target.target_id] = asyncio.create_task(steps.prepare(self._run.plan, target))


def _raise_if_cancelled() -> None:
    """Raise CancelledError if this coroutine was cancelled while an activity ran that ended all the same."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
