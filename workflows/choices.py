"""The workflow of a request for the values of a setting, for which a client waits."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.choices import Choosing
    from activities.commands import ChoicesCommand

WITHIN = timedelta(seconds=25)
"""The time limit of the request, including the wait for a worker."""


class ChoicesPlan(ChoicesCommand):
    """A saved request and its workspace."""

    workspace_id: str


@workflow.defn
class ChoicesWorkflow:
    """A workflow that asks a platform once. The result is in the request's row; none means that it took too long."""

    @workflow.run
    async def run(self, plan: ChoicesPlan) -> None:
        """Return once the platform was asked, or could not be asked."""
        command = ChoicesCommand.model_validate(plan.model_dump(exclude={"workspace_id"}))
        try:
            await workflow.execute_activity_method(
                Choosing.list_choices,
                command,
                task_queue=options.platform_queue(plan.platform),
                schedule_to_close_timeout=WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"the values of a setting for {plan.platform}",
            )
        except ActivityError:
            workflow.logger.info("choices not listed", extra={"list_id": plan.list_id})
