"""The options of a worker: how much it does at a time, and its version among others."""

from dataclasses import dataclass

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from activities.task_slots import WORKFLOW_TASKS


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of one worker process."""

    deployment: str | None = None
    build: str | None = None
    cached_workflows: int = 1000
    """The SDK's default."""
    workflow_tasks: int = WORKFLOW_TASKS
    """Workflow tasks at a time, without those that have only to report."""
    steps: int = 40
    """Steps of one platform beyond those with media that may run at a time: texts do not wait for media."""

    @property
    def deployment_config(self) -> WorkerDeploymentConfig | None:
        """Return the version of the worker for Temporal; None if no version is set.

        Every run follows the current version, because every change of a workflow replays older histories. To pin short
        ones, their classes would have to name it, and then Temporal refuses them from workers without a version.
        """
        if self.deployment is None or self.build is None:
            return None
        version = WorkerDeploymentVersion(self.deployment, self.build)
        return WorkerDeploymentConfig(version, True, VersioningBehavior.AUTO_UPGRADE)


DEFAULT_OPTIONS = WorkerOptions()
