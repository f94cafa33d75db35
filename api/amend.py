"""Change a draft or a scheduled post: its row, under its lock; then its workflow is told."""

from api.answer import Answer, answer_post
from api.body import JsonObject
from api.create import now_ms
from api.dependencies import Dependencies
from api.lookup import plan_for, require_post
from api.network_rules import network_problems
from api.patch import read_patch
from api.waiting import Patience, wait_until_at_rest
from domain.errors import Conflict, Problem, Unprocessable
from domain.ownership import may_change
from domain.post import PostStatus
from store.accounts import find_accounts
from store.contents import rewrite

_BEGUN = Problem("Publishing has begun; a post can be changed only while it is a draft or scheduled", "conflict")


async def amend(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject, patience: Patience) -> Answer:
    """Change the post and answer with it. Raises NotFound, InvalidRequest, Unprocessable, Conflict."""
    now = now_ms()
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        before = PostStatus(post.status)
        if not may_change(before):
            raise Conflict(_BEGUN)
        wanted = read_patch(post, payload, now)
        account_ids = {each.account_id for each in post.targets} | {each.account_id for each in wanted.content.targets}
        accounts = await find_accounts(session, workspace_id, sorted(account_ids))
        if not wanted.is_draft and (problems := network_problems(wanted.content, accounts)):
            raise Unprocessable(problems)
        rewrite(post, wanted.content, status=wanted.status, due_at=wanted.due_at, now=now)
        plan = None if wanted.is_draft else plan_for(post, accounts)
    # The row has the last word from here on; its workflow is told, and told again if need be.
    if plan is None:
        if before is not PostStatus.DRAFT:
            await deps.starter.rest_now(post.workflow_id, post.id, post.version)
    elif plan.immediate:
        deps.starter.tell(plan)
    else:
        await deps.starter.tell_now(plan)
    return await _stand(deps, workspace_id, post_id, patience, waited=wanted.status is PostStatus.PUBLISHING)


async def check(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject) -> None:
    """Say what is wrong with the shape of a change, and change nothing. Raises NotFound, InvalidRequest."""
    async with deps.database.reading() as session:
        read_patch(await require_post(session, workspace_id, post_id), payload, now_ms())


async def _stand(deps: Dependencies, workspace_id: str, post_id: str, patience: Patience, *, waited: bool) -> Answer:
    if waited:
        await wait_until_at_rest(deps, post_id, patience)
    async with deps.database.transaction() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=waited)
