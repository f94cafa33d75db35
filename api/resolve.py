"""Let a person decide what became of a target whose answer was lost."""

from api.answer import Answer, answer_post
from api.body import JsonObject
from api.dependencies import Dependencies
from api.keyed import keyed, once, take_key
from api.lookup import accounts_of, plan_for, require_post
from api.schemas import ResolveBody
from api.shape import in_contract_order, read
from domain.errors import Conflict, InvalidRequest, Problem, Unprocessable
from platforms.registry import networks
from store.idempotency import KeyedRequest
from store.models import Post, Target
from store.wishes import resolve as resolve_target


async def resolve(deps: Dependencies, workspace_id: str, post_id: str, payload: JsonObject, key: str | None) -> Answer:
    """Settle one unconfirmed target. Raises NotFound, InvalidRequest, Unprocessable, Conflict, IdempotencyKeyReused."""
    request = keyed(workspace_id, key, payload, f"POST /v1/posts/{post_id}/resolve")

    async def answer() -> Answer:
        async with deps.database.reading() as session:
            return answer_post(await require_post(session, workspace_id, post_id))

    async def settle() -> Answer:
        await _settle(deps, workspace_id, post_id, read_resolution(payload), request)
        return await answer()

    return await once(deps, request, post_id, settle, lambda _: answer())


async def _settle(
    deps: Dependencies, workspace_id: str, post_id: str, body: ResolveBody, request: KeyedRequest | None
) -> None:
    async with deps.database.transaction() as session:
        await take_key(session, request, post_id)
        post = await require_post(session, workspace_id, post_id, lock=True)
        target, published = _named(post, body), body.outcome == "published"
        if not await resolve_target(session, post, target, body.platform_post_id, published=published):
            sentence = "This target is not unconfirmed, so there is nothing to resolve"
            raise Conflict(Problem(sentence, "conflict"))
        plan = plan_for(post, await accounts_of(session, post))
    await deps.starter.tell_now(plan)


def read_resolution(payload: JsonObject) -> ResolveBody:
    """Return what the person says. Raises InvalidRequest."""
    body, problems = read(ResolveBody, payload)
    if body is None or problems:
        raise InvalidRequest(in_contract_order(problems))
    post_id = networks()[body.platform].rules.post_id
    if body.platform_post_id is not None and not post_id.matches(body.platform_post_id):
        problem = Problem(f"platformPostId must be {post_id.words}", "invalid_field_value", "platformPostId")
        raise InvalidRequest([problem])
    return body


def _named(post: Post, body: ResolveBody) -> Target:
    for target in post.targets:
        if (target.platform, target.account_id) == (body.platform, body.account_id):
            return target
    raise Unprocessable(Problem("The post has no target on this account", "account_not_found", "accountId"))
