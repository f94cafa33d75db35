"""Create a post once, however often it is asked for with the same key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject, body_size
from api.posts.answers.answer import Answer, answer_post
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.platform_rules import find_platform_problems
from api.posts.campaign_rules import UNKNOWN_CAMPAIGN, campaign_refusal, find_campaign_problem, read_campaign
from api.posts.changes.chain_link import require_link
from api.posts.changes.external_id import answer_existing
from api.posts.changes.idempotency import DELETED, EXPIRED, body_digest, deliver_again, find_use, keep, keyed_request
from api.posts.changes.queue_slot import choose_slot
from api.posts.clock import now_ms
from api.posts.daily_cap import daily_cap_warnings, warn_of_daily_cap
from api.posts.lookup import plan_for
from api.posts.media_warnings import warn_of_media
from api.posts.uploads import find_upload_problems
from api.shared.closed_gates import require_open, target_accounts
from api.shared.waiting import Deadline
from domain.audit import Actor
from domain.errors import (
    Conflict,
    InvalidRequest,
    Problem,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from domain.ids import made_at, new_id, workflow_id
from domain.loop_share import loop_share
from domain.plan import Plan
from domain.post import PostStatus
from store.database import Database
from store.models import ConnectedAccount, IdempotencyKey, Post
from store.posts.chains import write_link
from store.posts.contents import new_post
from store.posts.creating import CampaignGoneError, ExternalIdTakenError, create_post, read_accounts, read_post
from store.posts.idempotency import KeyedRequest
from store.posts.queries import find_post
from store.queues.slots import put_into_slot


@dataclass(frozen=True, slots=True)
class _CreatedPost:
    post: Post
    plan: Plan | None
    answer: Answer | None
    """None for a post that is published now: its answer waits for the outcome."""


_JUST_DELETED = Problem("The post with this externalId is being deleted; please try again", "unavailable")


async def create(
    deps: Dependencies, workspace_id: str, actor: Actor, payload: JsonObject, key: str | None, deadline: Deadline
) -> Answer:
    """Create the post, or answer as the first request with this key or externalId was answered.

    Raises InvalidRequest, Unprocessable, Conflict, IdempotencyKeyReused, TooManyRequests.
    """
    request = keyed_request(workspace_id, key, payload)
    with deps.repeats.answering(request) as is_repeat:
        if is_repeat and request is not None and (answer := await _answer_repeat(deps, request, deadline)):
            return answer
        return await _create(deps, workspace_id, actor, payload, request, deadline)


async def _create(
    deps: Dependencies,
    workspace_id: str,
    actor: Actor,
    payload: JsonObject,
    request: KeyedRequest | None,
    deadline: Deadline,
) -> Answer:
    # The hot path never asks for the key first. The body of a known key was valid once, but may not be any more (its
    # time is past, its account gone): so the key is looked up before a refusal is answered.
    try:
        created_post = await _insert(deps, workspace_id, actor, payload, request)
    except (InvalidRequest, Unprocessable, Conflict, TooManyRequests):
        if request is not None and (answer := await _answer_repeat(deps, request, deadline)):
            return answer
        if answer := await answer_existing(deps, workspace_id, payload, deadline):
            return answer
        raise
    except ExternalIdTakenError:
        if answer := await answer_existing(deps, workspace_id, payload, deadline, taken=True):
            return answer
        raise Unavailable(_JUST_DELETED, retry_after=1) from None
    if created_post is not None:
        return await _deliver_and_answer(deps, created_post, request, deadline)
    if request is not None and (answer := await _answer_repeat(deps, request, deadline)):
        return answer
    raise Unavailable(EXPIRED, retry_after=1)


async def _insert(
    deps: Dependencies, workspace_id: str, actor: Actor, payload: JsonObject, request: KeyedRequest | None
) -> _CreatedPost | None:
    """Insert everything together; None if another request holds the key. Raises ExternalIdTakenError, Conflict."""
    now = now_ms()
    campaign = await read_campaign(deps.database, workspace_id, payload)
    async with loop_share(body_size(payload)):
        parsed_post = read_create(payload, now, campaign)
    if problem := find_campaign_problem(parsed_post, campaign):
        raise campaign_refusal(problem)
    post_id = new_id("post")
    post = new_post(
        post_id,
        workspace_id,
        workflow_id(workspace_id, post_id, request.key if request else None),
        parsed_post.content,
        status=parsed_post.status,
        due_at=parsed_post.due_at,
        # Lists filter posts by the time in their ids, so `created_at` must be the same time.
        now=made_at(post_id),
        created_by=actor.id,
        external_digest=body_digest(payload).hex() if parsed_post.content.external_id is not None else None,
    )
    warn_of_media(post, deps)
    accounts, uploads = {}, await find_upload_problems(deps, workspace_id, parsed_post.content)
    if not parsed_post.is_draft:
        wanted_ids = [target.account_id for target in parsed_post.content.targets]
        accounts = await read_accounts(deps.database, workspace_id, wanted_ids)
        problems = await find_platform_problems(parsed_post.content, accounts, body_size(payload))
        if problems := [*problems, *uploads][:MAX_PROBLEMS]:
            raise Unprocessable(problems)
    warnings = [*uploads, *parsed_post.time_warnings]
    if parsed_post.status is PostStatus.PUBLISHING:
        closed = await deps.closed_gates.closed_in(workspace_id)
        require_open(closed, target_accounts(parsed_post.content), parsed_post.content.campaign_id)
    await deps.usage.count_post(workspace_id, post.answer_bytes)
    if parsed_post.queue is None and post.after_post_id is None:
        caps = await warn_of_daily_cap(deps.database, workspace_id, parsed_post)
        return await _save(deps.database, post, accounts, request, now, [*warnings, *caps])
    async with deps.database.transaction() as session:
        if parsed_post.queue is None:
            await require_link(session, workspace_id, post_id, parsed_post.content, now)
            created_post = await _save(session, post, accounts, request, now, warnings)
            await write_link(session, post)
            return created_post
        slot = await choose_slot(session, workspace_id, parsed_post.queue, parsed_post.content, now, campaign)
        put_into_slot(post, *slot)
        _, time = slot
        caps = await daily_cap_warnings(session, workspace_id, parsed_post.content, time.instant)
        return await _save(session, post, accounts, request, now, [*warnings, *caps])


async def _save(
    database: Database | AsyncSession,
    post: Post,
    accounts: Mapping[str, ConnectedAccount],
    request: KeyedRequest | None,
    now: datetime,
    warnings: Sequence[Problem],
) -> _CreatedPost | None:
    # The answer is known unless it waits for an outcome; kept with the post, a crash loses neither.
    answer = None if post.status == PostStatus.PUBLISHING else answer_post(post, 201, warnings=warnings)
    response = None if answer is None else (answer.status, answer.body)
    try:
        is_created = await create_post(database, post, request, now, response)
    except CampaignGoneError:
        raise Unprocessable(UNKNOWN_CAMPAIGN) from None
    if not is_created:
        return None
    bind_contextvars(post_id=post.id, workflow_id=post.workflow_id)
    plan = None if post.status == PostStatus.DRAFT else plan_for(post, accounts)
    return _CreatedPost(post, plan, answer)


async def _deliver_and_answer(
    deps: Dependencies, created_post: _CreatedPost, request: KeyedRequest | None, deadline: Deadline
) -> Answer:
    if created_post.answer is not None:
        if created_post.plan is not None:
            await deps.delivery.deliver_and_wait(created_post.plan)
        return created_post.answer
    if created_post.plan is not None:
        deps.delivery.deliver(created_post.plan)
    answer = await _outcome(deps, created_post.post.workspace_id, created_post.post.id, request, deadline, new=True)
    # If the post was deleted meanwhile, the answer shows it as it was created.
    return answer or answer_post(created_post.post, 201)


async def _outcome(
    deps: Dependencies,
    workspace_id: str,
    post_id: str,
    request: KeyedRequest | None,
    deadline: Deadline,
    *,
    new: bool = False,
) -> Answer | None:
    """Wait for a post's outcome and return the answer for all requests with this key; None if the post is gone."""
    post: Post | None = None

    async def read() -> Post | None:
        return await read_post(deps.database, workspace_id, post_id)

    async def at_rest() -> bool:
        nonlocal post
        post = await deps.repeats.share(request, "post", read)
        return post is None or not post.is_moving

    if not await deps.outcomes.wait(post_id, at_rest, deadline.seconds_left, new=new):
        post = await deps.repeats.share(request, "post", read)
    if (outcome := post) is None:
        return None

    async def answer() -> Answer:
        return await keep(deps, request, post_id, answer_post(outcome, 201, waited=True))

    return await deps.repeats.share(request, "answer", answer)


async def _answer_repeat(deps: Dependencies, request: KeyedRequest, deadline: Deadline) -> Answer | None:
    """Answer like the request that used this key first; None if there was none in 24 hours.

    While the first waits for the outcome, a repeat does the same, because the first may have died.
    """

    async def read_use() -> IdempotencyKey | None:
        async with deps.database.transaction() as session:
            use = await find_use(session, request)
            if use is not None and use.response_body is None:
                post = await find_post(session, request.workspace_id, use.post_id)
                if post is not None:
                    await deliver_again(deps, session, post)
            return use

    known = await deps.repeats.share(request, "use", read_use)
    if known is None:
        return None
    if known.response_body is not None:
        return Answer(known.response_status or 201, known.response_body, replayed=True)
    bind_contextvars(post_id=known.post_id)
    answer = await _outcome(deps, request.workspace_id, known.post_id, request, deadline)
    if answer is None:
        raise Conflict(DELETED)
    return Answer(answer.status, answer.body, replayed=True, waited=True)
