"""Change a draft or a scheduled post: a draft's row directly, a scheduled post through its workflow."""

from api.answer import Answer, answer_post
from api.body import JsonObject
from api.create import now_ms
from api.dependencies import Dependencies
from api.lookup import plan_for, require_post
from api.network_rules import network_problems
from api.patch import read_patch
from api.waiting import Patience, wait_until_at_rest
from api.wanted import Wanted
from domain.content import Amendment
from domain.errors import Conflict, Problem, Unprocessable
from domain.plan import Plan
from domain.post import PostStatus
from store.accounts import find_accounts
from store.contents import rewrite
from store.models import Post
from store.revisions import add_revision, refuse_revision

_BEGUN = Problem("Publishing has begun; a post can be changed only while it is a draft or scheduled", "conflict")


async def amend(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject, patience: Patience) -> Answer:
    """Change the post and answer with it. Raises NotFound, InvalidRequest, Unprocessable, Conflict, Unavailable."""
    now = now_ms()
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        if post.status not in {PostStatus.DRAFT, PostStatus.SCHEDULED}:
            raise Conflict(_BEGUN)
        wanted = read_patch(post, payload, now)
        accounts = await find_accounts(session, workspace_id, _account_ids(post, wanted))
        if not wanted.is_draft and (problems := network_problems(wanted.content, accounts)):
            raise Unprocessable(problems)
        revision_id: str | None = None
        plan: Plan | None = None
        if post.status == PostStatus.DRAFT:
            # A draft has no workflow, so nobody else writes it.
            rewrite(post, wanted.content, status=wanted.status, due_at=wanted.due_at, now=now)
        else:
            amendment = Amendment(content=wanted.content, status=wanted.status, due_at=wanted.due_at)
            revision_id = await add_revision(session, post_id, amendment, now)
        if post.due_at is not None:
            plan = plan_for(post, accounts, immediate=wanted.status is PostStatus.PUBLISHING)
        answer = answer_post(post)
    if plan is None:
        return answer
    if revision_id is None:
        if wanted.status is PostStatus.PUBLISHING:
            deps.starter.start(plan)
        else:
            await deps.starter.start_now(plan)
    else:
        await _hand_over(deps, plan, revision_id)
    return await _stand(deps, workspace_id, post_id, wanted, patience)


def _account_ids(post: Post, wanted: Wanted) -> list[str]:
    return [each.account_id for each in post.targets] + [each.account_id for each in wanted.content.targets]


async def _hand_over(deps: Dependencies, plan: Plan, revision_id: str) -> None:
    """Have the workflow make the change, or learn that it is too late."""
    try:
        await deps.workflows.amend(plan, revision_id)
    except Conflict as conflict:
        async with deps.database.transaction() as session:
            await refuse_revision(session, revision_id, conflict.first)
        raise
    deps.starter.note_started(plan.post_id)


async def _stand(deps: Dependencies, workspace_id: str, post_id: str, wanted: Wanted, patience: Patience) -> Answer:
    waited = wanted.status is PostStatus.PUBLISHING
    if waited:
        await wait_until_at_rest(deps, post_id, patience)
    async with deps.database.transaction() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=waited)
