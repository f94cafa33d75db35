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
    from domain.codes import CANCELLED as CODE_CANCELLED
    from domain.outcome import Outcome
    from domain.ownership import Offer, judge_offer, sleep_for
    from domain.plan import Plan, TargetPlan
    from domain.post import PostStatus, TargetStatus
    from workflows import details, steps
    from workflows.messages import ANOTHER_POST, CANCELLED, NOT_EDITABLE, EditRequest, StatusView, Unschedule
    from workflows.search_attributes import Ending
    from workflows.visibility import Visibility

_NOTHING = timedelta(0)
_SHORTEST = timedelta(seconds=1)
"""The least that is waited for a time which another machine has named: its clock may be behind."""


@workflow.defn
class PostWorkflow:
    """A workflow that publishes one post at its time, and stays open while something can still happen to it.

    What is wanted is decided by the post's row alone. This run knows one version of it, its plan, and takes up newer
    ones; every step that sends compares the version with the row's.
    """

    @workflow.init
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._begun = not plan.untouched
        self._visibility = Visibility(plan, self._status())
        self._over = False
        """Nothing is wanted: the post is a draft, or deleted."""
        self._ending: Ending | None = None
        """As what the run ends, if not as where its post stands."""
        self._done = False
        """Nothing can happen any more to what is wanted."""
        self._behind = False
        """A step has found that the rows are not what this run knows."""
        self._not_before: datetime | None = None
        """Until when the post is not due by the clock of a worker, although it is by Temporal's."""
        self._changes = 0
        self._cancelled = False
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._delivering: dict[str, asyncio.Task[None]] = {}
        self._local = set[str]()
        """Targets that are being published within the workflow's task."""
        self._newer_targets: dict[str, TargetPlan | None] = {}
        """What was wanted of a target while its step was out."""
        self._edits: list[asyncio.Task[None]] = []
        self._editing = asyncio.Lock()

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        """Sleep until the post is due, publish it to every target, and wait for retries and edits."""
        try:
            while not await self._has_ended():
                await self._read_plan_if_behind()
                await self._sleep_until_due()
                self._publish_to_every_target()
                await self._stay_while_something_can_happen()
        except asyncio.CancelledError:
            await self._write_off()
            raise
        return self.status()

    # -- the life of the post ----------------------------------------------------------------------------------------

    async def _has_ended(self) -> bool:
        """Tell whether the run ends. No message is lost by that: each is handled before, and may want something new."""
        if self._over or self._done:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self._over or self._done

    async def _read_plan_if_behind(self) -> None:
        if not self._behind:
            return
        known = self._plan.version
        plan = await steps.read_plan(self._plan)
        self._behind = False
        if self._plan.version != known:
            # The plan that was read is older than one that came meanwhile.
            return
        if isinstance(plan, Plan) and plan.version >= self._plan.version:
            self._take_up(plan)
        elif isinstance(plan, Plan):
            self._over = True
            self._show(
                "Ended: the post's row is older than this run, as after a restore. `socialsyncer doctor` tells more."
            )
        else:
            self._end_as(Ending.DELETED if plan is None else Ending.DRAFT)

    async def _sleep_until_due(self) -> None:
        while not self._begun and not self._over:
            left = self._time_left()
            if left <= _NOTHING:
                return
            self._continue_as_new_if_suggested()
            ahead = left - options.prepare_ahead(self._plan.post_id) if self._has_to_prepare() else _NOTHING
            if self._has_to_prepare() and ahead <= _NOTHING:
                self._prepare_ahead()
            due = details.short(self._plan.due_at)
            self._show(f"Sleeping until {due}.")
            await self._sleep(
                ahead if ahead > _NOTHING else left,
                f"prepare the media for {due}" if ahead > _NOTHING else f"publish at {due}",
            )

    def _time_left(self) -> timedelta:
        """Return how long the post must still sleep."""
        now = workflow.now()
        left = sleep_for(self._plan.due_at, now, immediate=self._plan.immediate)
        return max(left, self._not_before - now) if self._not_before else left

    async def _sleep(self, duration: timedelta, summary: str) -> None:
        """Sleep, but wake for a change of plan."""
        seen = self._changes
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._over or self._changes != seen or self._should_continue_as_new() or self._has_mistake(),
                timeout=duration,
                timeout_summary=summary,
            )
        self._raise_mistake()

    def _publish_to_every_target(self) -> None:
        if self._over:
            return
        self._begun, self._not_before = True, None
        under_way = {target.target_id for target in self._in_delivery()}
        self._deliver(each for each in self._plan.targets if not each.settled and each.target_id not in under_way)

    async def _stay_while_something_can_happen(self) -> None:
        """Wait until nothing can happen any more, or there is something to begin with."""
        seen = self._changes

        def woken() -> bool:
            return self._over or self._behind or self._changes != seen

        # The targets' coroutines begin, so that it is known which of them are published within this task.
        await asyncio.sleep(0)
        while not woken():
            self._continue_as_new_if_suggested()
            self._raise_mistake()
            if self._is_busy():
                self._show(self._current_work())
                await workflow.wait_condition(
                    lambda: woken() or not self._is_busy() or self._should_continue_as_new() or self._has_mistake()
                )
                continue
            left = self._stays_open_until() - workflow.now()
            if left <= _NOTHING:
                self._show("Done.")
                self._done = True
                return
            until = details.short(self._stays_open_until())
            purpose = "a retry" if self._plan.failed else "edits"
            self._show(f"Open for {purpose} until {until}.")
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: woken() or self._is_busy() or self._should_continue_as_new(),
                    timeout=left,
                    timeout_summary=f"open for {purpose} until {until}",
                )

    def _has_mistake(self) -> bool:
        return self._mistake() is not None

    def _mistake(self) -> BaseException | None:
        for task in (*self._delivering.values(), *self._edits, *self._preparing.values()):
            mistake = task.exception() if task.done() and not task.cancelled() else None
            if mistake and not isinstance(mistake, FailureError):
                return mistake
        return None

    def _raise_mistake(self) -> None:
        """Let a mistake of ours fail the workflow's task, which Temporal repeats until code without it is deployed.

        In a coroutine of its own it would only end that, and the workflow with the post unpublished.
        """
        if mistake := self._mistake():
            raise mistake

    def _continue_as_new_if_suggested(self) -> None:
        """Continue as new before the history meets Temporal's limits; the plan holds all that this run knows."""
        if self._should_continue_as_new():
            self._show(self._visibility.waiting_for)
            # What wakes in this same moment must not begin a step that nothing would hear of.
            self._over = True
            workflow.continue_as_new(self._plan)

    # -- what is wanted ----------------------------------------------------------------------------------------------

    @workflow.update(description="Take up a newer version of what is wanted: content, targets, time, a retry")
    async def take_up(self, plan: Plan) -> None:
        """Follow the row from now on as this plan says; an older plan than is known changes nothing."""
        if judge_offer(self._plan.post_version, plan.post_version) is Offer.NEWER:
            self._take_up(plan)

    @take_up.validator
    def _may_take_up(self, plan: Plan) -> None:
        if judge_offer(self._plan.post_version, plan.post_version) is Offer.ANOTHER_POST:
            raise ApplicationError("This is the workflow of another post", type=ANOTHER_POST)
        if self._cancelled:
            raise ApplicationError("This run was cancelled and ends", type=CANCELLED)

    @workflow.signal(description="Nothing is wanted any more: the post is a draft, or deleted")
    async def unschedule(self, request: Unschedule) -> None:
        """End, unless something newer is wanted."""
        if request.post_id == self._plan.post_id and request.version > self._plan.version:
            self._plan = self._plan.model_copy(update={"version": request.version})
            self._end_as(Ending.DELETED if request.deleted else Ending.DRAFT)

    def _end_as(self, ending: Ending) -> None:
        """End because nothing is wanted any more."""
        self._over, self._ending = True, ending
        self._show("Deleted: nothing more is done." if ending is Ending.DELETED else "Taken off the schedule.")

    def _take_up(self, newer: Plan) -> None:
        """Follow a newer plan. A target whose step is out stays as it is known here until that step's result."""
        busy = set[str]()
        for target in self._in_delivery():
            wanted = newer.target(target.target_id)
            if not target.waits:
                busy.add(target.target_id)
                self._newer_targets[target.target_id] = wanted
            elif target.starts_over(wanted):
                self._delivering.pop(target.target_id).cancel()
            elif wanted and not wanted.settled:
                busy.add(target.target_id)
            else:
                # A person has decided it, or it is not wanted any more: there is nothing left to wait for.
                self._delivering[target.target_id].cancel()
        for task in self._preparing.values():
            task.cancel()
        self._preparing.clear()
        self._plan = self._plan.merged(newer, busy)
        self._begun = bool(busy) or not self._plan.untouched
        self._over, self._done, self._not_before, self._ending = False, False, None, None
        self._changes += 1
        for target in self._plan.targets:
            if target.settled and not target.open_until:
                self._keep_open_for(target)

    # -- one target --------------------------------------------------------------------------------------------------

    def _deliver(self, targets: Iterable[TargetPlan]) -> None:
        for target in targets:
            self._delivering[target.target_id] = asyncio.create_task(self._deliver_one(target))

    async def _deliver_one(self, target: TargetPlan) -> None:
        """Publish to one target; whatever happens to it, the others go on."""
        if prepared := self._preparing.pop(target.target_id, None):
            await prepared
        deadline = target.publish_by or self._plan.due_at + self._plan.publish_within
        while not target.settled and not self._must_not_begin():
            if target.status is TargetStatus.HELD:
                await self._wait_while_held(target, deadline)
                continue
            if target.waits_for_a_time:
                await self._wait_for_its_time(target)
                continue
            if target.status is TargetStatus.UNCONFIRMED:
                outcome = await steps.confirm(self._plan, target)
            else:
                outcome = await self._publish(target, deadline)
            newer = self._newer_targets.pop(target.target_id, None)
            if self._has_to_begin_again(outcome):
                return
            target.apply(outcome)
            if target.incomplete and not self._cancelled:
                target.apply(await steps.complete(self._plan, target))
            self._keep_open_for(target)
            again = newer is not None and self._begin_again_if_wanted(target, newer)
            self._show(self._current_work())
            if again:
                return

    async def _publish(self, target: TargetPlan, deadline: datetime) -> Outcome:
        """Publish within this task of the workflow if that can be done soon, else by an activity."""
        outcome, begun_ahead = None, target.prepared or not target.prepares
        if (self._plan.immediate or begun_ahead) and deadline > workflow.now():
            self._local.add(target.target_id)
            outcome = await steps.publish_locally(self._plan, target, deadline)
            self._local.discard(target.target_id)
        if outcome is None:
            self._show(self._current_work())
            outcome = await steps.publish(self._plan, target, deadline)
        return outcome

    def _begin_again_if_wanted(self, target: TargetPlan, newer: TargetPlan) -> bool:
        """Follow a plan for a target that came before it was known here that it failed or is held."""
        reopened = target.settled and target.status is not TargetStatus.PUBLISHED and not newer.settled
        if again := reopened or target.starts_over(newer):
            self._plan.replace(newer)
            self._changes += 1
        return again

    def _has_to_begin_again(self, outcome: Outcome) -> bool:
        """Tell whether a step has done nothing because of what the row says; the post then begins with that."""
        if outcome.stale:
            self._behind = True
        if outcome.early:
            self._begun = False
            self._not_before = workflow.now() + outcome.early
            self._changes += 1
        return outcome.stale or outcome.early is not None

    async def _wait_while_held(self, target: TargetPlan, deadline: datetime) -> None:
        """Wait until the target's account works again, its quota resets, or it is too late to publish."""
        until = min(target.resumes_at or deadline, deadline)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._must_not_begin() or target.released,
                timeout=max(until - workflow.now(), _SHORTEST),
                timeout_summary=f"{details.name_of(target)} held until {details.short(until)}",
            )
        target.released = False
        target.status = TargetStatus.PENDING

    async def _wait_for_its_time(self, target: TargetPlan) -> None:
        """Wait for the target's slot or its next try, unless an operator wants it now; nothing is sent meanwhile."""
        at = target.resumes_at or workflow.now()
        why = "is refused for now, and tried again at" if target.error_code else "waits for its rate limit until"
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._must_not_begin() or target.released,
                timeout=max(at - workflow.now(), _SHORTEST),
                timeout_summary=f"{details.name_of(target)} {why} {details.short(at)}",
            )
        target.released, target.resumes_at = False, None

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
        """Leave honest rows behind if an operator cancels the workflow, once nothing is out that could change them."""
        self._cancelled = True
        tasks = [*self._preparing.values(), *self._delivering.values(), *self._edits]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await workflow.wait_condition(workflow.all_handlers_finished)
        # The rows, not what is known here: something else may be wanted of them by now.
        plan = await steps.write_off(self._plan)
        if not isinstance(plan, Plan):
            self._end_as(Ending.DELETED if plan is None else Ending.DRAFT)
            return
        self._plan = plan.model_copy(update={"workspace": plan.workspace or self._plan.workspace})
        if any(target.error_code == CODE_CANCELLED for target in plan.targets):
            self._ending = Ending.CANCELLED
        self._show("Cancelled by an operator. What was not sent can be retried.")

    # -- what a client or an operator may ask for --------------------------------------------------------------------

    @workflow.query(description="Where the post stands and what its workflow waits for")
    def status(self) -> StatusView:
        """Return where the post stands."""
        return self._visibility.view(self._plan, self._status())

    @workflow.signal(
        description="Try at once whatever waits: publish again to what failed or is held, confirm what is unconfirmed"
    )
    async def retry(self) -> None:
        """Publish again to what failed, for operators with many posts at once; what is published is left alone."""
        self._release_what_waits()
        # A row says failed a moment before its workflow knows.
        await workflow.wait_condition(
            lambda: self._must_not_begin() or bool(self._plan.failed) or not self._runs_steps()
        )
        if not self._must_not_begin() and self._plan.failed:
            reopened = await steps.reopen(self._plan)
            if reopened and judge_offer(self._plan.post_version, reopened.post_version) is Offer.NEWER:
                self._take_up(reopened)

    @workflow.signal(description="Let held targets go on: their account works again")
    async def release(self) -> None:
        """Try held targets again now; those that must still wait are held again."""
        self._release_what_waits()

    def _release_what_waits(self) -> None:
        for target in self._plan.targets:
            # Also one whose step is out: its row may say held already. Any other result takes this back.
            target.released = not target.settled

    @workflow.update(description="Give the published targets their new text, which was saved before")
    async def edit(self, request: EditRequest) -> None:
        """Begin an edit; the revision's row tells how it went."""
        self._begin_edit(request)

    @edit.validator
    def _may_edit(self, request: EditRequest) -> None:
        if self._must_not_begin() or not self._to_edit(request):
            raise ApplicationError("No published target takes this edit", type=NOT_EDITABLE)

    @workflow.signal(name="edit", description="As the update of that name; ignored where it does not apply")
    async def edit_signal(self, request: EditRequest) -> None:
        """Edit published targets, for operators."""
        if not self._must_not_begin() and self._to_edit(request):
            self._begin_edit(request)

    def _begin_edit(self, request: EditRequest) -> None:
        # The answer to the caller must not wait for the network.
        self._edits.append(asyncio.create_task(self._edit(request)))

    async def _edit(self, request: EditRequest) -> None:
        # One at a time: the next edit of a tweet must name the version that the last one made.
        async with self._editing:
            for target_id in [target.target_id for target in self._to_edit(request)]:
                # Its row said that it is published; the step's result may still be on its way to us.
                await workflow.wait_condition(partial(self._is_published, target_id))
                target = self._plan.target(target_id)
                if self._must_not_begin() or target is None:
                    return
                try:
                    if edited := await steps.edit(self._plan, target, request):
                        target.apply(edited)
                except ActivityError:
                    workflow.logger.warning("edit given up", extra={"revision_id": request.revision_id})
            self._show(self._visibility.waiting_for)

    # -- what is so --------------------------------------------------------------------------------------------------

    def _should_continue_as_new(self) -> bool:
        """Tell whether the history is long enough to go on in a new run, and nothing would be lost by that."""
        busy = self._runs_steps() or self._is_editing() or any(not task.done() for task in self._preparing.values())
        return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished() and not busy

    def _is_publishing(self) -> bool:
        return bool(self._in_delivery())

    def _runs_steps(self) -> bool:
        """Tell whether a step towards a network is out."""
        return any(not target.waits for target in self._in_delivery())

    def _is_sending(self) -> bool:
        return any(not target.is_idle for target in self._in_delivery())

    def _in_delivery(self) -> list[TargetPlan]:
        under_way = {target_id for target_id, task in self._delivering.items() if not task.done()}
        return [target for target in self._plan.targets if target.target_id in under_way]

    def _is_editing(self) -> bool:
        return any(not task.done() for task in self._edits)

    def _current_work(self) -> str:
        if self._is_sending():
            under_way = [target for target in self._in_delivery() if not target.is_idle]
            lost = all(target.status is TargetStatus.UNCONFIRMED for target in under_way)
            return "Waiting for confirmation: an answer was lost." if lost else "Publishing."
        waiting = [target for target in self._plan.targets if target.waits_for_a_time]
        if any(target.error_code for target in waiting):
            return "Refused for now by its network; it is tried again by itself."
        if waiting:
            return "Waiting for its account's rate limit."
        if any(target.status is TargetStatus.HELD for target in self._plan.targets):
            return "Held until its account can publish."
        return "Working on a request." if self._is_busy() else self._visibility.waiting_for

    def _is_busy(self) -> bool:
        return self._is_publishing() or self._is_editing() or not workflow.all_handlers_finished()

    def _to_edit(self, request: EditRequest) -> list[TargetPlan]:
        """Return the targets that are named; if none are, those that can be edited."""
        if request.target_ids:
            return [target for target in self._plan.targets if target.target_id in request.target_ids]
        return [
            target
            for target in self._plan.targets
            if target.status is TargetStatus.PUBLISHED and options.edit_window(target.platform)
        ]

    def _is_published(self, target_id: str) -> bool:
        """Tell whether a target is public as far as is known here, or no step is out that could tell so."""
        target = self._plan.target(target_id)
        public = target is None or target.status is TargetStatus.PUBLISHED
        return public or self._must_not_begin() or target not in self._in_delivery()

    def _must_not_begin(self) -> bool:
        """Tell whether no step may begin: nothing is wanted, the row must be read first, or an operator cancelled."""
        return self._over or self._behind or self._cancelled

    def _status(self) -> PostStatus:
        if not self._begun and self._plan.untouched:
            return PostStatus.PUBLISHING if self._plan.immediate else PostStatus.SCHEDULED
        return self._plan.status

    def _stays_open_until(self) -> datetime:
        return max((target.open_until for target in self._plan.targets if target.open_until), default=workflow.now())

    def _show(self, waiting_for: str) -> None:
        waits_for = None if self._over else self._plan.waits_for
        moving = {target.target_id for target in self._in_delivery() if not target.is_idle}
        within_task = bool(moving) and moving <= self._local
        self._visibility.publish(
            self._plan, self._ending or self._status(), waiting_for, waits_for, within_task=within_task
        )
