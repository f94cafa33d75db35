"""Uploads that a worker fetches from an address: each comes whole, once, or its row says why it did not come."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from domain.ids import new_id
from domain.uploads import FETCH_AGAIN_AFTER, FETCHES_OF_WORKSPACE, UNUSED_FOR, UploadState
from media import upload_arrivals
from media.admission import Admission, MediaDisk
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from media.upload_fetching import UploadFetcher
from reconcile.uploads import MOST_AT_ONCE, UploadFetches
from storage.base import StorageUnavailable, new_key
from storage.directory import DirectoryStorage
from store.database import Database
from store.models import Upload
from store.roles import Component
from store.uploads.claims import FetchClaim, claim_fetches
from store.uploads.rows import mark_deleted
from store.workspaces.keys import create_workspace
from tests.databases import add_workspace, new_database, url_as
from tests.media.hostile import JPEG, MP4_HEAD, HostileServer, answer, bomb, drops, redirect, slow
from tests.uploads import add_upload

QUOTA = 5 * 2**20
SECRET = "sig=S3cr3tOfTheAddress"
VIDEO = MP4_HEAD + bytes(2 * 2**20)
SUBTITLES = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"


class Store(DirectoryStorage):
    """A storage that fails while `fails` is set."""

    fails = False

    async def write(self, *args: Any) -> Any:
        if self.fails:
            raise StorageUnavailable("away")
        return await super().write(*args)


@dataclass
class Service:
    """A worker that fetches uploads."""

    owner: Database
    database: Database
    """With a worker's rights."""
    storage: Store
    files: SharedFiles
    fetches: UploadFetches
    workspace_id: str

    def fetcher(self, quota: int = QUOTA) -> UploadFetcher:
        return UploadFetcher(self.database, self.storage, self.files, quota)

    async def begin(self, path: str, filename: str = "file", workspace_id: str = "", **columns: Any) -> str:
        values: dict[str, Any] = {
            "state": UploadState.PENDING.value,
            "source_url": f"http://cdn.test{path}?{SECRET}",
            "fetch_at": datetime.now(UTC) - timedelta(seconds=1),
            "filename": filename,
            "size": None,
            "reserved": 0,
            "sniffed_type": None,
        }
        row = await add_upload(
            self.owner,
            workspace_id or self.workspace_id,
            content_type="application/octet-stream",
            **values | columns,
        )
        return row.id

    async def claim(self) -> FetchClaim:
        async with self.database.transaction() as session:
            (claim,) = await claim_fetches(session, new_key, 1, FETCHES_OF_WORKSPACE)
        return claim

    async def fetch(self, path: str, quota: int = QUOTA, **columns: Any) -> Upload:
        """Begin an upload, make one attempt to fetch it, and return its row."""
        upload_id = await self.begin(path, **columns)
        await self.fetcher(quota).fetch(await self.claim())
        return await self.row(upload_id)

    async def row(self, upload_id: str) -> Upload:
        async with self.owner.reading() as session:
            row = await session.get_one(Upload, upload_id, populate_existing=True)
            await session.refresh(row, ["source_url"])
        return row

    async def change(self, upload_id: str, assignment: str) -> None:
        async with self.owner.transaction() as session:
            await session.execute(text(f"UPDATE uploads SET {assignment} WHERE id = :id"), {"id": upload_id})

    def stored_files(self) -> list[Path]:
        return [path for path in self.storage._directory.rglob("*") if path.is_file()]


@pytest.fixture
async def service(
    postgres_url: str, tmp_path: Path, fetcher_with: Callable[..., MediaFetcher]
) -> AsyncIterator[Service]:
    url = await new_database(postgres_url)
    owner, database = Database(url), Database(url_as(url, Component.WORKER))
    workspace_id = await add_workspace(owner)
    storage = Store(tmp_path, least_free=0)
    await storage.prepare()
    files = SharedFiles(fetcher_with(), Admission(MediaDisk(256 * 2**20)))
    fetches = UploadFetches(database, UploadFetcher(database, storage, files, QUOTA))
    yield Service(owner, database, storage, files, fetches, workspace_id)
    await fetches.close()
    await files.close()
    await storage.close()
    await database.close()
    await owner.close()


