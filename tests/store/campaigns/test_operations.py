"""An operation is recorded with its change, and kept as long as an audit trail, with its Idempotency-Key."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.audit import WORKER, Actor, api_key
from domain.campaigns import OperationKind
from domain.ids import new_id
from store.campaigns.operations import (
    delete_old_operations,
    list_operations,
    record_operation,
)
from store.database import Database
from store.posts.idempotency import KeyedRequest, acquire_key, complete_key, delete_expired_keys, find_key
from tests.stack import Stack


async def record(database: Database, workspace: str, campaign_id: str) -> str:
    async with database.transaction() as session:
        return await record_operation(
            session, workspace, OperationKind.ENDED, WORKER, {"drafts": 3}, campaign_id=campaign_id
        )


async def test_an_operation_is_deleted_after_its_days_and_its_key_expires_then(
    database: Database, workspace: str
) -> None:
    campaign, request = new_id("cmp"), KeyedRequest(workspace, "key-1", b"one")
    operation_id, now = await record(database, workspace, campaign), datetime.now(UTC)
    async with database.transaction() as session:
        assert await acquire_key(session, request, campaign, now, None) == 1
        await complete_key(session, request, 200, b"[]", operation_id)
    later = now + timedelta(days=400)
    for keep, expected in (timedelta(days=500), 1), (timedelta(days=365), 0):
        async with database.transaction() as session:
            await delete_old_operations(session, later, 100, keep)
            await delete_expired_keys(session, later - timedelta(days=1), 100)
            assert len(await list_operations(session, workspace, 10, campaign_id=campaign)) == expected
            assert bool(await find_key(session, request, later)) is bool(expected)


async def test_the_api_can_neither_date_nor_forge_an_operation(stack: Stack) -> None:
    async def write(actor: Actor) -> None:
        async with stack.api_database.transaction() as session:
            await record_operation(session, stack.workspace_id, OperationKind.ENDED, actor, {})

    await write(await stack.actor())
    with pytest.raises(DBAPIError, match="no API key of the workspace"):
        await write(api_key(new_id("key")))
    with pytest.raises(DBAPIError, match="permission denied"):
        await write(WORKER)
    async with stack.api_database.reading() as session:
        with pytest.raises(DBAPIError, match="permission denied"):
            await session.execute(text("INSERT INTO operations (at) VALUES (now())"))
