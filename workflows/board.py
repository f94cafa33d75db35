"""Keep what operators see of a post true: the details in the Web UI, and what its workflow is searched by."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.plan import Plan
    from domain.post import PostStatus
    from domain.waits import WaitsFor
    from workflows.details import details
    from workflows.messages import StatusView, TargetView
    from workflows.search_attributes import DUE_AT, POST_STATUS, WAITS_FOR, Ending


class Board:
    """Show where a post stands and what its workflow waits for."""

    def __init__(self) -> None:
        self.waiting_for = ""
        self._told: tuple[str, datetime, WaitsFor | None] | None = None

    def tell(self, plan: Plan, status: PostStatus | Ending, waiting_for: str, waits_for: WaitsFor | None) -> None:
        """Show this from now on."""
        self.waiting_for = waiting_for
        workflow.set_current_details(details(plan, status, waiting_for))
        told = (status.value, plan.due_at, waits_for)
        if self._told is None:
            # All were given at the start, or by the run before this one.
            self._told = told
        if self._told != told:
            waited_for = self._told[2]
            self._told = told
            waits = [WAITS_FOR.value_set(waits_for.value) if waits_for else WAITS_FOR.value_unset()]
            workflow.upsert_search_attributes(
                [
                    POST_STATUS.value_set(status.value),
                    DUE_AT.value_set(plan.due_at),
                    *(waits if waits_for != waited_for else []),
                ]
            )

    def view(self, plan: Plan, status: PostStatus) -> StatusView:
        """Return what a query is answered."""
        return StatusView(
            post_id=plan.post_id,
            version=plan.version,
            status=status,
            due_at=plan.due_at,
            waiting_for=self.waiting_for,
            targets=[TargetView.model_validate(target.model_dump()) for target in plan.targets],
        )
