"""Creation of a post and its outcome, with one statement each, and of many posts by few statements."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import any_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import workflow_id
from store.database import Database, Pool, row_within
from store.models import Campaign, ConnectedAccount, Post, Target
from store.posts.contents import NewPost
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

_EXTERNAL_ID = "posts_by_external_id"
"""The index that lets a workspace have one post of an external id."""
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
        if error.constraint_name == _EXTERNAL_ID:
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


POSTS_OF_A_STATEMENT = 250
"""A statement ends long before the limit of a request's (`store.database.OF_REQUESTS`), also on a busy server, and its
JSON is written in milliseconds."""
_BYTES_OF_A_STATEMENT = 4 * 1024 * 1024
"""By `Post.answer_bytes`: fewer posts, if they are large."""

# A draft that was never scheduled has no workflow to tell.
_NEXT_DELIVERY = "CASE WHEN due_at IS NOT NULL THEN bulk_delivery_at_v1(due_at) END"


async def create_posts(session: AsyncSession, posts: Sequence[NewPost]) -> None:
    """Insert posts of one workspace, with their targets.

    Those that are not due soon are delivered to their workflows at the pace of bulk operations. Raises
    ExternalIdTakenError and CampaignGoneError; the transaction is of no use then.
    """
    if posts:
        campaign_ids = {post.columns["campaign_id"] for post in posts} - {None}
        await hold_campaigns(session, posts[0].columns["workspace_id"], campaign_ids)
    for batch in _batches(posts):
        try:
            await insert_rows(session, "posts", [post.columns for post in batch], next_delivery_at=_NEXT_DELIVERY)
        except IntegrityError as error:
            cause = error.orig.__cause__ if error.orig else None
            if isinstance(cause, asyncpg.UniqueViolationError) and cause.constraint_name == _EXTERNAL_ID:
                raise ExternalIdTakenError from error
            raise
        await insert_rows(session, "targets", [target for post in batch for target in post.targets])


async def hold_campaigns(session: AsyncSession, workspace_id: str, campaign_ids: Collection[str]) -> None:
    """Keep campaigns that posts join from being deleted until the transaction ends. Raises CampaignGoneError."""
    if campaign_ids:
        query = select(Campaign.id).where(Campaign.workspace_id == workspace_id, Campaign.id.in_(campaign_ids))
        query = query.order_by(Campaign.id).with_for_update(read=True, key_share=True)
        if len(list(await session.scalars(query))) < len(campaign_ids):
            raise CampaignGoneError


def _batches(posts: Sequence[NewPost]) -> Iterator[list[NewPost]]:
    batch: list[NewPost] = []
    size = 0
    for post in posts:
        batch.append(post)
        size += post.columns["answer_bytes"]
        if len(batch) == POSTS_OF_A_STATEMENT or size >= _BYTES_OF_A_STATEMENT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def insert_rows(
    session: AsyncSession, table: str, rows: Sequence[dict[str, Any]], on_conflict: str = "", **computed: str
) -> None:
    """Insert rows that have the same columns; a column that they do not name gets its default, or is `computed`."""
    if not rows:
        return
    names, values = ", ".join([*rows[0], *computed]), ", ".join([*rows[0], *computed.values()])
    records = f"jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb))"
    statement = text(f"INSERT INTO {table} ({names}) SELECT {values} FROM {records} {on_conflict}")  # noqa: S608 names of columns
    await session.execute(statement, {"rows": json.dumps(rows, default=datetime.isoformat)})
