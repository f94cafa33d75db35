"""Publish again to targets that failed: first their rows, under the post's lock; then deliver the plan."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.posts.answers.answer import Answer
from api.posts.bodies.schemas import NamedTarget, RetryBody
from api.posts.campaign_rules import require_campaign_goes_on
from api.posts.changes.post_change import PostChange
from api.posts.lookup import answer_at_rest, plan_for, post_accounts, require_target
from api.shared.closed_gates import require_open
from api.shared.waiting import Deadline
from domain.errors import Conflict, InvalidRequest, Problem
from domain.ownership import may_retry
from domain.post import TargetStatus
from platforms.registry import platforms
from store.models import Post, Target
from store.posts.changes import reopen, target_row
from store.publishing.targets import most_attempts

MOST_ATTEMPTS = 1_000
"""Steps after which a target is not retried any more: each leaves a row that is kept as long as the post."""
_TRIED_TOO_OFTEN = Problem(
    f"A target of this post was tried {MOST_ATTEMPTS:,} times; create a new post instead", "retry_limit_reached"
)
_NOTHING = Problem("No platform has failed, so there is nothing to retry", "nothing_to_retry")
_HELD = Problem(
    "No platform has failed. Held targets continue by themselves; until then it can be changed by PATCH, or deleted",
    "nothing_to_retry",
)


async def retry(change: PostChange, deadline: Deadline) -> Answer:
    """Publish to the named targets, or to all that failed, once more and wait for the outcome.

    Raises NotFound, InvalidRequest, Unprocessable, Conflict, TooManyRequests, IdempotencyKeyReused.
    """
    deps, workspace_id, post_id = change.deps, change.workspace_id, change.post_id

    async def begin() -> Answer:
        named = read_retry(change.payload)
        closed = await deps.closed_gates.closed_in(workspace_id)
        async with change.locked_post() as (session, post):
            await require_tries_left(session, post)
            only = None if named is None else {_failed(post, target, at).id for at, target in enumerate(named)}
            reopened = [target for target in post.targets if only is None or target.id in only]
            retried = [target for target in reopened if may_retry(target_row(target))]
            accounts = [(target.platform, target.account_id) for target in retried]
            await require_campaign_goes_on(session, post)
            require_open(closed, accounts, post.campaign_id, post.series_id)
            if not await reopen(session, post, change.actor, only):
                raise Conflict(
                    _HELD if any(target.status == TargetStatus.HELD for target in post.targets) else _NOTHING
                )
            deps.usage.count_bytes(workspace_id, post.answer_bytes)
            plan = plan_for(post, await post_accounts(session, post))
        deps.delivery.deliver(plan)
        return await answer_at_rest(deps, workspace_id, post_id, deadline, begun=True)

    return await change.answer_once(begin, lambda _: answer_at_rest(deps, workspace_id, post_id, deadline))


async def require_tries_left(session: AsyncSession, post: Post) -> None:
    """Raise Conflict if a target of a post was tried, or changed, too often."""
    if await most_attempts(session, [target.id for target in post.targets]) >= MOST_ATTEMPTS:
        raise Conflict(_TRIED_TOO_OFTEN)


def read_retry(payload: JsonObject) -> list[NamedTarget] | None:
    """Return the targets that are named, None if none are. Raises InvalidRequest."""
    body, problems = read(RetryBody, payload)
    named = body.platforms if body else None
    seen: set[tuple[str, str]] = set()
    for position, target in enumerate(named or []):
        if (account := (target.platform, target.account_id)) in seen:
            where = f"platforms.{position}.accountId"
            problems.append(Problem(f"{where} is named already", "duplicate_target", where))
        seen.add(account)
    if problems:
        raise InvalidRequest(in_contract_order(RetryBody, problems))
    return named


def _failed(post: Post, named: NamedTarget, position: int) -> Target:
    """Return the named target. Raises Unprocessable if the post has no such target, Conflict if it has not failed."""
    where, label = f"platforms.{position}.accountId", platforms()[named.platform].label
    target = require_target(post, named.platform, named.account_id, where)
    if may_retry(target_row(target)):
        return target
    sentence = f"The post is {target.status} on {label} account {named.account_id}: there is nothing to retry"
    raise Conflict(Problem(sentence, "nothing_to_retry", where, named.platform, named.account_id))
