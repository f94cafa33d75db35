"""The API and the worker know how long the oldest transaction has been open, and nothing else about others."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from store.database import Database
from store.maintenance.servers import oldest_transaction
from store.roles import Component
from tests.databases import new_database, url_as


@pytest.fixture
async def url(postgres_url: str) -> str:
    return await new_database(postgres_url)


@pytest.mark.parametrize("component", Component)
async def test_each_part_sees_the_age_of_anothers_transaction(url: str, component: Component) -> None:
    others, own = Database(url), Database(url_as(url, component))
    async with own.reading() as session:
        before = await oldest_transaction(session)
        async with others.transaction() as other:
            await other.execute(text("SELECT 1"))
            await session.execute(text("SELECT pg_sleep(0.05)"))
            age = await oldest_transaction(session)
            query = text("SELECT count(xact_start) FROM pg_stat_activity WHERE usename <> current_user")
            assert await session.scalar(query) == 0, "the part itself sees no other role's transaction"
        after = await oldest_transaction(session)
    assert before == after == timedelta(0)
    assert age >= timedelta(seconds=0.05)
    await others.close()
    await own.close()
