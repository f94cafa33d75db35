"""The changes of a post that begin under its lock: retry, resolve and delete, each made once for its key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read, read_valid
from api.posts.answers.rendering import Answer, answer_post, answer_view
from api.posts.answers.views import DeletedView
from api.posts.bodies.schemas import NamedTarget, ResolveBody, RetryBody
from api.posts.lookup import answer_at_rest, plan_for, post_accounts, require_post, require_target
from api.posts.once import DELETED, Follow, Work, complete, keyed_request, once, take_key
from api.posts.times import require_campaign_goes_on
from api.shared.caches import require_open
from api.shared.waiting import Deadline
from domain.audit import Actor
from domain.errors import Conflict, InvalidRequest, Problem
from domain.ids import is_post_id
from domain.ownership import may_retry
from domain.plan import Plan
from domain.post import PostStatus, TargetStatus
from platforms.registry import platforms
from store.models import ConnectedAccount, IdempotencyKey, Post, Target
from store.posts.changes import delete_post, reopen, target_row
from store.posts.changes import resolve as resolve_target
from store.posts.idempotency import KeyedRequest
from store.posts.queries import find_post
from store.publishing.targets import most_attempts


@dataclass(frozen=True, slots=True)
class PostChange:
    """A client's request to change one post. `request` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    post_id: str
    payload: JsonObject
    request: KeyedRequest | None

    @classmethod
    def from_route(
        cls,
        deps: Dependencies,
        workspace_id: str,
        actor: Actor,
        post_id: str,
        payload: JsonObject,
        key: str | None,
        route: str,
    ) -> "PostChange":
        """Return the change that an operation's route on the post asks for with this body."""
        request = keyed_request(workspace_id, key, payload, route.replace("{postId}", post_id))
        return cls(deps, workspace_id, actor, post_id, payload, request)

    async def answer_once(self, change: Work, follow: Follow) -> Answer:
        """Answer the request once, as `api.posts.once.once` does: `change` begins with `locked_post`."""
        return await once(self.deps, self.request, self.post_id, change, follow)

    @asynccontextmanager
    async def locked_post(self, *, revision_id: str | None = None) -> AsyncIterator[tuple[AsyncSession, Post]]:
        """Open the transaction of the change: it takes the key and holds the post's row until the block ends.

        `revision_id` is as in `api.posts.once.take_key`. Raises KeyTakenError, NotFound.
        """
        async with self.deps.database.transaction() as session:
            await take_key(session, self.request, self.post_id, revision_id=revision_id)
            yield session, await require_post(session, self.workspace_id, self.post_id, lock=True)


MOST_ATTEMPTS = 1_000
"""Steps after which a target is not retried any more: each leaves a row that is kept as long as the post."""
_TRIED_TOO_OFTEN = Problem(
    f"A target of this post was tried {MOST_ATTEMPTS:,} times; create a new post instead", "retry_limit_reached"
)
_NOTHING_FAILED = Problem("No platform has failed, so there is nothing to retry", "nothing_to_retry")
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
                    _HELD if any(target.status == TargetStatus.HELD for target in post.targets) else _NOTHING_FAILED
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


_NOT_UNCONFIRMED = Problem(
    "This target is not unconfirmed, nor settled by a person in the last 7 days: there is nothing to resolve",
    "conflict",
)


async def resolve(change: PostChange) -> Answer:
    """Settle one unconfirmed target. Raises NotFound, InvalidRequest, Unprocessable, Conflict, IdempotencyKeyReused."""

    async def answer() -> Answer:
        async with change.deps.database.reading() as session:
            return answer_post(await require_post(session, change.workspace_id, change.post_id))

    async def settle() -> Answer:
        await _settle(change, read_resolution(change.payload))
        return await answer()

    return await change.answer_once(settle, lambda _: answer())


