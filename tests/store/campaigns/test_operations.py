"""An operation is recorded with its change, once for each Idempotency-Key, and kept as long as an audit trail."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.audit import WORKER, Actor, api_key
from domain.campaigns import OperationKind
from domain.ids import new_id
from store.campaigns.operations import (
    OtherRequestError,
    delete_old_operations,
    find_operation,
    list_operations,
    record_operation,
)
from store.database import Database
from store.posts.idempotency import KeyedRequest
from tests.stack import Stack


def request_of_key(workspace: str, body: bytes = b"one") -> KeyedRequest:
    return KeyedRequest(workspace, "key-1", body)


async def record(database: Database, workspace: str, campaign_id: str, request: KeyedRequest | None = None) -> str:
    """Record an operation unless its request has done it already; return the id of the operation."""
    async with database.transaction() as session:
        known = await find_operation(session, request)
        if known is not None:
            return known.id
        return await record_operation(
            session,
            workspace,
            OperationKind.ENDED,
            WORKER,
            {"drafts": 3},
            campaign_id=campaign_id,
            request=request,
        )


async def test_requests_with_one_key_at_the_same_time_are_one_operation(database: Database, workspace: str) -> None:
    campaign, request = new_id("cmp"), request_of_key(workspace)
    ids = await asyncio.gather(*(record(database, workspace, campaign, request) for _ in range(8)))
    assert len(set(ids)) == 1
    async with database.reading() as session:
        (operation,) = await list_operations(session, workspace, 10, campaign_id=campaign)
    assert (operation.id, operation.kind, operation.result) == (ids[0], "ended", {"drafts": 3})


async def test_another_request_with_the_key_is_refused(database: Database, workspace: str) -> None:
    await record(database, workspace, new_id("cmp"), request_of_key(workspace))
    with pytest.raises(OtherRequestError):
        await record(database, workspace, new_id("cmp"), request_of_key(workspace, b"two"))


async def test_the_newest_operations_come_first_and_pages_continue(database: Database, workspace: str) -> None:
    campaign = new_id("cmp")
    ids = [await record(database, workspace, campaign) for _ in range(3)]
    async with database.reading() as session:
        page = await list_operations(session, workspace, 2, campaign_id=campaign)
        rest = await list_operations(session, workspace, 2, campaign_id=campaign, before_id=page[-1].id)
    assert [operation.id for operation in (*page, *rest)] == ids[::-1]


async def test_operations_are_deleted_after_their_days(database: Database, workspace: str) -> None:
    campaign = new_id("cmp")
    await record(database, workspace, campaign)
    for keep, expected in (timedelta(days=1), 1), (timedelta(0), 0):
        async with database.transaction() as session:
            await delete_old_operations(session, datetime.now(UTC) + timedelta(seconds=1), 100, keep)
            assert len(await list_operations(session, workspace, 10, campaign_id=campaign)) == expected


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
