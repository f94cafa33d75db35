"""The check of a running process whether the database's schema still fits its code."""

import asyncio
import signal
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from cli.stack.ports import free_port
from runtime.schema import schema_task
from store.database import OF_REQUESTS, Database
from store.roles import Component
from tests.databases import new_database, url_as

SOON = timedelta(milliseconds=50)
CONTRACT = text(
    "INSERT INTO schema_states (revision, kind, unused_since, source, shape, version)"
    " VALUES ('9002', 'contract', '9001', '', '{}', '9.0.0')"
)


async def test_a_process_ends_once_a_contract_has_removed_what_it_uses(postgres_url: str) -> None:
    url = await new_database(postgres_url)
    owner, database = Database(url), Database(url_as(url, Component.API), limits=OF_REQUESTS)
    asked_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_end.set)
    following = asyncio.create_task(schema_task(database, 0.1).run())
    try:
        await asyncio.sleep(0.5)
        assert not asked_to_end.is_set()
        with capture_logs() as lines:
            async with owner.transaction() as session:
                await session.execute(CONTRACT)
            async with asyncio.timeout(60):
                await asked_to_end.wait()
        assert lines[0]["event"] == "process.refuses_the_schema"
        assert "Start version 9.0.0 or a later one." in lines[0]["reason"]
    finally:
        following.cancel()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        await owner.close()
        await database.close()


async def test_an_unavailable_database_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.schema._AGAIN_S", 0.1)
    database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none", limits=OF_REQUESTS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await schema_task(database).run()
    await database.close()
