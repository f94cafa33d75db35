"""Idempotency keys: who comes first makes the post, everybody gets the same answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import IdempotencyKey

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Name one use of a key: whose, which, and the digest of the body it came with."""

    workspace_id: str
    key: str
    sha256: bytes


async def claim(
    session: AsyncSession, request: KeyedRequest, post_id: str, now: datetime, response: tuple[int, bytes] | None
) -> int | None:
    """Take a free or expired key for a new post; returns its generation, None where somebody else holds it.

    `response` is the status and body of the answer where it is known already. Waits for a transaction that is just
    taking the same key.
    """
    status, body = response or (None, None)
    values = {
        "request_sha256": request.sha256,
        "post_id": post_id,
        "expires_at": now + LIFETIME,
        "response_status": status,
        "response_body": body,
    }
    statement = insert(IdempotencyKey).values(
        workspace_id=request.workspace_id, key=request.key, generation=1, **values
    )
    statement = statement.on_conflict_do_update(
        index_elements=[IdempotencyKey.workspace_id, IdempotencyKey.key],
        set_={**values, "generation": IdempotencyKey.generation + 1},
        where=IdempotencyKey.expires_at <= now,
    )
    return await session.scalar(statement.returning(IdempotencyKey.generation))


async def find_key(session: AsyncSession, request: KeyedRequest, now: datetime) -> IdempotencyKey | None:
    """Return the key's row while it holds."""
    return await session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.workspace_id == request.workspace_id,
            IdempotencyKey.key == request.key,
            IdempotencyKey.expires_at > now,
        )
    )


async def keep_response(
    session: AsyncSession, request: KeyedRequest, post_id: str, status: int, body: bytes
) -> tuple[int, bytes]:
    """Store the answer of a key where it has none yet, and return the one that everybody gets."""
    row = (
        (IdempotencyKey.workspace_id == request.workspace_id)
        & (IdempotencyKey.key == request.key)
        & (IdempotencyKey.post_id == post_id)
    )
    stored = await session.scalar(
        update(IdempotencyKey)
        .where(row, IdempotencyKey.response_body.is_(None))
        .values(response_status=status, response_body=body)
        .returning(IdempotencyKey.generation)
        .execution_options(synchronize_session=False)
    )
    if stored is not None:
        return status, body
    query = select(IdempotencyKey.response_status, IdempotencyKey.response_body).where(row)
    kept = (await session.execute(query)).one_or_none()
    if kept is None or kept.response_body is None:
        return status, body
    return kept.response_status or status, kept.response_body


async def forget_expired_answers(session: AsyncSession, now: datetime) -> None:
    """Drop the answers of expired keys: they hold content. The keys stay, so that no workflow id ever repeats."""
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.expires_at < now, IdempotencyKey.response_body.is_not(None))
        .values(response_body=None, response_status=None)
    )
