"""Uploads to a bucket, by clients themselves and through this service, also while a store fails."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from storage.base import PART, Storage
from storage.directory import DirectoryStorage
from tests.api.media.files import HTML, JPEG, MP4, local, new_key, presign, put, serving, upload_ready
from tests.api.media.test_library import VIDEO, begin_parts, part
from tests.stack import Stack
from tests.storage.servers import Server, credentials, rclone
from tests.storage.test_failing_stores import killable_store, leave_free, small_disk

__all__ = ["small_disk"]


@asynccontextmanager
async def stored_in(app: Litestar, store: Storage) -> AsyncIterator[None]:
    """Let the app keep its files there for the length of the block."""
    deps = app.state.deps
    app.state.deps = replace(deps, storage=store)
    yield
    app.state.deps = deps


def refused(answer: httpx.Response) -> bool:
    """Return whether an answer says that the storage cannot be used now."""
    return (answer.status_code, answer.json()["code"], "Retry-After" in answer.headers) == (503, "unavailable", True)


async def test_a_full_directory_takes_uploads_again_once_it_has_room(
    app: Litestar, stack: Stack, small_disk: Path
) -> None:
    store = DirectoryStorage(small_disk, least_free=0)
    await store.prepare()
    async with stored_in(app, store), serving(app, await new_key(stack)) as client:
        first = await upload_ready(client)
        upload = await presign(client, contentType="video/mp4")
        parts = await begin_parts(client)
        filler = leave_free(small_disk, 2**20)
        assert refused(await put(client, upload, MP4))
        assert refused(await client.post("/v1/media", files={"file": ("a.mp4", MP4, "video/mp4")}))
        assert refused(await client.put(local(client, parts["parts"][0]["uploadUrl"]), content=part(1)))
        assert (await client.get(first["publicUrl"])).content == JPEG
        shown = (await client.get(f"/v1/media/multipart/{parts['id']}")).json()
        assert not any(shown["received"] for shown in shown["parts"])
        filler.unlink()
        assert (await put(client, upload, MP4)).status_code == 200
        assert (await client.get(upload["publicUrl"])).content == MP4
        assert (await client.put(local(client, parts["parts"][0]["uploadUrl"]), content=part(1))).status_code == 200
    await store.close()


async def test_a_bucket_that_is_killed_takes_uploads_again_once_it_runs(
    app: Litestar, stack: Stack, tmp_path: Path
) -> None:
    async with (
        killable_store(tmp_path / "s3") as (store, proxy, start),
        stored_in(app, store),
        serving(app, await new_key(stack)) as client,
    ):
        first = await upload_ready(client)
        upload = await presign(client, contentType="video/mp4", sha256=hashlib.sha256(MP4).hexdigest())
        proxy.received, proxy.kills_after = 0, 2**20
        assert refused(await put(client, upload, MP4))
        assert refused(await put(client, upload, MP4))
        body = {"filename": "large.mp4", "contentType": "video/mp4", "size": 2 * PART}
        assert refused(await client.post("/v1/media/multipart", json=body))
        assert refused(await client.get(first["publicUrl"]))
        start()
        assert (await client.get(first["publicUrl"])).content == JPEG
        answers = [await put(client, upload, MP4) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await client.get(upload["publicUrl"])).content == MP4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rclone(tmp_path_factory.mktemp("s3") / "rclone") as server, credentials():
        yield server


@pytest.fixture
async def bucket(app: Litestar, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Storage]:
    """Let the app keep its files in a bucket."""
    store = server.open()
    await store.prepare()
    monkeypatch.setattr(app.state, "deps", replace(app.state.deps, storage=store))
    yield store
    await store.close()


async def test_a_file_goes_to_the_bucket_past_this_service(
    app: Litestar, stack: Stack, bucket: Storage, server: Server
) -> None:
    async with serving(app, await new_key(stack)) as client, httpx.AsyncClient() as browser:
        body = {"filename": "a.mp4", "contentType": "video/mp4", "size": len(MP4)}
        presigned = (await client.post("/v1/media/presign", json=body)).json()
        assert presigned["uploadUrl"].startswith(server.url)
        complete = f"/v1/media/{presigned['id']}/complete"
        assert (await client.post(complete)).json()["code"] == "media_not_uploaded"
        sent = await browser.put(presigned["uploadUrl"], content=MP4, headers=presigned["headers"])
        assert sent.status_code == 200, sent.text
        assert (await client.get(f"/v1/media/{presigned['id']}")).json()["state"] == "pending"
        files = [(await client.post(complete)).json() for _ in range(2)]
        assert files[0] == files[1]
        assert (files[0]["state"], files[0]["size"], files[0]["contentType"]) == ("ready", len(MP4), "video/mp4")
        public = local(client, presigned["publicUrl"])
        assert (await client.get(public)).content == MP4
        answer = await client.get(public, headers={"Range": "bytes=5-9"})
        assert (answer.status_code, answer.content) == (206, MP4[5:10])
        # The signed address is still valid: other bytes under it are not the file that was looked at.
        other = MP4[:-1] + bytes([MP4[-1] ^ 1])
        assert (await browser.put(presigned["uploadUrl"], content=other, headers=presigned["headers"])).is_success
        assert (await client.get(public)).status_code == 404


async def test_no_media_in_the_bucket_is_rejected(app: Litestar, stack: Stack, bucket: Storage) -> None:
    async with serving(app, await new_key(stack)) as client, httpx.AsyncClient() as browser:
        body = {"filename": "a.jpg", "contentType": "image/jpeg", "size": len(HTML)}
        presigned = (await client.post("/v1/media/presign", json=body)).json()
        assert (await browser.put(presigned["uploadUrl"], content=HTML, headers=presigned["headers"])).is_success
        for _ in range(2):
            answer = await client.post(f"/v1/media/{presigned['id']}/complete")
            assert (answer.status_code, answer.json()["code"]) == (422, "media_rejected")


async def test_files_whose_size_or_digest_the_bucket_cannot_bind_come_through_this_service(
    app: Litestar, stack: Stack, bucket: Storage, server: Server
) -> None:
    digest = hashlib.sha256(JPEG).hexdigest()
    async with serving(app, await new_key(stack)) as client:
        for promise in ({}, {"size": len(JPEG), "sha256": digest}):
            body = {"filename": "a.jpg", "contentType": "image/jpeg", **promise}
            presigned = (await client.post("/v1/media/presign", json=body)).json()
            assert not presigned["uploadUrl"].startswith(server.url)
            address = local(client, presigned["uploadUrl"])
            answer = await client.put(address, content=JPEG, headers=presigned["headers"])
            assert (answer.status_code, answer.json()["sha256"]) == (200, digest)
            assert (await client.get(local(client, presigned["publicUrl"]))).content == JPEG


async def test_parts_go_to_the_bucket_either_way(app: Litestar, stack: Stack, bucket: Storage, server: Server) -> None:
    digest = hashlib.sha256(VIDEO).hexdigest()
    async with serving(app, await new_key(stack)) as client, httpx.AsyncClient(timeout=60) as browser:
        upload = await begin_parts(client, sha256=digest)
        signed, base = [shown["uploadUrl"] for shown in upload["parts"]], f"/v1/media/multipart/{upload['id']}"
        assert all(address.startswith(server.url) for address in signed)
        for number in (1, 3):
            assert (await browser.put(signed[number - 1], content=part(number))).is_success
        assert (await client.put(f"{base}/parts/2", content=part(2))).json() == {"number": 2, "size": PART}
        file = (await client.post(f"{base}/complete")).json()
        assert (file["state"], file["size"], file["sha256"]) == ("ready", len(VIDEO), digest)
        assert (await client.get(local(client, upload["publicUrl"]))).content == VIDEO
