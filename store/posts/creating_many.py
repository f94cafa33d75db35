"""Insertion of many posts in one transaction, by few statements: for imports, campaigns and series."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import EXTERNAL_ID, Campaign
from store.posts.contents import NewPost
from store.posts.creating import CampaignGoneError, ExternalIdTakenError

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
            if isinstance(cause, asyncpg.UniqueViolationError) and cause.constraint_name == EXTERNAL_ID:
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
