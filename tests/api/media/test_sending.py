"""Files that clients send or have fetched: longer than other bodies, bounded, and once for each key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from api.http import protocol
from api.http.middleware import is_upload
from api.http.protocol import ApiProtocol
from domain.uploads import MOST_WAITING_FETCHES
from tests.api.conftest import Client, make_client, read_answer
from tests.api.http.test_protocol import answer
from tests.api.media.files import JPEG, MP4, new_key, presign, put, serving
from tests.fetching import fetching_uploads
from tests.stack import Stack

PHOTO = {"url": "https://example.com/photo.jpg?sig=S3cr3t"}


async def begin(client: Client, key: str | None = None, **body: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    return read_answer(await client.post("/v1/media/fetch", json=PHOTO | body, headers=headers), 202)


async def fetched(client: Client, upload: dict[str, Any]) -> dict[str, Any]:
    """Return an upload once it is fetched, or given up."""
    async with asyncio.timeout(60):
        while True:
            shown: dict[str, Any] = (await client.get(f"/v1/media/{upload['id']}")).json()
            if shown["state"] != "fetching":
                return shown
            await asyncio.sleep(0.05)


async def test_a_file_is_fetched_and_published(app: Litestar, stack: Stack, api: Client) -> None:
    upload = await begin(api, filename="Holiday by the sea.jpg")
    assert (upload["state"], upload["size"], upload["errorCode"]) == ("fetching", None, None)
    assert "S3cr3t" not in str(upload)
    media = {"content": "With a fetched file", "mediaItems": [{"type": "image", "url": upload["publicUrl"]}]}
    targets = [{"platform": "twitter", "accountId": stack.accounts["twitter"].id}]
    early = await api.post("/v1/posts", json=media | {"platforms": targets, "publishNow": True})
    assert (early.status_code, early.json()["code"]) == (422, "media_not_uploaded")
    incomplete = await api.post(f"/v1/media/{upload['id']}/complete")
    assert (incomplete.status_code, incomplete.json()["code"]) == (422, "media_not_uploaded")
    async with fetching_uploads(app, stack):
        shown = await fetched(api, upload)
        page = await fetched(api, await begin(api, url="https://no-such-host.invalid/a.jpg"))
    assert (shown["state"], shown["contentType"], shown["publicUrl"]) == ("ready", "image/jpeg", upload["publicUrl"])
    draft = await api.post("/v1/posts", json=media | {"isDraft": True})
    assert draft.status_code == 201
    assert (await api.get(f"/v1/media/{upload['id']}")).json()["usedBy"] == [draft.json()["id"]]
    assert (page["state"], page["errorCode"]) == ("rejected", "media_address_forbidden")
    named = media | {"mediaItems": [{"type": "image", "url": page["publicUrl"]}], "platforms": targets}
    refused = await api.post("/v1/posts", json=named | {"publishNow": True})
    assert (refused.status_code, refused.json()["code"], refused.json()["error"]) == (
        422,
        "media_rejected",
        page["error"],
    )


async def test_a_repeat_with_its_key_begins_nothing(api: Client) -> None:
    first, repeat, other = await asyncio.gather(begin(api, "fetch-1"), begin(api, "fetch-1"), begin(api, "fetch-2"))
    assert first == repeat
    assert other["id"] != first["id"]
    reused = await api.post(
        "/v1/media/fetch", json={"url": "https://example.com/b.jpg"}, headers={"Idempotency-Key": "fetch-1"}
    )
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_addresses_that_no_worker_would_fetch_are_refused(api: Client) -> None:
    for url in ("http://127.0.0.1/a.jpg", "https://localhost/a", "http://[::1]:80/", "file:///etc/passwd", "x", ""):
        answer = await api.post("/v1/media/fetch", json={"url": url})
        assert (answer.status_code, answer.json()["param"]) == (400, "url"), url
    bodies: tuple[dict[str, Any], ...] = ({}, PHOTO | {"filename": ""}, PHOTO | {"headers": {}})
    for body in bodies:
        assert (await api.post("/v1/media/fetch", json=body)).status_code == 400


async def test_a_workspace_has_a_number_of_waiting_fetches(app: Litestar, stack: Stack) -> None:
    workspace_id, key = await stack.new_workspace()
    async with make_client(app, key) as client:
        upload = await begin(client)
        copies = text("""
            INSERT INTO uploads (id, workspace_id, token, key, filename, content_type, address_nonce,
              expires_at, source_url, fetch_at)
            SELECT id || number, workspace_id, token || number, key, filename, content_type, address_nonce,
              expires_at, source_url, fetch_at FROM uploads, generate_series(2, :most) AS number
            WHERE workspace_id = :workspace_id
        """)
        async with stack.database.transaction() as session:
            await session.execute(copies, {"most": MOST_WAITING_FETCHES, "workspace_id": workspace_id})
        refused = await client.post("/v1/media/fetch", json=PHOTO)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await client.delete(f"/v1/media/{upload['id']}")).status_code == 200
        await begin(client)


Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WINDOW_S = 0.4


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiProtocol, "body_s", WINDOW_S)


@asynccontextmanager
async def sending(url: str, length: int, *headers: str) -> AsyncIterator[Raw]:
    """Yield a connection over which the head of an upload was sent."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = (f"PUT {address.path} HTTP/1.1", "Host: a", f"Content-Length: {length}", *headers, "", "")
    writer.write("\r\n".join(lines).encode())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def test_only_files_are_exempt() -> None:
    files = ["PUT /media/upload/x", "PUT /v1/media/multipart/med_1/parts/2", "POST /v1/media"]
    others = ["POST /media/upload/x", "PUT /media/upload/", "PUT /media/upload/x/y", "POST /v1/media/presign"]
    others += ["POST /v1/mediax", "PUT /v1/media", "POST /v1/posts", "PUT /v1/media/multipart/parts/2"]
    for line in files + others:
        method, _, path = line.partition(" ")
        assert is_upload(method, path.encode()) is (line in files), line


