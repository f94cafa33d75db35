"""Answer with a post once its publishing is over or held, or as it is when the client's deadline is over."""

from collections.abc import Iterable

from api.dependencies import Dependencies
from api.posts.answers.answer import Answer, answer_post
from api.posts.lookup import require_post
from api.shared.waiting import Deadline
from domain.errors import Problem
from domain.post import PostStatus
from store.posts.queries import is_moving


async def answer_at_rest(
    deps: Dependencies,
    workspace_id: str,
    post_id: str,
    deadline: Deadline,
    *,
    begun: bool = False,
    warnings: Iterable[Problem] = (),
) -> Answer:
    """Answer with a post; wait for its outcome first if it is being published. Raises NotFound.

    `begun`: this request has begun its publishing, which may be over by now. `warnings` are those of the request.
    """
    async with deps.database.reading() as session:
        post = await require_post(session, workspace_id, post_id)
    if post.status != PostStatus.PUBLISHING:
        return answer_post(post, waited=begun, warnings=warnings)
    await wait_until_at_rest(deps, post_id, deadline)
    async with deps.database.reading() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=True)


async def wait_until_at_rest(deps: Dependencies, post_id: str, deadline: Deadline) -> None:
    """Return once publishing is over or held, the post is gone, or the deadline is over."""

    async def at_rest() -> bool:
        async with deps.database.reading() as session:
            return not await is_moving(session, post_id)

    await deps.outcomes.wait(post_id, at_rest, deadline.seconds_left)
