"""Uploads of clients enter below the fetcher: they are read from the storage, and never written, fetched or trusted."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.plan import NO_DISK_SPACE
from domain.post import Media, MediaType
from domain.shares import Exhausted
from domain.uploads import LARGEST_UPLOAD
from media.admission import LEAST_BYTES, MOST_FILES, Admission, MediaDisk
from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from media.own_uploads import OwnUploads
from media.shared_files import SharedFile, SharedFiles
from media.sniff import HEAD, sniff
from media.step_media import MediaTools, StepMedia
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from storage.directory import DirectoryStorage
from store.database import Database
from store.models import Upload
from tests.databases import add_workspace
from tests.media import files
from tests.media.descriptors import open_files
from tests.media.hostile import JPEG, MP4_HEAD
from tests.media.hostile_files import FILES
from tests.media.test_step_media import Kept, Noted
from tests.uploads import BASE, add_upload, address

PUBLIC = "https://cdn.example"


class RemoteStorage(DirectoryStorage):
    """A storage as one on another machine: its files cannot be opened."""

    is_local = False

    async def open_local(self, key: str) -> int | None:
        return None


@dataclass
class Service:
    """The media of one worker."""

    database: Database
    storage: DirectoryStorage
    workspace_id: str
    admission: Admission
    files: SharedFiles
    tools: MediaTools

    async def upload(self, content: bytes, **columns: Any) -> Upload:
        return await add_upload(self.database, self.workspace_id, content, storage=self.storage, **columns)

    @asynccontextmanager
    async def opened(self, media: Media, most_bytes: int | None = None) -> AsyncIterator[SharedFile]:
        async with self.files.open(self.workspace_id, "post", media, lambda _: None, most_bytes) as file:
            yield file

    async def refusal(self, media: Media, most_bytes: int | None = None) -> tuple[ErrorKind, str]:
        """Return how a step is refused a file; a check before the post's time is refused it alike."""
        with pytest.raises(PlatformError) as caught:
            async with self.opened(media, most_bytes):
                pass
        with pytest.raises(PlatformError) as early:
            await self.files.probe(self.workspace_id, media, most_bytes)
        assert (early.value.kind, early.value.code) == (caught.value.kind, caught.value.code)
        return caught.value.kind, caught.value.code

    def step(self, platform: str, noted: Noted | None = None) -> StepMedia:
        adapter = platforms()[platform]
        return StepMedia(
            self.tools, self.workspace_id, "post", adapter, adapter.rules.files, noted or Noted(), lambda _: None
        )

    def path(self, upload: Upload) -> Path:
        (path,) = (path for path in (self.folder / "objects").rglob(f"*{upload.key[-20:]}*") if path.is_file())
        return path

    @property
    def folder(self) -> Path:
        return self.storage._directory


@asynccontextmanager
async def running(
    database: Database,
    folder: Path,
    *,
    kind: type[DirectoryStorage] = DirectoryStorage,
    disk_bytes: int = 256 * 2**20,
) -> AsyncIterator[Service]:
    workspace_id = await add_workspace(database)
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    storage = kind(folder, least_free=0)
    await storage.prepare()
    admission = Admission(MediaDisk(limit=disk_bytes))
    shared = SharedFiles(MediaFetcher(), admission, OwnUploads(database, storage, [BASE], PUBLIC))
    tools = MediaTools(shared, DecoderPool(), Kept(), admission)
    yield Service(database, storage, workspace_id, admission, shared, tools)
    await tools.close()
    await storage.close()


@pytest.fixture
async def service(database: Database, tmp_path: Path) -> AsyncIterator[Service]:
    before = open_files()
    async with running(database, tmp_path / "media") as service:
        yield service
    assert open_files() <= before


def image(upload: Upload, base: str = BASE, kind: MediaType = MediaType.IMAGE) -> Media:
    return Media(type=kind, url=address(upload, base))


