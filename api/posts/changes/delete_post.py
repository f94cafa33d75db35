"""Delete a post: first its row, under its lock; then the change is delivered to its workflow."""

from datetime import datetime
from functools import partial

from api.posts.answers.answer import Answer, answer_view
from api.posts.answers.views import DeletedView
from api.posts.changes.post_change import PostChange
from api.posts.once import DELETED, complete
from domain.errors import Conflict, Problem
from domain.ids import is_post_id
from domain.post import PostStatus, TargetStatus
from store.models import IdempotencyKey, Post
from store.posts.changes import delete_post
from store.posts.queries import find_post

_PUBLISHING = Problem("The post is being published; wait for the outcome, then delete it", "conflict")
_JUST_PUBLISHED = Problem(
    "The post was published while this request was on its way. Its platforms keep it; the same request removes it here",
    "conflict",
)


async def delete(change: PostChange, received_at: datetime) -> Answer:
    """Remove the post from this service; one that is not out yet is surely not published afterwards.

    One that was published after the request was received is not deleted: its client wanted to stop it. Raises NotFound,
    Conflict, IdempotencyKeyReused.
    """

    async def follow(_: IdempotencyKey) -> Answer:
        raise Conflict(DELETED)

    return await change.answer_once(partial(_delete, change, received_at), follow)


async def _delete(change: PostChange, received_at: datetime) -> Answer:
    deps, workspace_id, post_id = change.deps, change.workspace_id, change.post_id
    async with deps.database.reading() as session:
        before = await find_post(session, workspace_id, post_id) if is_post_id(post_id) else None
    async with change.locked_post() as (session, post):
        answer = DeletedView(id=post_id, deleted=True)
        if _may_be_public(post):
            # The clock of the worker that published it may be behind ours; what was read first does not depend on it.
            if post.updated_at > received_at or not (before and _may_be_public(before)):
                raise Conflict(_JUST_PUBLISHED)
            answer["status"] = PostStatus(post.status)
        if not await delete_post(session, post, change.actor):
            raise Conflict(_PUBLISHING)
        answered = await complete(session, change.request, answer_view(answer))
    if post.status != PostStatus.DRAFT:
        await deps.delivery.deliver_rest(post.workflow_id, post.id, post.version + 1, deleted=True)
    return answered


def _may_be_public(post: Post) -> bool:
    return any(TargetStatus(target.status).may_be_public for target in post.targets)