async def test_files_are_stored_with_their_types_and_names(service: Service, server: HostileServer) -> None:
    cases = (
        ("/photo", "photo", JPEG, "image/jpeg", "photo.jpg"),
        ("/photo.php", "photo.php", JPEG, "image/jpeg", "photo.php.jpg"),
        ("/film", "film.mov", VIDEO, "video/mp4", "film.mov"),
        ("/words.vtt", "words.vtt", SUBTITLES, "text/vtt", "words.vtt"),
        ("/paper", "paper.pdf", b"%PDF-1.7\n" + bytes(2_000), "application/pdf", "paper.pdf"),
    )
    for path, filename, content, kind, name in cases:
        server.routes[path] = answer(content)
        row = await service.fetch(path, filename=filename)
        assert (row.state, row.sniffed_type, row.filename) == ("ready", kind, name)
        assert (row.size, row.reserved, row.sha256) == (len(content),) * 2 + (hashlib.sha256(content).digest(),)
        assert (row.source_url, row.fetch_at, row.error_code, row.claimed_until) == (None, None, None, None)
        assert b"".join([piece async for piece in service.storage.read(row.key)]) == content
    assert len(service.stored_files()) == len(cases)


async def test_files_that_cannot_be_fetched_are_rejected_at_once(service: Service, server: HostileServer) -> None:
    server.routes |= {
        "/page": answer(b"<!doctype html><html>" + bytes(2_000)),
        "/svg": answer(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>" + b" " * 2_000),
        "/text": answer(b"words " * 500),
        "/empty": answer(b""),
        "/large": answer(VIDEO, length=QUOTA + 1),
        "/login": answer(b"", status="401 Unauthorized"),
        "/inside": redirect("http://127.0.0.1/secret"),
        "/bomb": bomb(300),
    }
    codes = {
        "/page": "media_is_html",
        "/svg": "media_unsupported",
        "/text": "media_unsupported",
        "/empty": "media_empty",
        "/large": "storage_quota_exceeded",
        "/login": "media_not_public",
        "/inside": "media_address_forbidden",
        "/bomb": "storage_quota_exceeded",
        "/nothing": "media_unreachable",
    }
    for path, code in codes.items():
        row = await service.fetch(path)
        assert (row.state, row.error_code, row.reserved) == ("rejected", code, 0), path
        assert (row.source_url, row.fetch_at) == (None, None)
        assert row.error is not None
        assert SECRET not in row.error
        assert row.expires_at is not None
        assert row.expires_at > datetime.now(UTC) + UNUSED_FOR - timedelta(minutes=1)
    assert service.stored_files() == []


async def test_servers_that_fail_are_asked_again_and_then_given_up(service: Service, server: HostileServer) -> None:
    server.routes |= {"/busy": answer(b"", status="503 Service Unavailable"), "/drops": drops, "/ok": answer(JPEG)}
    service.storage.fails = True
    for path, code in (("/busy", "media_unavailable"), ("/drops", "media_truncated"), ("/ok", "storage_unavailable")):
        row = await service.fetch(path)
        assert (row.state, row.error_code, row.fetches) == ("pending", code, 1), path
        assert row.fetch_at is not None
        until = row.fetch_at - datetime.now(UTC)
        assert timedelta(0) < until <= FETCH_AGAIN_AFTER[0]
        await service.change(row.id, f"fetches = {len(FETCH_AGAIN_AFTER)}, fetch_at = now()")
        await service.fetcher().fetch(await service.claim())
        row = await service.row(row.id)
        assert (row.state, row.error_code, row.source_url) == ("rejected", code, None)
    service.storage.fails = False
    upload_id = await service.begin("/ok", error_code="media_unavailable", error="It was away.", fetches=2)
    await service.fetcher().fetch(await service.claim())
    assert [getattr(await service.row(upload_id), name) for name in ("state", "error_code", "error")] == [
        "ready",
        None,
        None,
    ]


async def test_a_fetch_that_is_killed_anywhere_is_made_again_once(service: Service, server: HostileServer) -> None:
    """A killed worker writes nothing more; its claim ends, and the next attempt removes what it stored."""
    server.routes["/photo"] = answer(JPEG)
    upload_id = await service.begin("/photo")
    killed = await service.claim()
    # Killed after it had stored the bytes, and before the row named them.
    await service.storage.write(killed.key, _pieces(b"half"), 4)
    async with service.database.transaction() as session:
        assert await claim_fetches(session, new_key, 1, FETCHES_OF_WORKSPACE) == []
    await service.change(upload_id, "claimed_until = now() - interval '1 second'")
    again = await service.claim()
    assert (again.older_key, again.number) == (killed.key, 2)
    await service.fetcher().fetch(again)
    # The first one was only frozen, and continues.
    await service.fetcher().fetch(killed)
    row = await service.row(upload_id)
    assert (row.state, row.key, row.size) == ("ready", again.key, len(JPEG))
    assert [path.name for path in service.stored_files()] == [again.key]


async def test_a_file_that_kills_its_worker_is_given_up(service: Service, server: HostileServer) -> None:
    server.routes["/photo"] = answer(JPEG)
    row = await service.fetch("/photo", fetches=len(FETCH_AGAIN_AFTER) + 1)
    assert (row.state, row.error_code, server.requests) == ("rejected", "media_unavailable", [])


async def test_a_deleted_upload_is_fetched_no_further(
    service: Service, server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_arrivals, "_RENEW_EVERY_S", 0.05)
    may_end = asyncio.Event()
    server.routes["/slow"] = slow(JPEG, may_end)
    upload_id = await service.begin("/slow")
    fetch = asyncio.create_task(service.fetcher().fetch(await service.claim()))
    while not server.requests:  # noqa: ASYNC110 there is no event
        await asyncio.sleep(0.01)
    async with service.database.transaction() as session:
        await mark_deleted(session, upload_id, datetime.now(UTC))
    async with asyncio.timeout(60):
        await fetch
    row = await service.row(upload_id)
    assert (row.state, row.source_url, row.fetch_at) == ("deleted", None, None)
    assert service.stored_files() == []
    may_end.set()


async def test_a_worker_that_stops_leaves_its_fetches_to_others(service: Service, server: HostileServer) -> None:
    may_end = asyncio.Event()
    server.routes |= {"/slow": slow(JPEG, may_end), "/photo": answer(JPEG)}
    other = await _other_workspace(service)
    ids = [await service.begin("/slow") for _ in range(FETCHES_OF_WORKSPACE + 2)]
    photo = await service.begin("/photo", workspace_id=other)
    # A workspace with many waiting files has its share, and the others have theirs.
    assert await service.fetches.begin_due() == FETCHES_OF_WORKSPACE + 1
    async with asyncio.timeout(60):
        while (await service.row(photo)).state != "ready":  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.02)
        while len(server.requests) < FETCHES_OF_WORKSPACE + 1:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.02)
    assert await service.fetches.begin_due() == 0
    await service.fetches.close()
    rows = [await service.row(upload_id) for upload_id in ids]
    assert {(row.state, row.fetches, row.error_code) for row in rows} == {("pending", 0, None)}
    may_end.set()
    async with asyncio.timeout(60):
        while {(await service.row(upload_id)).state for upload_id in ids} != {"ready"}:
            assert await service.fetches.begin_due() <= FETCHES_OF_WORKSPACE < MOST_AT_ONCE
            await asyncio.sleep(0.02)
    assert len(service.stored_files()) == len(ids) + 1


async def test_the_quota_counts_what_was_fetched(service: Service, server: HostileServer) -> None:
    server.routes["/film"] = answer(VIDEO)
    ready = [(await service.fetch("/film")).state for _ in range(2)]
    assert ready == ["ready", "ready"]
    row = await service.fetch("/film")
    assert (row.state, row.error_code) == ("rejected", "storage_quota_exceeded")
    assert f"{QUOTA - 2 * len(VIDEO):,} bytes" in (row.error or "")
    assert (await service.fetch("/film", quota=0)).state == "ready"


async def _other_workspace(service: Service) -> str:
    async with service.owner.transaction() as session:
        return await create_workspace(session, new_id("w"))


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
