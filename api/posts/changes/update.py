"""Change an unpublished post, or correct failed targets: first the rows, under their lock; then deliver the plan."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject
from api.posts.answers.answer import Answer
from api.posts.bodies.parse_patch import read_correction, read_patch
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.campaign_rules import (
    campaign_of_change,
    campaign_refusal,
    find_campaign_problem,
    require_campaign_to_join,
)
from api.posts.changes.post_change import PostChange
from api.posts.changes.retry import require_tries_left
from api.posts.changes.times import choose_slot, require_link
from api.posts.clock import now_ms
from api.posts.lookup import answer_at_rest, plan_for, post_accounts
from api.posts.media_checks import targets_with_warned_media, warn_of_media
from api.posts.uploads import look_for_uploads, read_upload_problems
from api.shared.closed_gates import require_open
from api.shared.waiting import Deadline
from domain.audit import Actor
from domain.content import PostContent
from domain.errors import Conflict, Problem, Unprocessable
from domain.loop_share import LoopShare
from domain.ownership import TargetRow, may_change, may_correct
from domain.post import PostStatus, TargetStatus
from domain.uploads import named_addresses
from domain.workspaces import LARGEST_ANSWER
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.models import ConnectedAccount, Post, Target
from store.posts.changes import target_rows
from store.posts.contents import correct, post_content, rewrite
from store.queues.slots import move_into_slot

_OTHER_TARGETS = Problem(
    "Publishing has begun, so no target can be added any more: platforms may name only those that the post has",
    "conflict",
    "platforms",
)
_TOO_LARGE = Problem("With the earlier versions of its targets the post would be larger than 4 MiB", "post_too_large")
_KEEPS = {
    TargetStatus.PUBLISHED: "is public",
    TargetStatus.UNCONFIRMED: "may be public",
}


async def correct_targets(
    deps: Dependencies, session: AsyncSession, post: Post, actor: Actor, rows: Sequence[TargetRow], payload: JsonObject
) -> dict[str, ConnectedAccount]:
    """Change what a locked post's failed and held targets send; returns the post's accounts.

    `rows` are those of its targets, in their order. Raises InvalidRequest, Unprocessable, and Conflict for a change of
    what is out or of the post's time.
    """
    correction = read_correction(post, payload)
    await require_campaign_to_join(session, post, correction, payload)
    changed = _changed(post, correction)
    by_id = dict(zip((target.id for target in post.targets), rows, strict=True))
    positions = {(target.platform, target.account_id): at for at, target in enumerate(correction.targets)}
    places = {target.id: positions[target.platform, target.account_id] for target in changed}
    if refused := [_out(target, places[target.id]) for target in changed if not may_correct(by_id[target.id])]:
        raise Conflict(refused)
    if changed:
        await require_tries_left(session, post)
    accounts = await post_accounts(session, post)
    corrected = set(places.values())
    uploads = await read_upload_problems(deps, session, post.workspace_id, correction, corrected)
    problems = await collect_platform_problems(correction, accounts, LoopShare(heavy=True), corrected)
    if problems := [*problems, *uploads]:
        raise Unprocessable(problems[:MAX_PROBLEMS])
    session.add_all(correct(post, correction, actor, {target.id for target in changed}, now_ms()))
    if post.answer_bytes > LARGEST_ANSWER:
        raise Unprocessable(_TOO_LARGE)
    return accounts


def _changed(post: Post, correction: PostContent) -> list[Target]:
    """Return the targets whose content would change. Raises Conflict if they are not the post's targets."""
    now = post_content(post)
    before = {(target.platform, target.account_id): now.sent_to(target) for target in now.targets}
    after = {(target.platform, target.account_id): correction.sent_to(target) for target in correction.targets}
    if before.keys() != after.keys():
        raise Conflict(_OTHER_TARGETS)
    names = [(target, (target.platform, target.account_id)) for target in post.targets]
    return [target for target, name in names if before[name] != after[name]]


def _out(target: Target, place: int) -> Problem:
    """Return the problem of a change to a target that is published or being published."""
    label = platforms()[target.platform].label
    state = _KEEPS.get(TargetStatus(target.status), "is being published")
    sentence = (
        f"The post {state} on {label} account {target.account_id}, which keeps what it was sent: give the failed "
        "targets a customContent, customMedia or platformSpecificData of their own"
    )
    return Problem(sentence, "conflict", f"platforms.{place}", target.platform, target.account_id)


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
