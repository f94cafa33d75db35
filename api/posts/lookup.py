"""Find a post of the workspace, its targets, accounts and plan, or wait until its publishing is over or held."""

from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars, get_contextvars

from api.dependencies import Dependencies
from api.posts.answers.rendering import Answer, answer_post
from api.shared.waiting import Deadline
from domain.errors import NotFound, Problem, Unprocessable
from domain.ids import is_post_id
from domain.plan import Plan
from domain.post import PostStatus
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.database import Database
from store.models import ConnectedAccount, Post, Target
from store.posts.delivery import post_plan
from store.posts.lists import read_shown_post
from store.posts.queries import find_post, is_moving


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


NO_SUCH_POST = Problem("There is no such post", "not_found")


async def require_post(session: AsyncSession, workspace_id: str, post_id: str, *, lock: bool = False) -> Post:
    """Return a post with its targets. Raises NotFound, without asking for ids that cannot exist."""
    post = await find_post(session, workspace_id, post_id, lock=lock) if is_post_id(post_id) else None
    if post is None:
        raise NotFound(NO_SUCH_POST)
    bind_contextvars(post_id=post_id, workflow_id=post.workflow_id)
    return post


async def require_shown_post(database: Database, workspace_id: str, post_id: str) -> Post:
    """Return a post as an answer shows it, read by one statement. Raises NotFound as `require_post` does."""
    post = await read_shown_post(database, workspace_id, post_id) if is_post_id(post_id) else None
    if post is None:
        raise NotFound(NO_SUCH_POST)
    bind_contextvars(post_id=post_id, workflow_id=post.workflow_id)
    return post


def require_target(post: Post, platform: str, account_id: str, param: str) -> Target:
    """Return a post's target on an account. Raises Unprocessable, which names `param`, if it has none."""
    for target in post.targets:
        if (target.platform, target.account_id) == (platform, account_id):
            return target
    sentence = f"The post has no target on {platforms()[platform].label} account {account_id}"
    raise Unprocessable(Problem(sentence, "account_not_found", param, platform, account_id))


async def post_accounts(session: AsyncSession, post: Post) -> dict[str, ConnectedAccount]:
    """Return those of a post's accounts that are connected, by id."""
    return await find_accounts(session, post.workspace_id, [target.account_id for target in post.targets])


def plan_for(post: Post, accounts: Mapping[str, ConnectedAccount]) -> Plan:
    """Return the plan of a post that is not a draft, marked with the request that made it."""
    return post_plan(post, accounts, request_id=get_contextvars().get("request_id"))
