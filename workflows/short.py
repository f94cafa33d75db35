"""Workflows for which a client waits: one step on a platform's queue. The result is in rows; none means no time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.account import AccountSteps, Choosing, Connecting
    from activities.check_media import Checking
    from activities.commands import AccountCommand, AccountStep, CheckMediaCommand, ChoicesCommand, ConnectCommand

WITHIN = timedelta(seconds=25)
"""The time limit of the steps, including the wait for a worker: X accepts a code for 30 seconds."""


class AccountPlan(AccountCommand):
    """The account and the step, without secrets."""

    step: AccountStep


class ChoicesPlan(ChoicesCommand):
    """A saved request and its workspace."""

    workspace_id: str


class ConnectPlan(ConnectCommand):
    """A connection, the step to take and the workspace, without secrets."""

    workspace_id: str


class MediaCheckPlan(BaseModel):
    """A saved validation and the platforms of its targets with files, by the targets' positions."""

    check_id: str
    workspace_id: str
    platforms: dict[int, str]
    request_id: str | None = None


async def _try_once(
    step: Callable[..., Any], command: Any, summary: str, heartbeat_timeout: timedelta | None = None
) -> None:
    """Take a step on the queue of its platform; return once it is done, or could not be done."""
    try:
        await workflow.execute_activity_method(
            step,
            command,
            task_queue=options.platform_queue(command.platform),
            schedule_to_close_timeout=WITHIN,
            heartbeat_timeout=heartbeat_timeout,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=summary,
        )
    except ActivityError:
        workflow.logger.info("step not done", extra={"step": summary, "request_id": command.request_id})


@workflow.defn
class AccountWorkflow:
    """A workflow that checks or removes an account."""

    @workflow.run
    async def run(self, plan: AccountPlan) -> None:
        """Check or remove the account."""
        step = AccountSteps.check_account if plan.step == "check" else AccountSteps.remove_account
        command = AccountCommand.model_validate(plan.model_dump(exclude={"step"}))
        await _try_once(step, command, f"{plan.step} an account of {plan.platform}")


@workflow.defn
class ChoicesWorkflow:
    """A workflow that asks a platform for the values of a setting."""

    @workflow.run
    async def run(self, plan: ChoicesPlan) -> None:
        """Ask the platform once."""
        command = ChoicesCommand.model_validate(plan.model_dump(exclude={"workspace_id"}))
        await _try_once(Choosing.list_choices, command, f"the values of a setting for {plan.platform}")


@workflow.defn
class ConnectWorkflow:
    """A workflow that takes one step of connecting an account."""

    @workflow.run
    async def run(self, plan: ConnectPlan) -> None:
        """Take the step."""
        command = ConnectCommand.model_validate(plan.model_dump(exclude={"workspace_id"}))
        await _try_once(Connecting.connect, command, f"{plan.step} connecting {plan.platform}")


@workflow.defn
class MediaCheckWorkflow:
    """A workflow that checks the files of each target once. Files that it could not check are not in the findings."""

    @workflow.run
    async def run(self, plan: MediaCheckPlan) -> None:
        """Check the files of all targets at the same time."""
        commands = [
            CheckMediaCommand(check_id=plan.check_id, position=position, platform=name, request_id=plan.request_id)
            for position, name in plan.platforms.items()
        ]
        await asyncio.gather(
            *(
                _try_once(Checking.check_media, command, f"the files for {command.platform}", options.HEARTBEAT_TIMEOUT)
                for command in commands
            )
        )
