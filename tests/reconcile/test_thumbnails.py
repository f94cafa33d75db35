"""Thumbnails of uploads: made once the file is ready, by one worker at a time, and given up in the end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, text

from domain.ids import new_id
from domain.uploads import THUMBNAIL_AGAIN_AFTER, UploadState
from media import thumbnails
from media.admission import Admission, MediaDisk
from media.decoder_pool import DecoderPool
from media.thumbnails import ThumbnailMaker
from media.upload_arrivals import record_arrival
from reconcile.uploads import make_thumbnails
from storage.base import Written
from storage.directory import DirectoryStorage
from store.database import Database
from store.models import Thumbnail
from store.roles import Component
from store.uploads.thumbnails import claim_thumbnail, find_thumbnail, is_thumbnail_due
from store.workspaces.keys import create_workspace
from tests.databases import new_database, url_as
from tests.media import files
from tests.uploads import add_upload

PHOTO = files.jpeg()


class Remote(DirectoryStorage):
    """A storage whose files must be copied to be read."""

    async def open_local(self, key: str) -> int | None:
        return None


@dataclass
class Service:
    """A worker that makes thumbnails."""

    owner: Database
    database: Database
    """With a worker's rights."""
    storage: DirectoryStorage
    decoder_pool: DecoderPool

    def maker(self, storage: DirectoryStorage | None = None, disk: int = 2**26) -> ThumbnailMaker:
        return ThumbnailMaker(self.database, storage or self.storage, Admission(MediaDisk(disk)), self.decoder_pool)

    async def new_workspace(self) -> str:
        async with self.owner.transaction() as session:
            return await create_workspace(session, new_id("w"))

    async def upload(self, content: bytes, kind: str, workspace_id: str | None = None) -> str:
        """Let a file arrive, and return its id."""
        row = await add_upload(
            self.owner,
            workspace_id or await self.new_workspace(),
            content,
            storage=self.storage,
            state=UploadState.PENDING.value,
            sniffed_type=None,
        )
        await record_arrival(self.database, row.id, row.key, Written(len(content), None, ""), kind)
        return row.id

    async def rows(self) -> dict[str, Thumbnail]:
        async with self.owner.reading() as session:
            return {row.upload_id: row for row in await session.scalars(select(Thumbnail))}

    async def change(self, assignment: str) -> None:
        async with self.owner.transaction() as session:
            await session.execute(text(f"UPDATE thumbnails SET {assignment}"))

    async def has_work(self) -> bool:
        return await is_thumbnail_due(self.database)


@pytest.fixture
async def service(postgres_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    url = await new_database(postgres_url)
    owner, database = Database(url), Database(url_as(url, Component.WORKER))
    storage, pool = DirectoryStorage(tmp_path, least_free=0), DecoderPool()
    await storage.prepare()
    yield Service(owner, database, storage, pool)
    await pool.close()
    await storage.close()
    await database.close()
    await owner.close()


async def test_pictures_and_videos_get_one_and_other_files_none(service: Service, tmp_path: Path) -> None:
    photo, film = await service.upload(PHOTO, "image/jpeg"), await service.upload(files.video(tmp_path), "video/mp4")
    await service.upload(b"WEBVTT\n\n", "text/vtt")
    await service.upload(b"<html>", "text/html")
    assert set(await service.rows()) == {photo, film}
    assert await service.has_work()
    await make_thumbnails(service.database, service.maker())
    assert not await service.has_work()
    rows = await service.rows()
    for row in rows.values():
        assert (row.due_at, row.attempts, row.error_code) == (None, 1, None)
        served = await find_thumbnail(service.database, row.token)
        assert served is not None
        assert served.content == row.content
    # They go with their uploads: no longer served at once, and deleted with the row.
    async with service.owner.transaction() as session:
        await session.execute(text("UPDATE uploads SET state = 'deleted'"))
    assert await find_thumbnail(service.database, rows[photo].token) is None
    async with service.owner.transaction() as session:
        await session.execute(text("DELETE FROM uploads"))
    assert await service.rows() == {}


async def test_files_that_cannot_be_decoded_are_given_up_at_once(service: Service) -> None:
    codes = {
        await service.upload(PHOTO[:300], "image/jpeg"): "media_invalid",
        await service.upload(files.bomb(30_000, 30_000), "image/png"): "media_too_large",
        await service.upload(b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"): "media_invalid",
        await service.upload(b"FLV\x01" + bytes(500), "video/x-flv"): "media_invalid",
    }
    await make_thumbnails(service.database, service.maker())
    for upload_id, row in (await service.rows()).items():
        assert (row.content, row.due_at, row.attempts, row.error_code) == (None, None, 1, codes[upload_id])
        assert await find_thumbnail(service.database, row.token) is None


async def test_a_failure_that_may_pass_is_tried_a_few_times(service: Service) -> None:
    upload_id = await service.upload(PHOTO, "image/jpeg")
    # The disk's share has no room for a copy.
    maker = service.maker(Remote(service.storage._directory, least_free=0), disk=100)
    for attempt in range(1, len(THUMBNAIL_AGAIN_AFTER) + 1):
        assert (row := (await service.rows())[upload_id]).due_at is not None
        await make_thumbnails(service.database, maker)
        row = (await service.rows())[upload_id]
        assert row.attempts == attempt
        assert not await service.has_work()
        await service.change("due_at = now() - interval '1 s' WHERE due_at IS NOT NULL")
    assert (row.due_at, row.error_code) == (None, "OSError")


async def test_a_worker_that_dies_leaves_the_thumbnail_to_the_next(service: Service) -> None:
    upload_id = await service.upload(PHOTO, "image/jpeg")
    for _ in THUMBNAIL_AGAIN_AFTER:
        async with service.database.transaction() as session:
            assert await claim_thumbnail(session) is not None
            # No other worker makes it meanwhile.
            assert await claim_thumbnail(session) is None
        await service.change("due_at = now() - interval '1 s'")
    await make_thumbnails(service.database, service.maker())
    row = (await service.rows())[upload_id]
    assert (row.content, row.due_at, row.error_code) == (None, None, "interrupted")


async def test_a_copy_from_a_bucket_is_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    small = await service.upload(PHOTO, "image/jpeg")
    large = await service.upload(PHOTO + bytes(20_000), "image/jpeg")
    monkeypatch.setattr(thumbnails, "MOST_COPIED", len(PHOTO) + 1)
    monkeypatch.setattr(Remote, "is_local", False)
    await make_thumbnails(service.database, service.maker(Remote(service.storage._directory, least_free=0)))
    rows = await service.rows()
    assert rows[small].content is not None
    assert rows[large].error_code == "media_too_large"


async def test_workspaces_take_turns(service: Service) -> None:
    busy, other = await service.new_workspace(), await service.new_workspace()
    for _ in range(30):
        await service.upload(PHOTO, "image/jpeg", busy)
    upload_id = await service.upload(PHOTO, "image/jpeg", other)
    claimed = list[str]()
    async with service.database.transaction() as session:
        while upload_id not in claimed:
            claim = await claim_thumbnail(session)
            assert claim is not None
            claimed.append(claim.upload_id)
    # By chance every second one; in the order of their times it would have been the last.
    assert len(claimed) < 31


async def test_two_workers_share_the_work(service: Service) -> None:
    for _ in range(8):
        await service.upload(PHOTO, "image/jpeg")
    await asyncio.gather(*(make_thumbnails(service.database, service.maker()) for _ in range(2)))
    rows = await service.rows()
    assert [row.attempts for row in rows.values()] == [1] * 8
    assert all(row.content for row in rows.values())
