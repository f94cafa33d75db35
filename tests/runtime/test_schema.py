"""The check of a running process whether the database's schema still fits its code."""

import asyncio
import signal
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from cli.stack.ports import free_port
from runtime.schema import SchemaCheck
from store.database import OF_REQUESTS, Database
from store.maintenance.beats import read_state
from store.roles import Component
from tests.databases import new_database, url_as

SOON = timedelta(milliseconds=50)
CONTRACT = text(
    "INSERT INTO schema_states (revision, kind, unused_since, source, shape, version)"
    " VALUES ('9002', 'contract', '9001', '', '{}', '9.0.0')"
)


async def test_a_process_ends_once_a_contract_has_removed_what_it_uses(postgres_url: str) -> None:
    """It notices at its next renewal of leases, and asks itself to end only once: a second signal ends the grace."""
    url = await new_database(postgres_url)
    owner, database = Database(url), Database(url_as(url, Component.API), limits=OF_REQUESTS)
    signals = asyncio.Queue[None]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signals.put_nowait, None)
    schema = SchemaCheck(database)
    try:
        for _ in range(2):
            await schema.hear(await read_state(database))
        await asyncio.sleep(0.1)
        assert signals.empty()
        with capture_logs() as lines:
            async with owner.transaction() as session:
                await session.execute(CONTRACT)
            for _ in range(2):
                await schema.hear(await read_state(database))
            async with asyncio.timeout(60):
                await signals.get()
            await asyncio.sleep(0.1)
        assert (len(lines), signals.empty()) == (1, True)
        assert lines[0]["event"] == "process.refuses_the_schema"
        assert "Start version 9.0.0 or a later one." in lines[0]["reason"]
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        await owner.close()
        await database.close()


async def test_an_unavailable_database_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.schema._AGAIN_S", 0.1)
    database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none", limits=OF_REQUESTS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await SchemaCheck(database).task().run()
    await database.close()
