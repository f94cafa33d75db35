"""The workflow of a step with a connected account, for which a client waits."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.account import AccountSteps
    from activities.commands import AccountCommand, AccountStep

WITHIN = timedelta(seconds=25)
"""The time limit of the step, including the wait for a worker."""


class AccountPlan(AccountCommand):
    """The account and the step, without secrets."""

    step: AccountStep


@workflow.defn
class AccountWorkflow:
    """A workflow that takes one step with an account. Its result is in rows; no result means that it took too long."""

    @workflow.run
    async def run(self, plan: AccountPlan) -> None:
        """Return once the step is done, or could not be done."""
        command = AccountCommand.model_validate(plan.model_dump(exclude={"step"}))
        step = AccountSteps.check_account if plan.step == "check" else AccountSteps.remove_account
        try:
            await workflow.execute_activity_method(
                step,
                command,
                task_queue=options.platform_queue(plan.platform),
                schedule_to_close_timeout=WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"{plan.step} an account of {plan.platform}",
            )
        except ActivityError:
            workflow.logger.info("account step not done", extra={"account_id": plan.account_id, "step": plan.step})
