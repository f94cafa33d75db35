"""Uploads while the storage is full or killed: 503 in the one shape, nothing is lost, and a repeat works."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from litestar import Litestar

from storage.base import Storage
from storage.directory import DirectoryStorage
from storage.parts import PART
from tests.api.media.files import JPEG, MP4, local, new_key, presign, put, serving, upload_ready
from tests.api.media.test_library import begin_parts, part
from tests.stack import Stack
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