async def test_a_file_of_the_directory_is_read_in_place_and_never_written(service: Service) -> None:
    content = files.jpeg(6)
    upload, noted = await service.upload(content), Noted()
    media = image(upload)
    async with service.opened(media) as file:
        assert await file.stored.read() == content
        assert service.admission.disk.held_by(service.workspace_id) == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            file.spool.append(b"more")
        with pytest.raises(OSError, match="Invalid argument"):
            file.spool.truncate(0)
    async with service.step("mastodon", noted).open(media) as cleaned:
        assert len(await cleaned.read()) < len(content)
    assert noted.entries == {media.url: ["metadata_removed"]}
    assert service.path(upload).read_bytes() == content


async def test_a_file_of_another_machine_is_copied_and_counts(database: Database, tmp_path: Path) -> None:
    async with running(database, tmp_path / "remote", kind=RemoteStorage) as service:
        upload, received = await service.upload(files.jpeg(6)), list[int]()
        opening = service.files.open(service.workspace_id, "post", image(upload), received.append)
        async with opening as file:
            assert await file.stored.read() == files.jpeg(6)
            assert service.admission.disk.held_by(service.workspace_id) == upload.size == received[-1]
        service.files.forget("post")
        assert service.admission.disk.held_by(service.workspace_id) == 0


async def test_a_full_disk_stops_copies_and_no_file_that_is_read_in_place(database: Database, tmp_path: Path) -> None:
    large = MP4_HEAD + bytes(LEAST_BYTES // 4)
    for kind in (DirectoryStorage, RemoteStorage):
        async with running(database, tmp_path / kind.__name__, kind=kind, disk_bytes=LEAST_BYTES) as service:
            media = image(await service.upload(large), kind=MediaType.VIDEO)
            if kind is DirectoryStorage:
                async with service.opened(media) as file:
                    assert file.stored.size == len(large)
                continue
            with pytest.raises(PlatformError) as caught:
                await service.step("twitter").fetch([media])
            assert (caught.value.kind, caught.value.code) == (ErrorKind.TRANSIENT, NO_DISK_SPACE)


async def test_a_file_that_is_deleted_while_a_step_reads_it_stays_whole(service: Service) -> None:
    upload = await service.upload(JPEG)
    async with service.opened(image(upload)) as file:
        await service.storage.delete(upload.key)
        assert await file.stored.read() == JPEG
        facts, *_ = await file.examine(service.tools.decoder_pool, cleaned=True)
        assert facts.size == len(JPEG)


async def test_unusable_uploads_are_refused_with_their_reason(service: Service, tmp_path: Path) -> None:
    """A token of another workspace is answered like one that does not exist."""
    rejected = ErrorKind.REJECTED
    async with running(service.database, tmp_path / "other") as other:
        strangers = await other.upload(JPEG)
    ready, lost, cut = [await service.upload(JPEG) for _ in range(3)]
    await service.storage.delete(lost.key)
    os.truncate(service.path(cut), 100)
    pending, refused, deleted = [
        await add_upload(service.database, service.workspace_id, state=state)
        for state in ("pending", "rejected", "deleted")
    ]
    unknown = Upload(token="x" * 32, filename="a.jpg")
    empty = await service.upload(b"")
    cases = [
        (image(unknown), (rejected, "media_gone")),
        (image(strangers), (rejected, "media_gone")),
        (image(deleted), (rejected, "media_gone")),
        (image(lost), (rejected, "media_gone")),
        (image(pending), (rejected, "media_not_uploaded")),
        (image(refused), (rejected, "media_unsupported")),
        (image(empty), (rejected, "media_empty")),
        (image(ready, kind=MediaType.VIDEO), (rejected, "media_type_mismatch")),
        # At another host it is a stranger's address, which is fetched as such.
        (image(unknown, "http://127.0.0.1:9"), (rejected, "media_address_forbidden")),
    ]
    for media, error in cases:
        assert await service.refusal(media) == error, media.url
    assert await service.refusal(image(ready), len(JPEG) - 1) == (rejected, "media_too_large")
    with pytest.raises(PlatformError) as caught:
        async with service.opened(image(cut)):
            pass
    assert caught.value.code == "media_gone"


async def test_an_upload_is_known_by_its_token_whatever_the_host_is(service: Service) -> None:
    upload = await service.upload(JPEG)
    for base in ("https://old.example/api", "http://127.0.0.1:8000", "http://localhost:8000"):
        async with service.opened(image(upload, base)) as file:
            assert await file.stored.read() == JPEG


async def test_a_storage_that_is_away_fails_no_post(service: Service) -> None:
    upload = await service.upload(JPEG)
    service.folder.rename(service.folder.with_name("unmounted"))
    service.folder.mkdir()
    assert await service.refusal(image(upload)) == (ErrorKind.TRANSIENT, "storage_unavailable")
    service.folder.rmdir()
    service.folder.with_name("unmounted").rename(service.folder)
    async with service.opened(image(upload)) as file:
        assert await file.stored.read() == JPEG
    without = SharedFiles(MediaFetcher(), uploads=OwnUploads(service.database, None))
    with pytest.raises(PlatformError) as caught:
        await without.probe(service.workspace_id, image(upload), None)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.TRANSIENT, "storage_unavailable")
    await without.close()


