"""Delete a post, and retry what failed of one."""

from api.answer import Answer, answer_post, answer_view
from api.dependencies import Dependencies
from api.lookup import NO_SUCH_POST, accounts_of, plan_for, require_post
from api.views import DeletedView
from api.waiting import Patience, wait_until_at_rest
from domain.errors import Conflict, NotFound, Problem, Unavailable
from domain.plan import Plan
from domain.post import PostStatus, TargetState, TargetStatus
from store.models import Target
from store.posts import delete_draft

_PUBLISHING = Problem("The post is just being published; delete it afterwards", "conflict")
_CATCHING_UP = Problem("The post has only just failed and cannot be retried yet; ask again shortly", "unavailable")
_NOTHING_TO_RETRY = Problem("No platform has failed, so there is nothing to retry", "nothing_to_retry")


async def delete(deps: Dependencies, workspace_id: str, post_id: str) -> Answer:
    """Remove the post from this service; a scheduled one is surely not published afterwards.

    Raises NotFound, Conflict, Unavailable.
    """
    plan: Plan | None = None
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        if post.status == PostStatus.PUBLISHING and any(_moves(target) for target in post.targets):
            raise Conflict(_PUBLISHING)
        if post.status == PostStatus.DRAFT:
            await delete_draft(session, post)
        else:
            plan = plan_for(post, await accounts_of(session, post))
    if plan is not None:
        await _delete_by_workflow(deps, plan)
    return answer_view(DeletedView(id=post_id, deleted=True))


async def _delete_by_workflow(deps: Dependencies, plan: Plan) -> None:
    try:
        if not await deps.workflows.delete(plan):
            raise NotFound(NO_SUCH_POST)
    except Conflict:
        async with deps.database.reading() as session:
            # Of a post that somebody else has just deleted, a workflow cannot know that it will not be published.
            await require_post(session, plan.workspace_id, plan.post_id)
        raise


def _moves(target: Target) -> bool:
    # Of one that waits, its workflow knows whether a request may be out all the same.
    waits = target.status == TargetStatus.PUBLISHING and target.next_attempt_at is not None
    return TargetState(TargetStatus(target.status), target.looking).moving and not waits


def _can_be_retried(target: Target) -> bool:
    # One that rests unconfirmed is not sent again, but looked up once more.
    return target.status == TargetStatus.FAILED or (target.status == TargetStatus.UNCONFIRMED and not target.looking)


async def retry(deps: Dependencies, workspace_id: str, post_id: str, patience: Patience) -> Answer:
    """Publish to the targets that failed once more and wait for the outcome. Raises NotFound, Conflict, Unavailable."""
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id)
        if not any(_can_be_retried(target) for target in post.targets):
            raise Conflict(_NOTHING_TO_RETRY)
        plan = plan_for(post, await accounts_of(session, post))
    await _retry_by_workflow(deps, plan)
    await wait_until_at_rest(deps, post_id, patience, changed_since=post.updated_at)
    async with deps.database.transaction() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=True)


async def _retry_by_workflow(deps: Dependencies, plan: Plan) -> None:
    try:
        await deps.workflows.retry(plan)
    except Conflict:
        async with deps.database.reading() as session:
            post = await require_post(session, plan.workspace_id, plan.post_id)
        if any(_can_be_retried(target) for target in post.targets):
            # A worker died when it had written the failure and not told it: the workflow learns of it in some seconds.
            raise Unavailable(_CATCHING_UP, retry_after=10) from None
        raise
