"""Create a post once, however often it is asked for with the same key or externalId."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject, body_size, unusable_strings
from api.http.moments import now_ms
from api.posts.answers.rendering import Answer, answer_post
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.platform_rules import find_platform_problems
from api.posts.bodies.schemas import LONGEST_NAME
from api.posts.lookup import answer_at_rest, plan_for, post_accounts
from api.posts.media_checks import find_upload_problems, warn_of_media
from api.posts.once import DELETED, KeyTakenError, body_digest, keyed_request, once
from api.posts.times import (
    UNKNOWN_CAMPAIGN,
    campaign_refusal,
    choose_slot,
    daily_cap_warnings,
    find_campaign_problem,
    read_campaign,
    require_link,
    warn_of_daily_cap,
)
from api.shared.caches import require_open, target_accounts
from api.shared.waiting import Deadline
from domain.audit import Actor
from domain.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
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
from store.posts.contents import new_columns
from store.posts.creating import CampaignGoneError, ExternalIdTakenError, create_post, read_accounts, read_post
from store.posts.idempotency import KeyedRequest
from store.posts.queries import find_by_external_id, find_post
from store.queues.slots import put_into_slot


async def answer_existing(
    deps: Dependencies, workspace_id: str, payload: JsonObject, deadline: Deadline, *, taken: bool = False
) -> Answer | None:
    """Answer with the post that the same body has made under its externalId; None if there is none.

    It is answered as it is now. Raises Conflict if the id is `taken` by a post that another body has made.
    """
    external_id = payload.get("externalId")
    if (
        not isinstance(external_id, str)
        or len(external_id) > LONGEST_NAME
        or unusable_strings({"externalId": external_id})
    ):
        return None
    async with deps.database.reading() as session:
        post = await find_by_external_id(session, workspace_id, external_id)
        if post is None:
            return None
        if post.external_digest != body_digest(payload).hex():
            if not taken:
                return None
            raise Conflict(taken_id(post.id))
        await deliver_again(deps, session, post)
    try:
        answer = await answer_at_rest(deps, workspace_id, post.id, deadline)
    except NotFound:
        return None
    return replace(answer, replayed=True, to_keep=False)


async def deliver_again(deps: Dependencies, session: AsyncSession, post: Post) -> None:
    """Deliver a post that is to be published now if its workflow is not known to have it.

    The request that created it may have died before it delivered the post.
    """
    if not post.is_delivered and post.status == PostStatus.PUBLISHING:
        deps.delivery.deliver(plan_for(post, await post_accounts(session, post)))


async def find_conflict(deps: Dependencies, workspace_id: str, external_id: str, body: JsonObject) -> list[Problem]:
    """Return the problem of a body whose externalId belongs to a post that another body has made, if there is one."""
    async with deps.database.reading() as session:
        post = await find_by_external_id(session, workspace_id, external_id)
    return [taken_id(post.id)] if post is not None and post.external_digest != body_digest(body).hex() else []


def taken_id(post_id: str, differing: Sequence[str] = ()) -> Problem:
    """Return the problem of a body whose externalId belongs to a post that another body has made.

    `differing`: the fields in which the two bodies differ, if that is known.
    """
    sentence = f"{post_id} has this externalId and was made by another body; change it, or use another id"
    sentence += f". They differ in {', '.join(differing)}" if differing else ""
    return Problem(sentence, "external_id_taken", "externalId", post_id=post_id)


_Created = tuple[Post, Plan | None, Answer | None]
"""A post that was inserted, its plan unless it is a draft, and the answer unless that waits for the outcome."""
_JUST_DELETED = Problem("The post with this externalId is being deleted; please try again", "unavailable")


async def create(
    deps: Dependencies, workspace_id: str, actor: Actor, payload: JsonObject, key: str | None, deadline: Deadline
) -> Answer:
    """Create the post, or answer as the first request with this key or externalId was answered.

    Raises InvalidRequest, Unprocessable, Conflict, IdempotencyKeyReused, TooManyRequests.
    """
    request = keyed_request(workspace_id, key, payload)
    creation = _Creation(deps, workspace_id, actor, payload, request, deadline, new_id("post"))
    try:
        return await once(deps, request, creation.post_id, creation.work, creation.follow)
    except (InvalidRequest, Unprocessable, Conflict, TooManyRequests) as refusal:
        if DELETED not in refusal.problems and (answer := await answer_existing(deps, workspace_id, payload, deadline)):
            return answer
        raise


@dataclass(frozen=True, slots=True)
class _Creation:
    """A request to create one post. `request` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    payload: JsonObject
    request: KeyedRequest | None
    deadline: Deadline
    post_id: str

    async def work(self) -> Answer:
        """Insert the post, deliver its plan, and answer. Raises KeyTakenError."""
        try:
            post, plan, answer = await self._insert()
        except ExternalIdTakenError:
            if existing := await answer_existing(self.deps, self.workspace_id, self.payload, self.deadline, taken=True):
                return existing
            raise Unavailable(_JUST_DELETED, retry_after=1) from None
        if answer is not None:
            if plan is not None:
                await self.deps.delivery.deliver_and_wait(plan)
            return answer
        if plan is not None:
            self.deps.delivery.deliver(plan)
        # If the post was deleted meanwhile, the answer shows it as it was created.
        return await self._outcome(post.id, new=True) or answer_post(post, 201)

    async def follow(self, use: IdempotencyKey) -> Answer:
        """Wait for the outcome of the first request's post as that one does, because it may have died."""

        async def deliver() -> None:
            async with self.deps.database.transaction() as session:
                if post := await find_post(session, self.workspace_id, use.post_id):
                    await deliver_again(self.deps, session, post)

        await self.deps.repeats.share(self.request, "delivery", deliver)
        bind_contextvars(post_id=use.post_id)
        if answer := await self._outcome(use.post_id):
            return answer
        raise Conflict(DELETED)

    async def _insert(self) -> _Created:
        """Insert everything together. Raises KeyTakenError, ExternalIdTakenError, Conflict."""
        deps, workspace_id, payload, now = self.deps, self.workspace_id, self.payload, now_ms()
        campaign = await read_campaign(deps.database, workspace_id, payload)
        async with loop_share(body_size(payload)):
            parsed_post = read_create(payload, now, campaign)
        if problem := find_campaign_problem(parsed_post, campaign):
            raise campaign_refusal(problem)
        content = parsed_post.content
        post = new_columns(
            self.post_id,
            workspace_id,
            workflow_id(workspace_id, self.post_id, self.request.key if self.request else None),
            content,
            status=parsed_post.status,
            due_at=parsed_post.due_at,
            # Lists filter posts by the time in their ids, so `created_at` must be the same time.
            now=made_at(self.post_id),
            created_by=self.actor.id,
            external_digest=body_digest(payload).hex() if content.external_id is not None else None,
        ).as_post()
        warn_of_media(post, deps)
        accounts, uploads = {}, await find_upload_problems(deps, workspace_id, content)
        if not parsed_post.is_draft:
            wanted_ids = [target.account_id for target in content.targets]
            accounts = await read_accounts(deps.database, workspace_id, wanted_ids)
            problems = await find_platform_problems(content, accounts, body_size(payload))
            if problems := [*problems, *uploads][:MAX_PROBLEMS]:
                raise Unprocessable(problems)
        warnings = [*uploads, *parsed_post.time_warnings]
        if parsed_post.status is PostStatus.PUBLISHING:
            closed = await deps.closed_gates.closed_in(workspace_id)
            require_open(closed, target_accounts(content), content.campaign_id)
        await deps.usage.count_post(workspace_id, post.answer_bytes)
        if parsed_post.queue is None and post.after_post_id is None:
            caps = await warn_of_daily_cap(deps.database, workspace_id, parsed_post)
            return await self._save(deps.database, post, accounts, now, [*warnings, *caps])
        async with deps.database.transaction() as session:
            if parsed_post.queue is None:
                await require_link(session, workspace_id, post.id, content, now)
                created = await self._save(session, post, accounts, now, warnings)
                await write_link(session, post)
                return created
            slot = await choose_slot(session, workspace_id, parsed_post.queue, content, now, campaign)
            put_into_slot(post, *slot)
            _, time = slot
            caps = await daily_cap_warnings(session, workspace_id, content, time.instant)
            return await self._save(session, post, accounts, now, [*warnings, *caps])

    async def _save(
        self,
        database: Database | AsyncSession,
        post: Post,
        accounts: Mapping[str, ConnectedAccount],
        now: datetime,
        warnings: Sequence[Problem],
    ) -> _Created:
        # The answer is known unless it waits for an outcome; kept with the post, a crash loses neither.
        answer = None
        if post.status != PostStatus.PUBLISHING:
            answer = replace(answer_post(post, 201, warnings=warnings), to_keep=False)
        response = None if answer is None else (answer.status, answer.body)
        try:
            if not await create_post(database, post, self.request, now, response):
                raise KeyTakenError
        except CampaignGoneError:
            raise Unprocessable(UNKNOWN_CAMPAIGN) from None
        bind_contextvars(post_id=post.id, workflow_id=post.workflow_id)
        return post, None if post.status == PostStatus.DRAFT else plan_for(post, accounts), answer

    async def _outcome(self, post_id: str, *, new: bool = False) -> Answer | None:
        """Wait for a post's outcome and answer with it; None if the post is gone. Repeats share what they read."""
        post: Post | None = None

        async def at_rest() -> bool:
            nonlocal post
            post = await self.deps.repeats.share(
                self.request, "post", lambda: read_post(self.deps.database, self.workspace_id, post_id)
            )
            return post is None or not post.is_moving

        if not await self.deps.outcomes.wait(post_id, at_rest, self.deadline.seconds_left, new=new):
            await at_rest()
        return None if post is None else answer_post(post, 201, waited=True)
