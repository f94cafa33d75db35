"""Carry out a change once, however often it is asked for with the same Idempotency-Key."""

import hashlib
import json
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.posts.answers.answer import Answer
from api.posts.lookup import plan_for, post_accounts
from domain.errors import IdempotencyKeyReused, Problem
from domain.post import PostStatus
from store.models import IdempotencyKey, Post
from store.posts.idempotency import KeyedRequest, acquire_key, find_key, keep_response

REUSED = Problem(
    "This Idempotency-Key was used with another request or body; use a new key for each request",
    "idempotency_key_reused",
    "Idempotency-Key",
)
EXPIRED = Problem("This Idempotency-Key has just expired; please try again", "unavailable")
"""The key ran out while its request was answered."""
DELETED = Problem("The post of this Idempotency-Key was deleted; a new request needs a new key", "conflict")


class KeyTakenError(Exception):
    """An earlier request has this key, or had it. Raised in the transaction of a change, before it changes anything."""


def keyed_request(workspace_id: str, key: str | None, payload: JsonObject, target: str = "") -> KeyedRequest | None:
    """Return a use of a key. Two have the same digest if their bodies are equal as JSON and their targets are the same.

    `target`: method and path; empty for a create.
    """
    if key is None:
        return None
    return KeyedRequest(workspace_id, key, body_digest(payload, target))


def body_digest(payload: JsonObject, target: str = "") -> bytes:
    """Return the SHA-256 of a body, the same for bodies that are equal as JSON; `target` as in `keyed_request`."""
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((f"{target}\n{canonical}" if target else canonical).encode()).digest()


async def take_key(
    session: AsyncSession,
    request: KeyedRequest | None,
    post_id: str,
    *,
    answer: Answer | None = None,
    revision_id: str | None = None,
) -> None:
    """Take a request's key in the transaction of its change, so that both hold or neither does.

    `answer`: what the request is answered, if that is known already. Raises KeyTakenError.
    """
    if request is None:
        return
    response = None if answer is None else (answer.status, answer.body)
    if await acquire_key(session, request, post_id, datetime.now(UTC), response, revision_id) is None:
        raise KeyTakenError


async def find_use(session: AsyncSession, request: KeyedRequest) -> IdempotencyKey | None:
    """Return the earlier use of a key, None if there was none in 24 hours. Raises IdempotencyKeyReused."""
    known = await find_key(session, request, datetime.now(UTC))
    if known is not None and known.request_sha256 != request.sha256:
        raise IdempotencyKeyReused(REUSED)
    return known


async def deliver_again(deps: Dependencies, session: AsyncSession, post: Post) -> None:
    """Deliver a post that is to be published now if its workflow is not known to have it.

    The request that created it may have died before it delivered the post.
    """
    if not post.is_delivered and post.status == PostStatus.PUBLISHING:
        deps.delivery.deliver(plan_for(post, await post_accounts(session, post)))


async def keep(deps: Dependencies, request: KeyedRequest | None, post_id: str, answer: Answer) -> Answer:
    """Store the answer of a key, and return the one that all requests with this key get."""
    if request is None:
        return answer
    status, body = await keep_response(deps.database, request, post_id, answer.status, answer.body)
    if (status, body) == (answer.status, answer.body):
        return answer
    return Answer(status, body, waited=answer.waited)
