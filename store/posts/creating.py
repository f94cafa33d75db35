"""Creation of a post and its outcome, with one statement each: the path of every request that creates a post."""

import json
from datetime import UTC, datetime
from functools import partial

import asyncpg
from sqlalchemy import any_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import workflow_id
from store.database import Database, Pool, row_within
from store.models import EXTERNAL_ID, ConnectedAccount, Post, Target
from store.posts.idempotency import LIFETIME, KeyedRequest
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

_CAMPAIGN = "campaign_of_post"
"""The name of the constraint by which `create_post_v1` refuses a post without its campaign."""
_CREATE = "SELECT create_post_v1($1, $2, $3, $4, $5, $6, $7, $8)"


class CampaignGoneError(Exception):
    """The workspace has no such campaign as a post that was to be inserted names."""


class ExternalIdTakenError(Exception):
    """Another post of the workspace has the external id of a post that was to be inserted."""


async def read_accounts(database: Database, workspace_id: str, account_ids: list[str]) -> dict[str, ConnectedAccount]:
    """Return the connected ones among these accounts, by id."""
    accounts = [Reader(row).next(ConnectedAccount) for row in await database.rows(_ACCOUNTS, workspace_id, account_ids)]
    return {account.id: account for account in accounts if account}


async def create_post(
    database: Pool | AsyncSession,
    post: Post,
    request: KeyedRequest | None = None,
    now: datetime | None = None,
    response: tuple[int, bytes] | None = None,
) -> bool:
    """Insert a post with its targets and take its request's key; if another request holds the key, write nothing.

    Returns whether the post was inserted. `response` is as in `store.posts.idempotency.acquire_key`. A key that is used
    again after it expired gives the post the workflow id of its next generation. A session's transaction stays open.
    Raises ExternalIdTakenError, CampaignGoneError.
    """
    fetch = partial(row_within, database) if isinstance(database, AsyncSession) else database.row
    now = now or datetime.now(UTC)
    key, digest = (request.key, request.sha256) if request else (None, None)
    row = {name: getattr(post, name) for name in _POST_COLUMNS}
    targets = [{name: getattr(target, name) for name in _TARGET_COLUMNS} for target in post.targets]
    try:
        created = await fetch(
            *(_CREATE, *(json.dumps(rows, default=datetime.isoformat) for rows in (row, targets))),
            *(key, digest, now, now + LIFETIME, *(response or (None, None))),
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == EXTERNAL_ID:
            raise ExternalIdTakenError from error
        raise
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name == _CAMPAIGN:
            raise CampaignGoneError from error
        raise
    generation = created[0] if created else None
    if generation is not None and request is not None:
        post.workflow_id = workflow_id(post.workspace_id, post.id, request.key, generation)
    return generation is not None


async def read_post(database: Database, workspace_id: str, post_id: str) -> Post | None:
    """Return a post of the workspace with its targets, all at one instant."""
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
