"""Answer a repeated create by the client's own id of the post, which names it for as long as it exists."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject, unusable_strings
from api.posts.answers.answer import Answer
from api.posts.at_rest import answer_at_rest
from api.posts.bodies.schemas import LONGEST_NAME
from api.posts.lookup import plan_for, post_accounts
from api.posts.once import body_digest
from api.shared.waiting import Deadline
from domain.errors import Conflict, NotFound, Problem
from domain.post import PostStatus
from store.models import Post
from store.posts.queries import find_by_external_id


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
