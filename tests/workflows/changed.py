"""The workflow as a later version might have it: with one more step before all others.

The step is not a timer: if a history ends with a timer, a different timer in its place is not detected.
"""

from temporalio import workflow

from domain.plan import Plan
from workflows import steps
from workflows.messages import StatusView
from workflows.post import PostWorkflow

PATCH = "reopen-first"


@workflow.defn(name=PostWorkflow.__name__)
class Gated(PostWorkflow):
    """The change with a gate: only runs that have not begun use the new step; sleeping runs continue as they began."""

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        if workflow.patched(PATCH):
            await steps.reopen(plan)
        return await super().run(plan)


@workflow.defn(name=PostWorkflow.__name__)
class Ungated(PostWorkflow):
    """The change without a gate, which must not be made: the new step is taken by every run."""

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        await steps.reopen(plan)
        return await super().run(plan)


@workflow.defn(name=PostWorkflow.__name__)
class Broken(PostWorkflow):
    """A bug: every task fails."""

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        raise KeyError(plan.post_id)
