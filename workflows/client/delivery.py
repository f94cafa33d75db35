"""Delivery of the plan in a post's row to its workflow, which may be repeated."""

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.audit import WORKER, Action, AuditEntry
from domain.plan import Plan
from store.database import Database
from store.posts.changes import confirm_first
from store.posts.delivery import move_to_next_workflow, plan_with_accounts
from store.posts.idempotency import LIFETIME
from store.workspaces.keys import name_of_workspace
from workflows.client.failures import unavailable
from workflows.client.post_workflows import AnotherPost, PostWorkflows

log = structlog.get_logger(__name__)

_MOST_MOVES = 5
_RESTORED = AuditEntry(Action.RESTORED, WORKER)
_MOST_NAMES = 10_000
_NAMES: dict[str, str] = {}
"""The names of workspaces by their ids. They never change."""


async def deliver(database: Database, workflows: PostWorkflows, plan: Plan) -> None:
    """Send this plan to the post's workflow; if none runs, start one. Return once it follows.

    A plan that is older than the workflow's plan changes nothing. Raises Unavailable, and AnotherPost if the workflow
    id belongs to another post's run: then a worker delivers the post (`deliver_or_move`).
    """
    plan = await _named(database, plan)
    await (workflows.update_plan(plan) if plan.started else workflows.start(plan))


async def deliver_or_move(database: Database, workflows: PostWorkflows, plan: Plan) -> None:
    """Deliver a plan; a post whose workflow id belongs to another post's run takes the next id. Raises Unavailable.

    It takes the rights of a worker: the API may not say that a post was lost, nor that it may have been sent.
    """
    for _ in range(_MOST_MOVES):
        try:
            return await deliver(database, workflows, plan)
        except AnotherPost as other:
            log.warning("workflow.of_another_post", post_id=plan.post_id, workflow_id=plan.workflow_id)
            async with database.transaction() as session:
                post = await move_to_next_workflow(session, plan.post_id, plan.workflow_id)
                if post is None or post.due_at is None:
                    return None
                # The request was repeated with its key after the rows of its first post were lost. Any run of that post
                # may have published it.
                await confirm_first(session, post, _RESTORED, min(other.started_at, post.created_at) - LIFETIME)
                moved = await plan_with_accounts(session, post)
            plan = moved.model_copy(
                update={"request_id": plan.request_id, "workspace": plan.workspace, "started": False}
            )
    raise unavailable()


async def _named(database: Database, plan: Plan) -> Plan:
    """Return a plan with the name of its workspace, so that people who see the workflow need not know ids."""
    if plan.workspace:
        return plan
    if (name := _NAMES.get(plan.workspace_id)) is None:
        try:
            async with database.reading() as session:
                name = await name_of_workspace(session, plan.workspace_id) or ""
        except (SQLAlchemyError, OSError):
            # A post must not wait for a name.
            return plan
        if len(_NAMES) >= _MOST_NAMES:
            _NAMES.clear()
        _NAMES[plan.workspace_id] = name
    return plan.model_copy(update={"workspace": name})
