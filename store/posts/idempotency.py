"""Idempotency keys: the first request makes the post, and every repetition gets the same response."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import case, delete, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import workflow_id
from store.database import Pool
from store.models import IdempotencyKey, Post

LIFETIME = timedelta(hours=24)
KEPT = timedelta(days=30)
"""How long a key's row is kept after the key has expired, and for how long again if a post of the key still exists.

It must be longer than Temporal's retention of closed workflows (7 days).
"""
_TAKE = text(
    "SELECT take_key_v1("
    ":workspace_id, :key, :sha256, :post_id, :now, :expires_at, :status, :body, :revision_id, :post_ids)"
)
_KEEP = """
UPDATE idempotency_keys SET response_status = $4, response_body = $5
WHERE workspace_id = $1 AND key = $2 AND post_id = $3 AND response_body IS NULL
RETURNING key
"""
_COMPLETE = text(
    "UPDATE idempotency_keys SET response_status = :status, response_body = :body"
    " WHERE workspace_id = :workspace_id AND key = :key"
)
_COMPLETE_OPERATION = text(
    "UPDATE idempotency_keys SET response_status = :status, response_body = :body, post_id = :operation_id,"
    " expires_at = 'infinity', check_at = 'infinity'"
    " WHERE workspace_id = :workspace_id AND key = :key"
)
_EXPIRE = text(
    "UPDATE idempotency_keys SET expires_at = :now, check_at = :now"
    " WHERE expires_at = 'infinity' AND post_id = ANY(:operation_ids)"
)
_KEPT = """
SELECT response_status, response_body FROM idempotency_keys
WHERE workspace_id = $1 AND key = $2 AND post_id = $3 AND response_body IS NOT NULL
"""
_IDS = 5_000
"""The number of workflow ids that one statement looks up."""


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """One use of a key: its workspace, the key, and the digest of the body it came with."""

    workspace_id: str
    key: str
    sha256: bytes


async def acquire_key(
    session: AsyncSession,
    request: KeyedRequest,
    post_id: str,
    now: datetime,
    response: tuple[int, bytes] | None,
    revision_id: str | None = None,
    post_ids: list[str] | None = None,
) -> int | None:
    """Acquire a free or expired key for a post; returns its generation, None if another request holds it.

    `response` is the status and body of the response if it is known already. `revision_id` names the edit that the
    request asks for, `post_ids` the posts of a request for many. Waits for a transaction that is taking the same key.
    """
    status, body = response or (None, None)
    values = {
        "workspace_id": request.workspace_id,
        "key": request.key,
        "sha256": request.sha256,
        "post_id": post_id,
        "now": now,
        "expires_at": now + LIFETIME,
        "status": status,
        "body": body,
        "revision_id": revision_id,
        "post_ids": post_ids,
    }
    generation: int | None = await session.scalar(_TAKE, values)
    return generation


async def find_key(session: AsyncSession, request: KeyedRequest, now: datetime) -> IdempotencyKey | None:
    """Return the key's row if it has not expired."""
    return await session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.workspace_id == request.workspace_id,
            IdempotencyKey.key == request.key,
            IdempotencyKey.expires_at > now,
        )
    )


async def keep_response(
    database: Pool, request: KeyedRequest, post_id: str, status: int, body: bytes
) -> tuple[int, bytes]:
    """Store the response of a key if it has none yet, and return the one that all its requests get."""
    use = (request.workspace_id, request.key, post_id)
    if await database.row(_KEEP, *use, status, body) is not None:
        return status, body
    stored = await database.row(_KEPT, *use)
    return (stored["response_status"] or status, stored["response_body"]) if stored else (status, body)


async def complete_key(
    session: AsyncSession, request: KeyedRequest, status: int, body: bytes, operation_id: str | None = None
) -> None:
    """Store the response of a key that the same transaction has acquired.

    The key of an operation does not expire before the operation is deleted.
    """
    values = {"workspace_id": request.workspace_id, "key": request.key, "status": status, "body": body}
    if operation_id is None:
        await session.execute(_COMPLETE, values)
    else:
        await session.execute(_COMPLETE_OPERATION, {**values, "operation_id": operation_id})


async def expire_keys_of_operations(session: AsyncSession, operation_ids: Sequence[str], now: datetime) -> None:
    """Let the keys of operations expire that the same transaction deletes."""
    await session.execute(_EXPIRE, {"operation_ids": list(operation_ids), "now": now})


async def delete_expired_keys(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete the responses of up to `most` expired keys, and the rows that no workflow id needs any more.

    Responses hold content, and are deleted as soon as their key has expired. A row is deleted `KEPT` later, unless a
    post of the key exists: a new post with that key would get the workflow id of the existing one. Returns how many
    keys were checked; if it is `most`, there may be more.
    """
    query = (
        select(IdempotencyKey.workspace_id, IdempotencyKey.key, IdempotencyKey.generation, IdempotencyKey.expires_at)
        .where(IdempotencyKey.check_at <= now)
        .order_by(IdempotencyKey.check_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    keys = [_Key(*row) for row in await session.execute(query)]
    old = {key.name for key in keys if key.expires_at + KEPT <= now}
    gone = old - await _needed(session, [key for key in keys if key.name in old])
    expired = [key.name for key in keys if key.expires_at <= now and key.name not in gone]
    extended = [key.name for key in keys if key.expires_at > now]
    named, until = tuple_(IdempotencyKey.workspace_id, IdempotencyKey.key), IdempotencyKey.expires_at + KEPT
    again = case((until > now, until), else_=now + KEPT)
    values = {"response_body": None, "response_status": None, "check_at": again}
    for statement in (
        update(IdempotencyKey).where(named.in_(expired)).values(values),
        update(IdempotencyKey).where(named.in_(extended)).values(check_at=IdempotencyKey.expires_at),
        delete(IdempotencyKey).where(named.in_(gone)),
    ):
        await session.execute(statement.execution_options(synchronize_session=False))
    return len(keys)


@dataclass(frozen=True, slots=True)
class _Key:
    workspace_id: str
    key: str
    generation: int
    expires_at: datetime

    @property
    def name(self) -> tuple[str, str]:
        return self.workspace_id, self.key

    @property
    def workflow_ids(self) -> Iterator[str]:
        return (
            workflow_id(self.workspace_id, "", self.key, generation) for generation in range(1, self.generation + 1)
        )


async def _needed(session: AsyncSession, keys: Sequence[_Key]) -> set[tuple[str, str]]:
    """Return the names of the keys of which a post exists, in any generation."""
    ids = ((workflow_id, key.name) for key in keys for workflow_id in key.workflow_ids)
    needed: set[tuple[str, str]] = set()
    while names := dict(islice(ids, _IDS)):
        taken = await session.scalars(select(Post.workflow_id).where(Post.workflow_id.in_(names)))
        needed.update(names[workflow_id] for workflow_id in taken)
    return needed
