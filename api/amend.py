"""Change a draft or a scheduled post: a draft's row directly, a scheduled post through its workflow."""

from dataclasses import dataclass

from api.answer import Answer, answer_post
from api.body import JsonObject
from api.create import now_ms
from api.dependencies import Dependencies
from api.lookup import plan_for, require_post
from api.network_rules import network_problems
from api.patch import read_patch
from api.waiting import Patience, wait_until_at_rest
from domain.content import Amendment
from domain.errors import Conflict, Problem, Unprocessable
from domain.plan import Plan
from domain.post import PostStatus
from store.accounts import find_accounts
from store.contents import rewrite
from store.revisions import add_revision
from workflows.handover import hand_over

_MOST_TRIES = 20
"""Each time, one of those who change the post at once gets through; more of them are no people."""
_BUSY = Problem("The post is being changed by others at the same time; please try again", "conflict")
_BEGUN = Problem("Publishing has begun; a post can be changed only while it is a draft or scheduled", "conflict")


async def amend(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject, patience: Patience) -> Answer:
    """Change the post and answer with it. Raises NotFound, InvalidRequest, Unprocessable, Conflict, Unavailable."""
    for _ in range(_MOST_TRIES):
        change = await _prepare(deps, workspace_id, post_id, payload)
        if change.revision_id is None or change.plan is None:
            await _begin(deps, change)
        elif not await _hand_over(deps, change.plan, change.revision_id):
            # Somebody else's change came first: ours is merged into the post as it is now.
            continue
        return await _stand(deps, workspace_id, post_id, change, patience)
    raise Conflict(_BUSY)


async def check(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject) -> None:
    """Say what is wrong with the shape of a change, and change nothing. Raises NotFound, InvalidRequest."""
    async with deps.database.reading() as session:
        read_patch(await require_post(session, workspace_id, post_id), payload, now_ms())


@dataclass(frozen=True, slots=True)
class _Change:
    """Hold a change that is saved: in the draft itself, or in a revision that its workflow must apply."""

    status: PostStatus
    plan: Plan | None
    revision_id: str | None


async def _prepare(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject) -> _Change:
    now = now_ms()
    async with deps.database.transaction() as session:
        post = await require_post(session, workspace_id, post_id, lock=True)
        if post.status not in {PostStatus.DRAFT, PostStatus.SCHEDULED}:
            raise Conflict(_BEGUN)
        wanted = read_patch(post, payload, now)
        account_ids = {each.account_id for each in post.targets} | {each.account_id for each in wanted.content.targets}
        accounts = await find_accounts(session, workspace_id, sorted(account_ids))
        if not wanted.is_draft and (problems := network_problems(wanted.content, accounts)):
            raise Unprocessable(problems)
        revision_id: str | None = None
        if post.status == PostStatus.DRAFT:
            # A draft has no workflow, so nobody else writes it.
            rewrite(post, wanted.content, status=wanted.status, due_at=wanted.due_at, now=now)
        else:
            amendment = Amendment(
                content=wanted.content, status=wanted.status, due_at=wanted.due_at, based_on=post.updated_at
            )
            revision_id = await add_revision(session, post_id, amendment, now)
        immediate = wanted.status is PostStatus.PUBLISHING
        plan = None if post.due_at is None else plan_for(post, accounts, immediate=immediate)
    return _Change(wanted.status, plan, revision_id)


async def _begin(deps: Dependencies, change: _Change) -> None:
    """Start the workflow of a draft that is one no longer."""
    if change.plan is None:
        return
    if change.plan.immediate:
        deps.starter.start(change.plan)
    else:
        await deps.starter.start_now(change.plan)


async def _hand_over(deps: Dependencies, plan: Plan, revision_id: str) -> bool:
    made = await hand_over(deps.database, deps.workflows, plan, revision_id)
    deps.starter.note_started(plan.post_id)
    return made


async def _stand(deps: Dependencies, workspace_id: str, post_id: str, change: _Change, patience: Patience) -> Answer:
    waited = change.status is PostStatus.PUBLISHING
    if waited:
        await wait_until_at_rest(deps, post_id, patience)
    async with deps.database.transaction() as session:
        return answer_post(await require_post(session, workspace_id, post_id), waited=waited)
