"""A person's decision about the outcome of a target whose answer was lost."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.posts.answers.answer import Answer, answer_post
from api.posts.bodies.schemas import ResolveBody
from api.posts.changes.post_change import PostChange
from api.posts.lookup import accounts_of, plan_for, require_post, require_target
from domain.audit import Actor
from domain.errors import Conflict, InvalidRequest, Problem
from domain.plan import Plan
from platforms.registry import platforms
from store.models import ConnectedAccount, Post
from store.posts.changes import resolve as resolve_target

_NOTHING = Problem(
    "This target is not unconfirmed, nor settled by a person in the last 7 days: there is nothing to resolve",
    "conflict",
)


async def resolve(
    deps: Dependencies, workspace_id: str, actor: Actor, post_id: str, payload: JsonObject, key: str | None
) -> Answer:
    """Settle one unconfirmed target. Raises NotFound, InvalidRequest, Unprocessable, Conflict, IdempotencyKeyReused."""
    change = PostChange.of(deps, workspace_id, actor, post_id, payload, key, action="resolve")

    async def answer() -> Answer:
        async with deps.database.reading() as session:
            return answer_post(await require_post(session, workspace_id, post_id))

    async def settle() -> Answer:
        await _settle(change, read_resolution(payload))
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
    accounts = await accounts_of(session, post)
    found, url = id_and_address(body, accounts.get(target.account_id))
    if not await resolve_target(session, post, target, found, actor, published=published, url=url):
        raise Conflict(_NOTHING)
    return plan_for(post, accounts)


def read_resolution(payload: JsonObject) -> ResolveBody:
    """Return what the person says. Raises InvalidRequest."""
    body = read_valid(ResolveBody, payload)
    _found(body, None)
    return body


def id_and_address(body: ResolveBody, account: ConnectedAccount | None) -> tuple[str | None, str | None]:
    """Return the id of the post that a person names, and its address if that was given. Raises InvalidRequest."""
    return _found(body, account.user_id if account else "")


def _found(body: ResolveBody, user_id: str | None) -> tuple[str | None, str | None]:
    """Return the id that a person has given, or the address of which it is a part, and that address.

    `user_id`: the platform's id of the account; None if only the form is checked. Raises InvalidRequest.
    """
    post_id, given = platforms()[body.platform].rules.post_id, body.platform_post_id
    if given is None:
        return None, None
    found = post_id.read(given, user_id)
    if found is None:
        either = ", or the address of the post" if post_id.addresses else ""
        sentence = f"platformPostId must be {post_id.words}{either}"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "platformPostId"))
    return found, given if found != given else None
