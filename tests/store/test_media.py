"""The files that platforms fetch from this service, and their limit for one workspace."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from media.public_files import PublicFiles
from platforms.errors import ErrorKind, PlatformError
from store.database import Database
from store.media import TooManyFiles, delete_expired_files, keep_file
from tests.databases import add_workspace

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def keep(database: Database, workspace_id: str, content: bytes) -> str:
    async with database.transaction() as session:
        return await keep_file(session, workspace_id, "image/jpeg", content, NOW)


@pytest.mark.parametrize(("limit", "most"), [("MOST_FILES", 3), ("MOST_BYTES", 35)])
async def test_files_of_a_workspace_are_limited(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(f"store.media.{limit}", most)
    workspace_id, other = await add_workspace(database), await add_workspace(database)
    # Concurrent steps of several posts count each other's files.
    results = await asyncio.gather(*(keep(database, workspace_id, b"a" * 10) for _ in range(6)), return_exceptions=True)
    assert [type(result) for result in results].count(str) == 3
    assert [type(result) for result in results].count(TooManyFiles) == 3
    await keep(database, other, b"a" * 10)
    async with database.transaction() as session:
        await delete_expired_files(session, NOW + timedelta(seconds=1), 100)
    await keep(database, workspace_id, b"a" * 10)


async def test_a_full_workspace_delays_the_step(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class File:
        content_type = "image/jpeg"

        async def read(self) -> bytes:
            return b"a"

    monkeypatch.setattr("store.media.MOST_FILES", 0)
    with pytest.raises(PlatformError) as refused:
        await PublicFiles(database, "https://api.example.com").put(await add_workspace(database), File())  # type: ignore[arg-type]
    assert (refused.value.kind, refused.value.code) == (ErrorKind.TRANSIENT, "too_many_media")
    assert refused.value.retry_after