async def _settle(change: PostChange, body: ResolveBody) -> None:
    async with change.locked_post() as (session, post):
        plan = await settle_target(session, post, body, change.actor)
    await change.deps.delivery.deliver_and_wait(plan)


async def settle_target(session: AsyncSession, post: Post, body: ResolveBody, actor: Actor) -> Plan:
    """Settle a locked post's target as a person decided; return the plan to deliver to its workflow.

    Raises InvalidRequest, Unprocessable, Conflict.
    """
    target = require_target(post, body.platform, body.account_id, "accountId")
    published = body.outcome != "not_published"
    accounts = await post_accounts(session, post)
    post_id, url = id_and_address(body, accounts.get(target.account_id))
    if not await resolve_target(session, post, target, post_id, actor, published=published, url=url):
        raise Conflict(_NOT_UNCONFIRMED)
    return plan_for(post, accounts)


def read_resolution(payload: JsonObject) -> ResolveBody:
    """Return what the person says. Raises InvalidRequest."""
    body = read_valid(ResolveBody, payload)
    _post_id(body, None, "")
    return body


def id_and_address(body: ResolveBody, account: ConnectedAccount | None) -> tuple[str | None, str | None]:
    """Return the id of the post that a person names, and an address of its page if there is one.

    Raises InvalidRequest, also if the post is another account's.
    """
    user_id, username = (account.user_id, account.username) if account else ("", "")
    post_id = _post_id(body, user_id, username)
    if post_id is None or post_id != body.platform_post_id:
        return post_id, body.platform_post_id
    return post_id, platforms()[body.platform].rules.post_id.page(post_id, user_id, username)


def _post_id(body: ResolveBody, user_id: str | None, username: str) -> str | None:
    """Return the id that a person has given, or the one in the address that the person has given.

    `user_id` and `username`: the account's at the platform; None and empty if only the form is checked. Raises
    InvalidRequest.
    """
    rule, named = platforms()[body.platform].rules.post_id, body.platform_post_id
    if named is None:
        return None
    post_id = rule.read(named, user_id, username)
    if post_id is None:
        sentence = f"platformPostId {rule.refusal(named, user_id, username)}"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "platformPostId"))
    return post_id


_PUBLISHING = Problem("The post is being published; wait for the outcome, then delete it", "conflict")
_JUST_PUBLISHED = Problem(
    "The post was published while this request was on its way. Its platforms keep it; the same request removes it here",
    "conflict",
)


async def delete(change: PostChange, received_at: datetime) -> Answer:
    """Remove the post from this service; one that is not out yet is surely not published afterwards.

    One that was published after the request was received is not deleted: its client wanted to stop it. Raises NotFound,
    Conflict, IdempotencyKeyReused.
    """

    async def follow(_: IdempotencyKey) -> Answer:
        raise Conflict(DELETED)

    return await change.answer_once(partial(_delete, change, received_at), follow)


async def _delete(change: PostChange, received_at: datetime) -> Answer:
    deps, workspace_id, post_id = change.deps, change.workspace_id, change.post_id
    async with deps.database.reading() as session:
        before = await find_post(session, workspace_id, post_id) if is_post_id(post_id) else None
    async with change.locked_post() as (session, post):
        answer = DeletedView(id=post_id, deleted=True)
        if _may_be_public(post):
            # The clock of the worker that published it may be behind ours; what was read first does not depend on it.
            if post.updated_at > received_at or not (before and _may_be_public(before)):
                raise Conflict(_JUST_PUBLISHED)
            answer["status"] = PostStatus(post.status)
        if not await delete_post(session, post, change.actor):
            raise Conflict(_PUBLISHING)
        answered = await complete(session, change.request, answer_view(answer))
    if post.status != PostStatus.DRAFT:
        await deps.delivery.deliver_rest(post.workflow_id, post.id, post.version + 1, deleted=True)
    return answered


def _may_be_public(post: Post) -> bool:
    return any(TargetStatus(target.status).may_be_public for target in post.targets)
