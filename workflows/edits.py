"""Edits of published targets."""

import asyncio
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from domain.plan import TargetPlan
    from domain.post import TargetStatus
    from workflows import steps
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
