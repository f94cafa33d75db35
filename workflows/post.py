"""The life of one post. It carries ids and times; content and credentials stay in the database."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from domain.plan import Plan, TargetPlan
    from domain.post import PostStatus, TargetStatus
    from workflows import details, steps
    from workflows.board import Board
    from workflows.messages import (
        ALREADY_PUBLISHING,
        NOT_EDITABLE,
        NOT_UNCONFIRMED,
        NOTHING_TO_RETRY,
        Amendment,
        Deletion,
        EditRequest,
        Resolution,
        StatusView,
    )

_NOTHING = timedelta(0)


@workflow.defn
class PostWorkflow:
    """Publish one post at its time, and stay open for as long as something can still happen to it."""

    @workflow.init
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._board = Board()
        self._begun = not plan.untouched
        self._ended = False
        self._amendments = 0
        self._amending = 0
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._delivering: dict[str, asyncio.Task[None]] = {}
        self._edits: list[asyncio.Task[None]] = []
        self._editing = asyncio.Lock()
        self._retrying = asyncio.Lock()

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        """Sleep until the post is due, publish it to every target, and wait for retries and edits."""
        try:
            await self._sleep_until_due()
            self._publish_to_every_target()
            await self._stay_while_something_can_happen()
        except asyncio.CancelledError:
            await self._write_off()
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    # -- the life of the post ----------------------------------------------------------------------------------------

    async def _sleep_until_due(self) -> None:
        while not self._begun:
            # A change that was accepted before the due time has its effect, however long it takes to apply.
            await workflow.wait_condition(lambda: not self._amending)
            left = self._plan.due_at - workflow.now()
            if self._ended or left <= _NOTHING:
                return
            self._go_on_in_a_new_run_if_grown()
            ahead = left - options.PREPARE_AHEAD if self._has_to_prepare() else _NOTHING
            if self._has_to_prepare() and ahead <= _NOTHING:
                self._prepare_ahead()
            due = details.short(self._plan.due_at)
            self._tell(f"Sleeping until {due}.")
            await self._sleep(
                ahead if ahead > _NOTHING else left,
                f"prepare the media for {due}" if ahead > _NOTHING else f"publish at {due}",
            )

    async def _sleep(self, duration: timedelta, summary: str) -> None:
        """Sleep, but wake for a change of plan."""
        seen = self._amendments
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._ended or self._amending > 0 or self._amendments != seen or self._grown(),
                timeout=duration,
                timeout_summary=summary,
            )

    def _publish_to_every_target(self) -> None:
        self._begun = True
        if not self._ended:
            self._deliver(target for target in self._plan.targets if not target.settled)

    async def _stay_while_something_can_happen(self) -> None:
        while not self._ended:
            self._go_on_in_a_new_run_if_grown()
            self._fail_if_something_broke()
            if self._occupied():
                self._tell(self._occupation())
                await workflow.wait_condition(lambda: self._ended or not self._occupied() or self._grown())
                continue
            left = self._stays_open_until() - workflow.now()
            if left <= _NOTHING:
                self._tell("Done.")
                return
            until = details.short(self._stays_open_until())
            purpose = "a retry" if self._plan.failed else "edits"
            self._tell(f"Open for {purpose} until {until}.")
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._ended or self._occupied() or self._grown(),
                    timeout=left,
                    timeout_summary=f"open for {purpose} until {until}",
                )

    def _fail_if_something_broke(self) -> None:
        """Let a mistake of ours fail the workflow's task, which Temporal repeats until code without it is deployed.

        In a coroutine of its own it would only end that, and the workflow with the post unpublished.
        """
        for task in (*self._delivering.values(), *self._edits):
            mistake = task.exception() if task.done() and not task.cancelled() else None
            if mistake and not isinstance(mistake, FailureError):
                raise mistake

    def _go_on_in_a_new_run_if_grown(self) -> None:
        """Continue as new before the history meets Temporal's limits; the plan holds all that this run knows."""
        if self._grown():
            self._tell(self._board.waiting_for)
            # What wakes in this same moment must not begin a step that nobody would hear of.
            self._ended = True
            workflow.continue_as_new(self._plan)

    # -- one target --------------------------------------------------------------------------------------------------

    def _deliver(self, targets: Iterable[TargetPlan]) -> None:
        for target in targets:
            self._delivering[target.target_id] = asyncio.create_task(self._deliver_one(target))

    async def _deliver_one(self, target: TargetPlan) -> None:
        """Publish to one target; whatever happens to it, the others go on."""
        if prepared := self._preparing.pop(target.target_id, None):
            await prepared
        deadline = target.publish_by or self._plan.due_at + self._plan.publish_within
        while not target.settled and not self._ended:
            if target.status is TargetStatus.HELD:
                await self._wait_while_held(target, deadline)
                continue
            if target.waits_for_its_turn:
                await self._wait_for_its_turn(target)
                continue
            if target.status is TargetStatus.UNCONFIRMED:
                outcome = await steps.confirm(self._plan, target)
            else:
                outcome = await steps.publish(self._plan, target, deadline)
            self._ended = self._ended or outcome.gone
            target.take(outcome)
            if target.incomplete:
                target.take(await steps.complete(self._plan, target))
            self._keep_open_for(target)
            self._tell(self._occupation())

    async def _wait_while_held(self, target: TargetPlan, deadline: datetime) -> None:
        """Wait until the target's account works again, its allowance resumes, or it is too late to publish."""
        until = min(target.resumes_at or deadline, deadline)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._ended or target.released,
                timeout=max(until - workflow.now(), _NOTHING),
                timeout_summary=f"{details.name_of(target)} held until {details.short(until)}",
            )
        target.released = False
        target.status = TargetStatus.PENDING

    async def _wait_for_its_turn(self, target: TargetPlan) -> None:
        """Wait until the target's account may publish again; nothing is sent meanwhile."""
        at = target.resumes_at or workflow.now()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._ended,
                timeout=max(at - workflow.now(), _NOTHING),
                timeout_summary=f"{details.name_of(target)} waits for its turn at {details.short(at)}",
            )
        target.resumes_at = None

    def _keep_open_for(self, target: TargetPlan) -> None:
        if target.status is TargetStatus.PUBLISHED:
            target.open_until = target.editable_until or workflow.now() + options.edit_window(target.platform)
        elif target.settled:
            target.open_until = workflow.now() + options.RETRY_WINDOW

    def _has_to_prepare(self) -> bool:
        return any(target.prepares and not target.prepared for target in self._plan.targets)

    def _prepare_ahead(self) -> None:
        for target in self._plan.targets:
            if target.prepares and not target.prepared:
                target.prepared = True
                self._preparing[target.target_id] = asyncio.create_task(steps.prepare(self._plan, target))

    async def _write_off(self) -> None:
        """Leave honest rows behind when an operator cancels the workflow."""
        for task in self._delivering.values():
            task.cancel()
        await asyncio.gather(*self._delivering.values(), return_exceptions=True)
        for target in self._plan.targets:
            if not target.settled:
                target.take(await steps.give_up(self._plan, target, "cancelled"))
        self._tell("Cancelled by an operator.")

    # -- what a client or an operator may ask for --------------------------------------------------------------------

    @workflow.query(description="Where the post stands and what its workflow waits for")
    def status(self) -> StatusView:
        """Return where the post stands."""
        return self._board.view(self._plan, self._status())

    @workflow.update(description="Apply a saved change to the scheduled post: content, targets or time")
    async def amend(self, amendment: Amendment) -> None:
        """Let the row become what the saved change says, and follow it."""
        self._amending += 1
        try:
            plan = await steps.amend(self._plan, amendment)
        finally:
            self._amending -= 1
        self._amendments += 1
        for task in self._preparing.values():
            task.cancel()
        self._preparing.clear()
        if plan is None:
            self._ended = True
            self._tell("Taken off the schedule: the post is a draft again.")
        else:
            self._plan = plan

    @amend.validator
    def _may_amend(self, amendment: Amendment) -> None:
        if self._begun or self._ended or self._plan.due_at <= workflow.now() or not self._plan.untouched:
            raise ApplicationError("Publishing has begun", type=ALREADY_PUBLISHING)

    @workflow.update(description="Delete the post from this service; what is public stays public")
    async def delete(self, deletion: Deletion | None = None) -> bool:
        """Delete the row. From the moment this is accepted nothing is sent. False where the row was gone already."""
        self._ended = True
        deleted = await steps.delete(self._plan)
        self._tell("Deleted.")
        return deleted

    @delete.validator
    def _may_delete(self, deletion: Deletion | None = None) -> None:
        # A run that has just started has sent nothing yet: that an earlier one has, its plan tells.
        due = self._begun or self._plan.due_at <= workflow.now()
        # Whoever deletes what is not out yet must not be told that it is deleted once it is.
        missed = deletion and deletion.unsent and any(target.may_be_public for target in self._plan.targets)
        if missed or self._sending() or (due and any(target.moving for target in self._plan.targets)):
            raise ApplicationError("The post is being published", type=ALREADY_PUBLISHING)

    @workflow.update(description="Publish again to the targets that failed, and look up those that are unconfirmed")
    async def retry(self) -> None:
        """Publish again to what failed; what is published is left alone."""
        await self._retry()

    @retry.validator
    def _may_retry(self) -> None:
        if self._ended or not self._plan.failed:
            raise ApplicationError("No target has failed", type=NOTHING_TO_RETRY)

    @workflow.signal(name="retry", description="As the update of that name; ignored where nothing has failed")
    async def retry_signal(self) -> None:
        """Publish again to what failed, for operators with many posts at once."""
        # A row says failed a moment before its workflow knows.
        await workflow.wait_condition(lambda: self._ended or bool(self._plan.failed) or not self._stepping())
        if not self._ended and self._plan.failed:
            await self._retry()

    @workflow.signal(description="Let held targets go on: their account works again")
    async def release(self) -> None:
        """Try held targets again now; those that must still wait are held again."""
        for target in self._plan.targets:
            target.released = not target.settled

    @workflow.update(description="Settle an unconfirmed target as a person found it on the network")
    async def resolve(self, resolution: Resolution) -> None:
        """Stop looking the target up: whoever looked knows."""
        for target in self._plan.targets:
            if target.target_id == resolution.target_id:
                if looking := self._delivering.get(target.target_id):
                    looking.cancel()
                    await asyncio.gather(looking, return_exceptions=True)
                target.take(await steps.resolve(self._plan, target, resolution))
                self._keep_open_for(target)
        self._tell(self._board.waiting_for)

    @resolve.validator
    def _may_resolve(self, resolution: Resolution) -> None:
        named = [target for target in self._plan.targets if target.target_id == resolution.target_id]
        if self._ended or not named or named[0].status is not TargetStatus.UNCONFIRMED:
            raise ApplicationError("The target is not unconfirmed", type=NOT_UNCONFIRMED)

    @workflow.update(description="Give the published targets their new text, which was saved before")
    async def edit(self, request: EditRequest) -> None:
        """Begin an edit; the revision's row tells how it went."""
        self._begin_edit(request)

    @edit.validator
    def _may_edit(self, request: EditRequest) -> None:
        if self._ended or not self._editable():
            raise ApplicationError("No published target takes this edit", type=NOT_EDITABLE)

    @workflow.signal(name="edit", description="As the update of that name; ignored where it does not apply")
    async def edit_signal(self, request: EditRequest) -> None:
        """Edit published targets, for operators."""
        if not self._ended and self._editable():
            self._begin_edit(request)

    async def _retry(self) -> None:
        # One at a time: what one has reopened must not be reopened to the next one, too.
        async with self._retrying:
            reopened = set(await steps.reopen(self._plan))
            again = [target for target in self._plan.targets if target.target_id in reopened]
            for target in again:
                if earlier := self._delivering.get(target.target_id):
                    # Its row has settled already; the step's result is on its way to us.
                    await workflow.wait_condition(earlier.done)
                target.looking = target.status is TargetStatus.UNCONFIRMED
                target.publish_by = workflow.now() + self._plan.publish_within
                target.status = target.status if target.looking else TargetStatus.PENDING
            self._deliver(again)

    def _begin_edit(self, request: EditRequest) -> None:
        # The answer to whoever asked must not wait for the network.
        self._edits.append(asyncio.create_task(self._edit(request)))

    async def _edit(self, request: EditRequest) -> None:
        # One at a time: the next edit of a tweet must name the version that the last one made.
        async with self._editing:
            for target in self._to_edit(request):
                # Its row said that it is published; the step's result may still be on its way to us.
                await workflow.wait_condition(partial(self._is_public_or_gone, target))
                try:
                    if edited := await steps.edit(self._plan, target, request):
                        target.take(edited)
                except ActivityError:
                    workflow.logger.warning("edit given up", extra={"revision_id": request.revision_id})
            self._tell(self._board.waiting_for)

    # -- what is so --------------------------------------------------------------------------------------------------

    def _grown(self) -> bool:
        """Tell whether the history is long enough to go on in a new run, and nothing would be lost by that."""
        busy = self._stepping() or self._editing_now() or any(not task.done() for task in self._preparing.values())
        return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished() and not busy

    def _publishing(self) -> bool:
        return bool(self._in_delivery())

    def _stepping(self) -> bool:
        """Tell whether a step towards a network is out."""
        return any(not target.waits for target in self._in_delivery())

    def _sending(self) -> bool:
        return any(not target.rests for target in self._in_delivery())

    def _in_delivery(self) -> list[TargetPlan]:
        under_way = {target_id for target_id, task in self._delivering.items() if not task.done()}
        return [target for target in self._plan.targets if target.target_id in under_way]

    def _editing_now(self) -> bool:
        return any(not task.done() for task in self._edits)

    def _occupation(self) -> str:
        if self._sending():
            return "Publishing."
        if any(target.waits_for_its_turn for target in self._plan.targets):
            return "Waiting for its account's turn."
        if any(target.status is TargetStatus.HELD for target in self._plan.targets):
            return "Held until its account can publish."
        return "Working on a request." if self._occupied() else self._board.waiting_for

    def _occupied(self) -> bool:
        return self._publishing() or self._editing_now() or not workflow.all_handlers_finished()

    def _to_edit(self, request: EditRequest) -> list[TargetPlan]:
        named = [target for target in self._plan.targets if target.target_id in request.target_ids]
        return named or self._editable()

    def _is_public_or_gone(self, target: TargetPlan) -> bool:
        return self._ended or target.status is TargetStatus.PUBLISHED

    def _editable(self) -> list[TargetPlan]:
        return [
            target
            for target in self._plan.targets
            if target.status is TargetStatus.PUBLISHED and options.edit_window(target.platform)
        ]

    def _status(self) -> PostStatus:
        if not self._begun and self._plan.untouched:
            return PostStatus.PUBLISHING if self._plan.immediate else PostStatus.SCHEDULED
        return self._plan.status

    def _stays_open_until(self) -> datetime:
        return max((target.open_until for target in self._plan.targets if target.open_until), default=workflow.now())

    def _tell(self, waiting_for: str) -> None:
        self._board.tell(self._plan, self._status(), waiting_for)
