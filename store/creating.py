"""Create a post and read its outcome by one statement each: what every request that makes a post goes through."""

import json
from datetime import datetime

import asyncpg
from sqlalchemy import any_, select

from domain.post import PostStatus, TargetState, TargetStatus
from store.database import Database
from store.idempotency import LIFETIME, KeyedRequest
from store.models import EXTERNAL_ID, ConnectedAccount, Post, Target
from store.posts import ExternalIdTakenError
from store.rows import Reader, argument, columns, written

_ACCOUNTS = written(
    select(ConnectedAccount).where(
        ConnectedAccount.workspace_id == argument(1), ConnectedAccount.id == any_(argument(2))
    )
)

_POST = (
    select(Post, Target)
    .outerjoin(Target, Target.post_id == Post.id)
    .where(Post.id == argument(1), Post.workspace_id == argument(2))
    .order_by(Target.position)
)
_READ = written(_POST)

_POST_COLUMNS, _TARGET_COLUMNS = columns(Post), columns(Target)

# The columns are named: one that a newer version has added gets its default.
_CREATE = f"""
WITH key AS (
  INSERT INTO idempotency_keys
    (workspace_id, key, generation, request_sha256, post_id, expires_at, check_at, response_status, response_body)
  SELECT $1, $2::text, 1, $3::bytea, $4, $5::timestamptz, $5, $6::int, $7::bytea WHERE $2 IS NOT NULL
  ON CONFLICT DO NOTHING
  RETURNING key
), free AS (
  SELECT 1 WHERE $2 IS NULL UNION ALL SELECT 1 FROM key
), post AS (
  INSERT INTO posts ({", ".join(_POST_COLUMNS)})
  SELECT {", ".join(_POST_COLUMNS)} FROM free, jsonb_populate_record(NULL::posts, $8)
), target AS (
  INSERT INTO targets ({", ".join(_TARGET_COLUMNS)})
  SELECT {", ".join(_TARGET_COLUMNS)} FROM free, jsonb_populate_recordset(NULL::targets, $9)
)
SELECT FROM free
"""  # noqa: S608 our own columns' names

_KEEP = """
UPDATE idempotency_keys SET response_status = $4, response_body = $5
WHERE workspace_id = $1 AND key = $2 AND post_id = $3 AND response_body IS NULL
RETURNING key
"""


async def read_accounts(database: Database, workspace_id: str, account_ids: list[str]) -> dict[str, ConnectedAccount]:
    """Return those of the accounts that are connected, by id."""
    found = [Reader(row).next(ConnectedAccount) for row in await database.rows(_ACCOUNTS, workspace_id, account_ids)]
    return {account.id: account for account in found if account}


async def create_at_once(
    database: Database, post: Post, request: KeyedRequest | None, now: datetime, response: tuple[int, bytes] | None
) -> bool:
    """Insert a post with its targets, and a key that was never used; False, and nothing, where the key was.

    `response` is as in `store.idempotency.claim`. Raises ExternalIdTakenError.
    """
    key, digest = (request.key, request.sha256) if request else (None, None)
    status, body = response or (None, None)
    row = {name: getattr(post, name) for name in _POST_COLUMNS}
    targets = [{name: getattr(target, name) for name in _TARGET_COLUMNS} for target in post.targets]
    try:
        created = await database.rows(
            *(_CREATE, post.workspace_id, key, digest, post.id, now + LIFETIME, status, body),
            *(json.dumps(rows, default=datetime.isoformat) for rows in (row, targets)),
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == EXTERNAL_ID:
            raise ExternalIdTakenError from error
        raise
    return bool(created)


async def read_post(database: Database, workspace_id: str, post_id: str) -> Post | None:
    """Return a post of the workspace with its targets, as they are at one instant."""
    post: Post | None = None
    targets: list[Target] = []
    for row in await database.rows(_READ, post_id, workspace_id):
        read = Reader(row)
        post = read.next(Post)
        if target := read.next(Target):
            targets.append(target)
    if post:
        post.targets = targets
    return post


def is_moving(post: Post) -> bool:
    """Tell whether something is being done for a post, as `store.posts.is_moving` does."""
    begun = PostStatus(post.status).is_open
    return begun and any(TargetState(TargetStatus(each.status), each.looking).moving for each in post.targets)


async def keep_first_response(
    database: Database, request: KeyedRequest, post_id: str, status: int, body: bytes
) -> bool:
    """Store the answer of a key; False where it has one already."""
    return await database.row(_KEEP, request.workspace_id, request.key, post_id, status, body) is not None
