"""The workflow of one step of connecting an account, for which a client waits."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.commands import ConnectCommand
    from activities.connect import Connecting

WITHIN = timedelta(seconds=25)
"""The time limit of a step, including the wait for a worker: X accepts a code for 30 seconds."""


class ConnectPlan(ConnectCommand):
    """A connection, the step to take and the workspace, without secrets."""

    workspace_id: str


@workflow.defn
class ConnectWorkflow:
    """A workflow that takes one step. Its result is in the connection's row; no result means that it took too long."""

    @workflow.run
    async def run(self, plan: ConnectPlan) -> None:
        """Return once the step is done, or could not be done."""
        command = ConnectCommand.model_validate(plan.model_dump(exclude={"workspace_id"}))
        try:
            await workflow.execute_activity_method(
                Connecting.connect,
                command,
                task_queue=options.platform_queue(plan.platform),
                schedule_to_close_timeout=WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{plan.step} connecting {plan.platform}",
            )
        except ActivityError:
            workflow.logger.info("connection step not taken", extra={"connection_id": plan.connection_id})
