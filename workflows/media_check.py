"""The check of a validation's files: one short step for each target, on its platform's queue."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.check_media import Checking
    from activities.commands import CheckMediaCommand

WITHIN = timedelta(seconds=25)
"""The time limit of all steps, including the wait for a worker."""


class MediaCheckPlan(BaseModel):
    """A saved validation and the platforms of its targets with files, by the targets' positions."""

    check_id: str
    workspace_id: str
    platforms: dict[int, str]
    request_id: str | None = None


@workflow.defn
class MediaCheckWorkflow:
    """A workflow that checks the files of each target once. Files that it could not check are not in the findings."""

    @workflow.run
    async def run(self, plan: MediaCheckPlan) -> None:
        """Return once the files of each target have been checked, or could not be checked."""
        await asyncio.gather(*(self._check(plan, position, plan.platforms[position]) for position in plan.platforms))

    async def _check(self, plan: MediaCheckPlan, position: int, platform: str) -> None:
        command = CheckMediaCommand(
            check_id=plan.check_id, position=position, platform=platform, request_id=plan.request_id
        )
        try:
            await workflow.execute_activity_method(
                Checking.check_media,
                command,
                task_queue=options.platform_queue(platform),
                schedule_to_close_timeout=WITHIN,
                heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"the files for {platform}",
            )
        except ActivityError:
            workflow.logger.info("files not checked", extra={"check_id": plan.check_id})
