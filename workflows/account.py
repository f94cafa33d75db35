"""Have a worker do something with a connected account, while a client waits."""

from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.account_steps import AccountSteps
    from activities.commands import AccountCommand

WITHIN = timedelta(seconds=25)
"""How long it may take, waiting for a worker included."""


class AccountPlan(AccountCommand):
    """The account, and what is to be done. No secret is in it."""

    step: Literal["check", "remove"]


@workflow.defn
class AccountWorkflow:
    """One step with an account. What came of it is in rows; nothing there means that it was not done in time."""

    @workflow.run
    async def run(self, plan: AccountPlan) -> None:
        """Return once the step is done, or could not be."""
        command = AccountCommand.model_validate(plan.model_dump(exclude={"step"}))
        step = AccountSteps.check_account if plan.step == "check" else AccountSteps.remove_account
        try:
            await workflow.execute_activity_method(
                step,
                command,
                task_queue=options.queue_of(plan.platform),
                schedule_to_close_timeout=WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{plan.step} an account of {plan.platform}",
            )
        except ActivityError:
            workflow.logger.info("account step not done", extra={"account_id": plan.account_id, "step": plan.step})
