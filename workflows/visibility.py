"""The operators' view of a post: the details in the Web UI, and the search attributes of its workflow."""

from datetime import datetime
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from domain.plan import Plan, WaitsFor
    from domain.post import PostStatus
    from workflows.details import details
    from workflows.messages import StatusView, TargetStatusView
    from workflows.search_attributes import CAMPAIGN, DUE_AT, POST_STATUS, WAITS_FOR, Ending


class _Shown(NamedTuple):
    """The search attributes of a run that change."""

    status: str
    due_at: datetime
    waits_for: WaitsFor | None
    campaign_id: str | None


class Visibility:
    """The view that operators have of a post: its status and what its workflow waits for."""

    def __init__(self, plan: Plan, status: PostStatus) -> None:
        self.waiting_for = ""
        # Set at the start, or by the run before this one.
        self._shown = _Shown(status.value, plan.due_at, plan.waits_for, plan.campaign_id)

    def publish(
        self,
        plan: Plan,
        status: PostStatus | Ending,
        waiting_for: str,
        waits_for: WaitsFor | None,
        *,
        within_task: bool = False,
    ) -> None:
        """Show operators a state of the post from now on.

        Search attributes are not written if they change again `within_task`: writing them costs Temporal as much as
        everything else that it does for a post.
        """
        self.waiting_for = waiting_for
        workflow.set_current_details(details(plan, status, waiting_for))
        if within_task:
            return
        before, self._shown = self._shown, _Shown(status.value, plan.due_at, waits_for, plan.campaign_id)
        waits = WAITS_FOR.value_set(waits_for.value) if waits_for else WAITS_FOR.value_unset()
        campaign = CAMPAIGN.value_set(plan.campaign_id) if plan.campaign_id else CAMPAIGN.value_unset()
        changed: list[SearchAttributeUpdate[Any]] = [
            *([POST_STATUS.value_set(status.value)] if before.status != status.value else []),
            *([DUE_AT.value_set(plan.due_at)] if before.due_at != plan.due_at else []),
            *([waits] if before.waits_for != waits_for else []),
            *([campaign] if before.campaign_id != plan.campaign_id else []),
        ]
        if changed:
            workflow.upsert_search_attributes(changed)

    def view(self, plan: Plan, status: PostStatus) -> StatusView:
        """Return the response to a query."""
        return StatusView(
            post_id=plan.post_id,
            version=plan.version,
            status=status,
            due_at=plan.due_at,
            waiting_for=self.waiting_for,
            targets=[TargetStatusView.model_validate(target.model_dump()) for target in plan.targets],
        )
