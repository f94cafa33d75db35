"""Delete a post, and retry what failed of one: its row, under its lock; then its workflow is told."""

from api.answer import Answer, answer_post, answer_view
from api.dependencies import Dependencies
from api.lookup import accounts_of, plan_for, require_post
from api.views import DeletedView
from api.waiting import Patience, wait_until_at_rest
from domain.errors import Conflict, Problem
from domain.post import PostStatus, TargetStatus
from store.models import Post
from store.wishes import delete_post, reopen

_PUBLISHING = Problem("The post is just being published; delete it afterwards", "conflict")
_NOTHING_TO_RETRY = Problem("No platform has failed, so there is nothing to retry", "nothing_to_retry")


async def delete(deps: Dependencies, workspace_id: str, post_id: str) -> Answer:
    """Remove the post from this service; one that is not out yet is surely not published afterwards.

    Raises NotFound, Conflict.
    """
    async with deps.database.reading() as session:
        asked_for = await require_post(session, workspace_id, post_id)
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        # The answer to a request for a post that is not out yet must not be that it is deleted if it has just gone out.
        out_meanwhile = _may_be_public(post) and not _may_be_public(asked_for)
        if out_meanwhile or not await delete_post(session, post):
            raise Conflict(_PUBLISHING)
    if post.status != PostStatus.DRAFT:
        await deps.starter.rest_now(post.workflow_id, post.id, post.version + 1)
    return answer_view(DeletedView(id=post_id, deleted=True))


def _may_be_public(post: Post) -> bool:
    return any(target.status in {TargetStatus.PUBLISHED, TargetStatus.UNCONFIRMED} for target in post.targets)


async def retry(deps: Dependencies, workspace_id: str, post_id: str, patience: Patience) -> Answer:
    """Publish to the targets that failed once more and wait for the outcome. Raises NotFound, Conflict."""
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        if not await reopen(session, post):
            raise Conflict(_NOTHING_TO_RETRY)
        plan = plan_for(post, await accounts_of(session, post))
    deps.starter.tell(plan)
    await wait_until_at_rest(deps, post_id, patience)
    async with deps.database.transaction() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=True)
