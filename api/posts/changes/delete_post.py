"""Delete a post: first its row, under its lock; then the change is delivered to its workflow."""

from functools import partial

from api.posts.answers.answer import Answer, answer_view
from api.posts.answers.views import DeletedView
from api.posts.changes.post_change import PostChange
from domain.errors import Conflict, Problem
from domain.ids import is_post_id
from domain.post import PostStatus, TargetStatus
from store.models import IdempotencyKey, Post
from store.posts.changes import delete_post
from store.posts.queries import find_post

_PUBLISHING = Problem("The post is being published; wait for the outcome, then delete it", "conflict")


async def delete(change: PostChange) -> Answer:
    """Remove the post from this service; one that is not out yet is surely not published afterwards.

    Raises NotFound, Conflict, IdempotencyKeyReused.
    """
    answer = answer_view(DeletedView(id=change.post_id, deleted=True))

    async def follow(_: IdempotencyKey) -> Answer:
        return answer

    return await change.answer_once(partial(_delete, change, answer), follow)


async def _delete(change: PostChange, answer: Answer) -> Answer:
    deps, workspace_id, post_id = change.deps, change.workspace_id, change.post_id
    async with deps.database.reading() as session:
        asked_for = await find_post(session, workspace_id, post_id) if is_post_id(post_id) else None
    async with change.locked_post(answer=answer) as (session, post):
        # The answer to a request for a post that is not out yet must not be that it is deleted if it has just gone out.
        out_meanwhile = _may_be_public(post) and not (asked_for and _may_be_public(asked_for))
        if out_meanwhile or not await delete_post(session, post, change.actor):
            raise Conflict(_PUBLISHING)
    if post.status != PostStatus.DRAFT:
        await deps.delivery.deliver_rest(post.workflow_id, post.id, post.version + 1, deleted=True)
    return answer


def _may_be_public(post: Post) -> bool:
    return any(TargetStatus(target.status).may_be_public for target in post.targets)
