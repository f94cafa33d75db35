"""Fixtures that these tests share."""

from collections.abc import AsyncIterator

import pytest

from domain.ids import new_id
from store.database import Database
from store.workspaces.queries import create_workspace
from tests.databases import new_database


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def workspace(database: Database) -> str:
    async with database.transaction() as session:
        return await create_workspace(session, new_id("w"))
