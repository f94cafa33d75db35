"""Do once what a request asks for, however often it comes with the same Idempotency-Key.

Each request takes its key in the transaction of its change, so that both hold or neither does. Its answer is kept in
the same transaction if it is known by then, otherwise as soon as it is.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.headers import HttpRequest
from api.http.request import read_keyed_request
from api.posts.answers.rendering import Answer
from domain.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    PostsError,
    Problem,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from store.models import IdempotencyKey
from store.posts.idempotency import KeyedRequest, acquire_key, complete_key, find_key, keep_response

REUSED = Problem(
    "This Idempotency-Key was used with another request or body; use a new key for each request",
    "idempotency_key_reused",
    "Idempotency-Key",
)
EXPIRED = Problem("This Idempotency-Key has just expired; please try again", "unavailable")
"""The key ran out while its request was answered."""
DELETED = Problem("The post of this Idempotency-Key was deleted; a new request needs a new key", "conflict")
_REFUSALS: tuple[type[PostsError], ...] = (InvalidRequest, NotFound, Unprocessable, Conflict, TooManyRequests)

T = TypeVar("T")
Work = Callable[[], Awaitable[Answer]]
Follow = Callable[[IdempotencyKey], Awaitable[Answer]]


class KeyTakenError(Exception):
    """An earlier request has this key, or had it. The transaction in which it is raised changes nothing."""


def keyed_request(workspace_id: str, key: str | None, payload: JsonObject, target: str = "") -> KeyedRequest | None:
    """Return a use of a key. Two have the same digest if their bodies are equal as JSON and their targets are the same.

    `target`: method and path; empty for a create.
    """
    if key is None:
        return None
    return KeyedRequest(workspace_id, key, body_digest(payload, target))


def key_of_request(
    request: HttpRequest, workspace_id: str, key: str | None, payload: JsonObject
) -> KeyedRequest | None:
    """Return the use of a key that an HTTP request with this body makes; None without a key."""
    return keyed_request(workspace_id, key, payload, f"{request.method} {request.url.path}")


async def read_once(
    request: HttpRequest, workspace_id: str, read_body: Callable[[JsonObject], T]
) -> tuple[T, KeyedRequest | None]:
    """Return the body of a request as `read_body` returns it, and the use of its key. Raises what `read_body` does."""
    payload, key = await read_keyed_request(request, read_body)
    return read_body(payload), key_of_request(request, workspace_id, key, payload)


def body_digest(payload: JsonObject, target: str = "") -> bytes:
    """Return the SHA-256 of a body, the same for bodies that are equal as JSON; `target` as in `keyed_request`."""
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((f"{target}\n{canonical}" if target else canonical).encode()).digest()


async def once(
    deps: Dependencies,
    request: KeyedRequest | None,
    subject_id: str,
    work: Work,
    follow: Follow | None = None,
    *,
    is_costly: bool = False,
) -> Answer:
    """Answer with what `work` answers, or as the first request with this key was answered.

    `work` makes the change of `subject_id` in a transaction that takes the key, by `take_key`. `follow` answers in
    place of a first request that has not answered, and may never do so because its process died; what that one has
    changed stays. The work of a hot path does not ask for the key first; `is_costly` work does.

    Raises IdempotencyKeyReused, TooManyRequests, Unavailable, and what `work` and `follow` raise.
    """
    if request is None:
        return await work()
    with deps.repeats.answering(request) as is_repeat:
        if (is_costly or is_repeat) and (answer := await _answer_repeat(deps, request, follow)):
            return answer
        try:
            answer = await work()
        except KeyTakenError:
            if answer := await _answer_repeat(deps, request, follow):
                return answer
            raise Unavailable(EXPIRED, retry_after=1) from None
        except _REFUSALS:
            # The body of a known key was valid once, but may not be any more: its time is past, its account gone.
            if answer := await _answer_repeat(deps, request, follow):
                return answer
            raise
        return await _keep(deps, request, subject_id, answer)


async def take_key(
    session: AsyncSession,
    request: KeyedRequest | None,
    subject_id: str,
    *,
    revision_id: str | None = None,
    post_ids: list[str] | None = None,
) -> None:
    """Take a request's key in the transaction of its change. Waits for another request that does. Raises KeyTakenError.

    `revision_id` and `post_ids` are as in `store.posts.idempotency.acquire_key`.
    """
    if request is None:
        return
    if await acquire_key(session, request, subject_id, datetime.now(UTC), None, revision_id, post_ids) is None:
        raise KeyTakenError


async def complete(
    session: AsyncSession, request: KeyedRequest | None, answer: Answer, operation_id: str | None = None
) -> Answer:
    """Keep an answer in the transaction that has taken the key; with an operation, as long as that is kept."""
    if request is not None:
        await complete_key(session, request, answer.status, answer.body, operation_id)
    return replace(answer, to_keep=False)


async def find_use(session: AsyncSession, request: KeyedRequest) -> IdempotencyKey | None:
    """Return the earlier use of a key, None if it is free. Raises IdempotencyKeyReused."""
    known = await find_key(session, request, datetime.now(UTC))
    if known is not None and known.request_sha256 != request.sha256:
        raise IdempotencyKeyReused(REUSED)
    return known


async def _answer_repeat(deps: Dependencies, request: KeyedRequest, follow: Follow | None) -> Answer | None:
    """Answer like the request that used this key first; None if there was none."""

    async def read_use() -> IdempotencyKey | None:
        async with deps.database.reading() as session:
            return await find_use(session, request)

    use = await deps.repeats.share(request, "use", read_use)
    if use is None:
        return None
    if use.response_body is not None:
        return Answer(use.response_status or 200, use.response_body, replayed=True)
    if follow is None:
        return None
    try:
        answer = await follow(use)
    except NotFound as error:
        raise Conflict(DELETED) from error
    return replace(await _keep(deps, request, use.post_id, answer), replayed=True)


async def _keep(deps: Dependencies, request: KeyedRequest, subject_id: str, answer: Answer) -> Answer:
    """Store the answer of a key, and return the one that all requests with this key get."""
    if not answer.to_keep:
        return answer

    async def keep() -> tuple[int, bytes]:
        return await keep_response(deps.database, request, subject_id, answer.status, answer.body)

    status, body = await deps.repeats.share(request, "answer", keep)
    return replace(answer, status=status, body=body)
