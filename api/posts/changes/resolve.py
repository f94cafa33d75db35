"""A person's decision about the outcome of a target whose answer was lost."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.posts.answers.answer import Answer, answer_post
from api.posts.bodies.schemas import ResolveBody
from api.posts.changes.post_change import PostChange
from api.posts.lookup import plan_for, post_accounts, require_post, require_target
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
        raise Conflict(_NOTHING)
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
