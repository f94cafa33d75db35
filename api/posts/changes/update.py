"""Change an unpublished post, or correct failed targets: first the rows, under their lock; then deliver the plan."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject
from api.posts.answers.answer import Answer
from api.posts.at_rest import answer_at_rest
from api.posts.bodies.parse_patch import read_patch
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.campaign_rules import campaign_of_change, campaign_refusal, find_campaign_problem
from api.posts.changes.chain_link import require_link
from api.posts.changes.correct_targets import correct_targets
from api.posts.changes.post_change import PostChange
from api.posts.changes.queue_slot import choose_slot
from api.posts.clock import now_ms
from api.posts.lookup import plan_for
from api.posts.media_warnings import targets_with_warned_media, warn_of_media
from api.posts.uploads import look_for_uploads, read_upload_problems
from api.shared.closed_gates import require_open
from api.shared.waiting import Deadline
from domain.audit import Actor
from domain.errors import Conflict, Problem, Unprocessable
from domain.loop_share import LoopShare
from domain.ownership import may_change, may_correct
from domain.post import PostStatus
from domain.uploads import named_addresses
from store.accounts.connected import find_accounts
from store.models import ConnectedAccount, Post
from store.posts.changes import target_rows
from store.posts.contents import rewrite
from store.queues.slots import move_into_slot

_BEGUN = Problem(
    "Publishing has begun, and no target has failed or waits, so nothing can be changed any more",
    "conflict",
)


async def update_post(change: PostChange, deadline: Deadline) -> Answer:
    """Change the post and answer with it, or as the first request with this key was answered.

    Raises NotFound, InvalidRequest, Unprocessable, Conflict, TooManyRequests, IdempotencyKeyReused.
    """
    deps, workspace_id, post_id, payload = change.deps, change.workspace_id, change.post_id, change.payload

    async def begin() -> Answer:
        await look_for_uploads(deps, workspace_id, {token for _, _, token in named_addresses(payload)}, post_id)
        warnings: list[Problem] = []
        closed = await deps.closed_gates.closed_in(workspace_id)
        async with change.locked_post() as (session, post):
            before = PostStatus(post.status)
            rows = [] if may_change(before) else await target_rows(session, post)
            if may_change(before, rows):
                accounts, warnings = await _rewrite(deps, session, post, change.actor, payload)
            elif any(map(may_correct, rows)):
                accounts = await correct_targets(deps, session, post, change.actor, rows, payload)
            else:
                raise Conflict(_BEGUN)
            deps.usage.count_bytes(post.workspace_id, post.answer_bytes)
            plan = None if post.due_at is None else plan_for(post, accounts)
            if plan is not None and plan.immediate:
                accounts_of_post = [(target.platform, target.account_id) for target in post.targets]
                require_open(closed, accounts_of_post, post.campaign_id, post.series_id)
        # The row is decisive from here on. It is delivered to its workflow, again if needed.
        if plan is None:
            if before is not PostStatus.DRAFT:
                await deps.delivery.deliver_rest(post.workflow_id, post.id, post.version)
        elif plan.immediate:
            deps.delivery.deliver(plan)
        elif PostStatus(post.status).is_open:
            await deps.delivery.deliver_and_wait(plan)
        begun = plan is not None and plan.immediate
        return await answer_at_rest(deps, workspace_id, post_id, deadline, begun=begun, warnings=warnings)

    return await change.answer_once(begin, lambda _: answer_at_rest(deps, workspace_id, post_id, deadline))


async def _rewrite(
    deps: Dependencies, session: AsyncSession, post: Post, actor: Actor, payload: JsonObject
) -> tuple[dict[str, ConnectedAccount], list[Problem]]:
    """Change a locked post that has not begun, or that begins again; return its accounts, and warnings.

    Raises InvalidRequest, Unprocessable.
    """
    now = now_ms()
    campaign = await campaign_of_change(session, post, payload)
    parsed_post = read_patch(post, payload, now, campaign)
    joins = parsed_post.content.campaign_id != post.campaign_id
    if (joins or parsed_post.due_at != post.due_at) and (
        problem := find_campaign_problem(parsed_post, campaign, joins=joins)
    ):
        raise campaign_refusal(problem)
    account_ids = {target.account_id for target in parsed_post.content.targets}
    accounts = {} if parsed_post.is_draft else await find_accounts(session, post.workspace_id, sorted(account_ids))
    uploads = await read_upload_problems(deps, session, post.workspace_id, parsed_post.content)
    if not parsed_post.is_draft:
        problems = await collect_platform_problems(parsed_post.content, accounts, LoopShare(heavy=True))
        if problems := [*problems, *uploads]:
            raise Unprocessable(problems[:MAX_PROBLEMS])
    if parsed_post.content.after_post_id not in {None, post.after_post_id}:
        await require_link(session, post.workspace_id, post.id, parsed_post.content, now)
    earlier = targets_with_warned_media(post, deps)
    if parsed_post.queue is None:
        rewrite(post, parsed_post.content, actor, status=parsed_post.status, due_at=parsed_post.due_at, now=now)
    else:
        queue_id, slot = await choose_slot(
            session, post.workspace_id, parsed_post.queue, parsed_post.content, now, campaign, post_id=post.id
        )
        await move_into_slot(session, post, parsed_post.content, actor, queue_id, slot, now)
    warn_of_media(post, deps, earlier)
    return accounts, [*uploads, *parsed_post.time_warnings]
