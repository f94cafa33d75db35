"""The settings of workers towards Temporal, beside Temporal's own variables."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from runtime.empty_settings import NoneIfEmpty
from runtime.worker_options import DEFAULT_OPTIONS, WorkerOptions

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""A full stop separates a deployment's name from a build in Temporal."""
_BUILD = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class TemporalSettings(BaseModel):
    """The settings of workers towards Temporal; a group of `runtime.settings.Settings`."""

    deployment: Annotated[str | None, NoneIfEmpty] = Field(
        default=None,
        pattern=_NAME,
        max_length=100,
        description="the name of the worker deployment by whose versions Temporal routes workflows; none if not set",
    )
    build: Annotated[str | None, NoneIfEmpty] = Field(
        default=None,
        pattern=_BUILD,
        max_length=100,
        description="the version of a worker in that deployment, such as the commit of its image",
    )
    worker_cached_workflows: int = Field(
        default=DEFAULT_OPTIONS.cached_workflows,
        ge=0,
        le=1_000_000,
        description="workflows that a worker has in memory",
    )
    worker_workflow_tasks: int = Field(
        default=DEFAULT_OPTIONS.workflow_tasks,
        ge=2,
        le=1000,
        description="workflow tasks that a worker runs at a time, beside those that have only to report",
    )
    worker_steps: int = Field(
        default=DEFAULT_OPTIONS.steps,
        ge=1,
        le=1000,
        description="steps of one platform, beside those with media, that a worker runs at a time",
    )
    search_attributes: Literal["register", "check"] = Field(
        default="register",
        description="for `migrate`: whether it registers search attributes, or only checks them and prints the commands"
        " (Temporal Cloud)",
    )

    @property
    def worker_options(self) -> WorkerOptions:
        """Return the options of the worker."""
        return WorkerOptions(
            self.deployment, self.build, self.worker_cached_workflows, self.worker_workflow_tasks, self.worker_steps
        )

    @model_validator(mode="after")
    def _deployment_has_a_build(self) -> "TemporalSettings":
        if (self.deployment is None) != (self.build is None):
            raise ValueError("SOCIALSYNCER_DEPLOYMENT and SOCIALSYNCER_BUILD are set together, or not at all")
        return self
