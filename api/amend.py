"""Change a draft or a scheduled post: its row, under its lock; then its workflow is told."""

from functools import partial

from api.answer import Answer
from api.at_rest import answer_at_rest
from api.body import JsonObject
from api.create import now_ms
from api.dependencies import Dependencies
from api.keyed import keyed, once, take_key
from api.lookup import plan_for, require_post
from api.network_rules import network_problems
from api.patch import read_patch
from api.waiting import Patience
from domain.errors import Conflict, Problem, Unprocessable
from domain.ownership import may_change
from domain.post import PostStatus
from store.accounts import find_accounts
from store.contents import rewrite
from store.idempotency import KeyedRequest

_BEGUN = Problem("Publishing has begun; a post can be changed only while it is a draft or scheduled", "conflict")


async def amend(
    deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject, key: str | None, patience: Patience
) -> Answer:
    """Change the post and answer with it, or as the first request with this key was answered.

    Raises NotFound, InvalidRequest, Unprocessable, Conflict, RateLimited, IdempotencyKeyReused.
    """
    request = keyed(workspace_id, key, payload, f"PATCH /v1/posts/{post_id}")
    return await once(
        deps,
        request,
        post_id,
        partial(_change, deps, workspace_id, post_id, payload, request, patience),
        lambda _: answer_at_rest(deps, workspace_id, post_id, patience),
    )


async def _change(
    deps: Dependencies,
    workspace_id: str,
    post_id: str,
    payload: JsonObject,
    request: KeyedRequest | None,
    patience: Patience,
) -> Answer:
    now = now_ms()
    async with deps.database.transaction() as session:
        await take_key(session, request, post_id)
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
        deps.quotas.write(workspace_id, post.answer_bytes)
        plan = None if wanted.is_draft else plan_for(post, accounts)
    # The row has the last word from here on; its workflow is told, and told again if need be.
    if plan is None:
        if before is not PostStatus.DRAFT:
            await deps.starter.rest_now(post.workflow_id, post.id, post.version)
    elif plan.immediate:
        deps.starter.tell(plan)
    else:
        await deps.starter.tell_now(plan)
    begun = wanted.status is PostStatus.PUBLISHING
    return await answer_at_rest(deps, workspace_id, post_id, patience, begun=begun)


async def check(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject) -> None:
    """Say what is wrong with the shape of a change, and change nothing. Raises NotFound, InvalidRequest."""
    async with deps.database.reading() as session:
        read_patch(await require_post(session, workspace_id, post_id), payload, now_ms())