async def test_open_uploads_count_as_files_of_their_workspace(service: Service) -> None:
    upload = await service.upload(JPEG)
    share = service.admission.files.take(service.workspace_id, MOST_FILES // 2)
    with pytest.raises(Exhausted):
        async with service.opened(image(upload)):
            pass
    share.release()


async def test_a_video_beyond_what_is_fetched_from_strangers_is_opened(service: Service) -> None:
    upload = await service.upload(MP4_HEAD)
    for size in (LARGEST_UPLOAD, LARGEST_UPLOAD + 1):
        os.truncate(service.path(upload), size)
        async with service.database.transaction() as session:
            await session.merge(Upload(id=upload.id, size=size))
        media = image(upload, kind=MediaType.VIDEO)
        if size > LARGEST_UPLOAD:
            assert await service.refusal(media, 256 * 10**9) == (ErrorKind.REJECTED, "media_too_large")
            continue
        async with service.opened(media, 256 * 10**9) as file:
            assert file.stored.size == size > service.files.max_bytes
        service.files.forget("post")
        assert await service.refusal(media, 512 * 2**20) == (ErrorKind.REJECTED, "media_too_large")


async def test_platforms_are_given_the_public_address_of_an_upload(service: Service, tmp_path: Path) -> None:
    square = await service.upload(files.saved(files.photo(400, 400), "JPEG"))
    picture = await service.upload(files.saved(files.photo(400, 400), "PNG"))
    for platform in ("instagram", "tiktok"):
        assert await service.step(platform).address(image(square, "https://old.example")) == address(square, PUBLIC)
    assert await service.step("instagram").address(image(picture)) == "https://posts.example/media/1.jpg"
    hidden = OwnUploads(service.database, service.storage, [BASE])
    tools = MediaTools(SharedFiles(MediaFetcher(), uploads=hidden), service.tools.decoder_pool)
    instagram = platforms()["instagram"]
    source = StepMedia(tools, service.workspace_id, "post", instagram, instagram.rules.files, Noted(), lambda _: None)
    with pytest.raises(PlatformError) as caught:
        await source.address(image(square))
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "media_not_public")
    await tools.files.close()


async def test_hostile_uploads_are_decoded_in_the_same_jail(service: Service) -> None:
    """No hostile upload is published as it is without having been examined, and none is changed."""
    hostile = {name: file.make() for name, file in FILES.items()}
    hostile |= {"cut off": b"\xff\xd8\xff\xe1", "a bomb": files.bomb(20_000, 20_000), "damaged": files.png()[:40]}
    for name, content in hostile.items():
        kind = MediaType.VIDEO if (sniff(content[:HEAD]) or "").startswith("video/") else MediaType.IMAGE
        upload = await service.upload(content)
        error = await ending(service, image(upload, kind=kind))
        assert error is None or error.kind is ErrorKind.REJECTED, (name, error.code)
        assert hashlib.sha256(service.path(upload).read_bytes()).digest() == hashlib.sha256(content).digest(), name


async def ending(service: Service, media: Media) -> PlatformError | None:
    """Return how a step with a file ends; without an error the file was measured."""
    try:
        async with service.step("discord").open(media) as file:
            assert file.width
    except PlatformError as error:
        return error
    return None