async def test_a_file_may_take_longer_than_other_bodies(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await presign(client, contentType="video/mp4")
        async with sending(upload["uploadUrl"], len(MP4), "Content-Type: video/mp4", "Connection: close") as (
            reader,
            writer,
        ):
            # Five windows, in each of which it comes faster than it must.
            for start in range(0, len(MP4), len(MP4) // 10):
                writer.write(MP4[start : start + len(MP4) // 10])
                await writer.drain()
                await asyncio.sleep(WINDOW_S / 2)
            status, body = await answer(reader)
        assert (status, body["state"]) == (200, "ready")


@pytest.mark.parametrize("step", [0, 10], ids=["silent", "slow"])
async def test_a_slow_file_ends_and_can_begin_again(app: Litestar, stack: Stack, step: int) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await presign(client)
        async with sending(upload["uploadUrl"], len(JPEG), "Content-Type: image/jpeg") as (reader, writer):
            writer.write(JPEG[:1500])
            response = asyncio.create_task(answer(reader))
            while not response.done():
                writer.write(JPEG[:step])
                await asyncio.sleep(0.05)
            status, body = await response
        assert (status, body["code"]) == (408, "request_timeout")
        async with asyncio.timeout(60):
            while (await put(client, upload, JPEG)).status_code == 409:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await client.get(f"/v1/media/{upload['id']}")).json()["state"] == "ready"


async def test_small_chunks_are_framing_in_proportion(
    app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiProtocol, "body_s", 30.0)
    monkeypatch.setattr(protocol, "_LARGEST_FRAMING", 4096)

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(MP4), size):
            yield MP4[start : start + size]

    async with serving(app, await new_key(stack)) as client:
        upload = await presign(client, contentType="video/mp4")
        assert (await put(client, upload, chunks(1024))).status_code == 200
        upload = await presign(client, contentType="video/mp4")
        # The client is still sending when the connection closes, and may not see the answer.
        with suppress(httpx.TransportError):
            assert (await put(client, upload, chunks(2))).status_code == 400
        assert (await client.get(f"/v1/media/{upload['id']}")).json()["state"] != "ready"


async def test_a_refused_file_is_not_read(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await presign(client)
        # Before the client is asked for the body.
        headers = ("Content-Type: image/png", "Expect: 100-continue")
        async with sending(upload["uploadUrl"], 10**9, *headers) as (reader, _):
            head = await reader.readuntil(b"\r\n")
            assert b" 415 " in head
        # And while it sends: the answer arrives, and the connection ends soon.
        async with sending(upload["uploadUrl"], 10**9, "Content-Type: image/png") as (reader, writer):
            for _ in range(20):
                writer.write(bytes(2**18))
            status, body = await answer(reader)
            assert (status, body["code"]) == (415, "unsupported_media_type")


async def test_other_requests_follow_an_upload_on_the_same_connection(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        for _ in range(2):
            upload = await presign(client)
            answer = await client.put(upload["uploadUrl"], content=JPEG, headers=upload["headers"])
            assert answer.status_code == 200
            assert "Connection" not in answer.headers
