"""The workflow as a later version might have it: with one more step before all others.

Not a timer: in a history that ends with a timer, another one in its place goes unnoticed.
"""

from temporalio import workflow

from domain.plan import Plan
from workflows import steps
from workflows.messages import StatusView
from workflows.post import PostWorkflow

PATCH = "reopen-first"


@workflow.defn(name=PostWorkflow.__name__)
class Gated(PostWorkflow):
    """Take the step where nothing was done before: what is asleep goes on as it began."""

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        if workflow.patched(PATCH):
            await steps.reopen(plan)
        return await super().run(plan)


@workflow.defn(name=PostWorkflow.__name__)
class Ungated(PostWorkflow):
    """Take the step whatever was done before: the change that must not be made."""

    @workflow.run
    async def run(self, plan: Plan) -> StatusView:
        await steps.reopen(plan)
        return await super().run(plan)
