"""Uploads in one piece: the address, the bytes, and everything that may go wrong between them."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from domain.uploads import LARGEST_UPLOAD
from tests.api.conftest import Client, make_client, problems
from tests.api.media.files import HTML, JPEG, MP4, new_key, presign, put, serving, stored_files, upload_ready
from tests.stack import Stack


async def test_a_file_goes_from_its_address_to_its_public_address(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        answer = await client.post("/v1/media/presign", json={"filename": "a b.mp4", "contentType": "video/mp4"})
        shown = answer.json()
        assert set(shown) == {"uploadUrl", "publicUrl", "id", "method", "headers", "expiresIn"}
        assert (shown["method"], shown["headers"], shown["expiresIn"]) == ("PUT", {"Content-Type": "video/mp4"}, 3600)
        assert shown["publicUrl"].endswith("/a-b.mp4")
        presigned = await presign(client, filename="a b.mp4", contentType="video/mp4")
        assert (await client.get(presigned["publicUrl"])).status_code == 404
        (pending,) = [file for file in (await client.get("/v1/media")).json()["media"] if file["id"] == presigned["id"]]
        assert (pending["state"], pending["size"], pending["usedBy"]) == ("pending", None, [])
        answer = await put(client, presigned, MP4)
        assert answer.status_code == 200, answer.text
        file = (await client.get(f"/v1/media/{presigned['id']}")).json()
        assert file == answer.json()
        assert (file["state"], file["size"], file["contentType"]) == ("ready", len(MP4), "video/mp4")
        assert file["sha256"] == hashlib.sha256(MP4).hexdigest()
        public = await client.get(presigned["publicUrl"])
        assert (public.status_code, public.content) == (200, MP4)
        assert (await client.post(f"/v1/media/{presigned['id']}/complete")).json() == file
        # The answer was lost, and the client repeats: the same bytes are the same success.
        assert (await put(client, presigned, MP4)).json() == file
        for other in (MP4[:-1], MP4[:-1] + b"x"):
            assert (await put(client, presigned, other)).status_code == 409
        assert (await client.get(presigned["publicUrl"])).content == MP4


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


async def test_a_file_may_come_in_chunks_of_unknown_number(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        presigned = await presign(client, contentType="video/mp4", size=len(MP4))
        answer = await put(client, presigned, chunks(MP4))
        assert (answer.status_code, answer.json()["size"]) == (200, len(MP4))


async def test_refused_files_leave_nothing_and_most_can_be_sent_again(app: Litestar, stack: Stack) -> None:
    digest = hashlib.sha256(JPEG).hexdigest()
    cases: dict[str, tuple[Any, Any, dict[str, str], int, str]] = {
        "other type": ({}, JPEG, {"Content-Type": "image/png"}, 415, "unsupported_media_type"),
        "compressed": ({}, JPEG, {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        "size": ({"size": len(JPEG) + 1}, JPEG, {}, 422, "upload_differs"),
        "too long in chunks": ({"size": len(JPEG) - 1}, chunks(JPEG), {}, 422, "upload_differs"),
        "too short in chunks": ({"size": len(JPEG) + 1}, chunks(JPEG), {}, 422, "upload_differs"),
        "digest": ({"sha256": "0" * 64}, JPEG, {}, 422, "upload_differs"),
        "empty": ({}, b"", {}, 400, "missing_required_field"),
    }
    async with serving(app, await new_key(stack)) as client:
        before = stored_files(app)
        for name, (body, content, headers, status, code) in cases.items():
            presigned = await presign(client, **body)
            answer = await put(client, presigned, content, **headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code), name
            assert answer.headers["Connection"] == "close", name
            assert (await client.get(f"/v1/media/{presigned['id']}")).json()["state"] == "pending", name
            assert stored_files(app) == before, name
        other_type = await put(client, await presign(client), JPEG, **{"Content-Type": "image/png"})
        assert "image/jpeg" in other_type.json()["error"]
        assert "image/png" in other_type.json()["error"]
        presigned = await presign(client, size=len(JPEG), sha256=digest.upper())
        assert (await put(client, presigned, JPEG[:-1] + b"x")).status_code == 422
        assert (await put(client, presigned, JPEG)).status_code == 200


async def test_a_file_that_is_no_media_is_rejected(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        before = stored_files(app)
        for content in (HTML, b"<svg onload='alert(1)'/>", b"MZ" + bytes(5000), b"x"):
            presigned = await presign(client)
            for _ in range(2):
                answer = await put(client, presigned, content)
                assert (answer.status_code, answer.json()["code"]) == (422, "media_rejected"), content[:9]
            assert (await client.get(f"/v1/media/{presigned['id']}")).json()["state"] == "rejected"
            completed = await client.post(f"/v1/media/{presigned['id']}/complete")
            assert (completed.status_code, completed.json()["code"]) == (422, "media_rejected")
        assert stored_files(app) == before
        subtitles = b"WEBVTT\n\n00:01.000 --> 00:04.000\nHello\n"
        answer = await put(client, await presign(client, contentType="text/vtt"), subtitles)
        assert (answer.status_code, answer.json()["contentType"]) == (200, "text/vtt")


async def test_an_upload_without_bytes_is_not_complete(app: Litestar, stack: Stack) -> None:
    async with make_client(app, await new_key(stack)) as api:
        presigned = await presign(api)
        answer = await api.post(f"/v1/media/{presigned['id']}/complete")
        assert (answer.status_code, answer.json()["code"]) == (422, "media_not_uploaded")


async def test_addresses_are_for_their_upload_and_their_time_only(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        presigned = await presign(client)
        guessed = presigned | {"uploadUrl": presigned["uploadUrl"][:-43] + "a" * 43}
        assert (await put(client, guessed, JPEG)).status_code == 404
        async with stack.database.transaction() as session:
            past = "UPDATE uploads SET expires_at = now() - interval '1 second' WHERE id = :id"
            await session.execute(text(past), {"id": presigned["id"]})
        answer = await put(client, presigned, JPEG)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def send_begin(presigned: dict[str, str], content: bytes, length: int) -> socket.socket:
    """Send the head of an upload and a part of its bytes."""
    address = urlsplit(presigned["uploadUrl"])
    connection = socket.create_connection((address.hostname, address.port))
    head = (
        f"PUT {address.path} HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    await asyncio.to_thread(connection.sendall, head + content)
    return connection


async def state_becomes(client: httpx.AsyncClient, upload_id: str, state: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(f"/v1/media/{upload_id}")).json()["state"] != state:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_upload_that_breaks_off_can_begin_again(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        before = stored_files(app)
        presigned = await presign(client)
        with await send_begin(presigned, JPEG[:2000], len(JPEG)):
            await state_becomes(client, presigned["id"], "uploading")
            answer = await put(client, presigned, JPEG)
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        await state_becomes(client, presigned["id"], "pending")
        assert stored_files(app) == before
        assert (await put(client, presigned, JPEG)).status_code == 200


async def test_an_upload_whose_process_died_can_begin_again(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        presigned = await presign(client)
        # The row as a process leaves it that was killed after it had stored the bytes, and before it said so.
        storage = app.state.deps.storage
        key = "ab" * 16
        await storage.write(key, chunks(JPEG), len(JPEG))
        async with stack.database.transaction() as session:
            killed = (
                "UPDATE uploads SET state = 'uploading', key = :key, reserved = 9,"
                " claimed_until = now() - interval '1 second' WHERE id = :id"
            )
            await session.execute(text(killed), {"id": presigned["id"], "key": key})
        assert (await client.get(f"/v1/media/{presigned['id']}")).json()["state"] == "pending"
        assert (await put(client, presigned, JPEG)).status_code == 200
        assert await storage.stat(key) is None


async def test_a_writer_that_was_frozen_replaces_nothing(app: Litestar, stack: Stack) -> None:
    """Another writer has taken the upload meanwhile, and its answer was that the file is ready."""
    other = JPEG[:-1] + b"z"
    async with serving(app, await new_key(stack)) as client:
        before = set(stored_files(app))
        presigned = await presign(client)
        with await send_begin(presigned, JPEG[:2000], len(JPEG)) as frozen:
            await state_becomes(client, presigned["id"], "uploading")
            async with stack.database.transaction() as session:
                past = "UPDATE uploads SET claimed_until = now() - interval '1 second' WHERE id = :id"
                await session.execute(text(past), {"id": presigned["id"]})
            assert (await put(client, presigned, other)).status_code == 200
            await asyncio.to_thread(frozen.sendall, JPEG[2000:])
            assert b" 409 " in await asyncio.to_thread(frozen.recv, 100)
        assert (await client.get(presigned["publicUrl"])).content == other
        assert len(set(stored_files(app)) - before) == 1


async def test_few_files_are_sent_at_a_time(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client, serving(app, await new_key(stack)) as neighbour:
        connections = []
        for _ in range(4):
            presigned = await presign(client)
            connections.append(await send_begin(presigned, JPEG[:10], len(JPEG)))
            await state_becomes(client, presigned["id"], "uploading")
        presigned = await presign(client)
        answer = await put(client, presigned, JPEG)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert answer.headers["Retry-After"]
        await upload_ready(neighbour)
        for connection in connections:
            connection.close()
        async with asyncio.timeout(60):
            while (await put(client, presigned, JPEG)).status_code == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_the_quota_counts_files_and_announced_sizes(
    app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state, "deps", replace(app.state.deps, upload_quota=12_000))
    async with serving(app, await new_key(stack)) as client:
        await upload_ready(client)
        announced = await presign(client, size=6_000)
        body = {"filename": "a.jpg", "contentType": "image/jpeg", "size": 1_000}
        for path in ("/v1/media/presign", "/v1/media/multipart"):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "storage_quota_exceeded"), path
            assert " 996 " in answer.json()["error"]
        assert (await client.get("/v1/me")).json()["usage"]["media"] == {"used": 12_000 - 996, "limit": 12_000}
        unannounced = await presign(client)
        for content in (JPEG, chunks(JPEG)):
            answer = await put(client, unannounced, content)
            assert (answer.status_code, answer.json()["code"]) == (422, "storage_quota_exceeded")
        assert (await client.delete(f"/v1/media/{announced['id']}")).status_code == 200
        assert (await put(client, unannounced, JPEG)).status_code == 200


async def test_larger_files_than_5_gb_are_not_begun(api: Client) -> None:
    body = {"filename": "a.mp4", "contentType": "video/mp4", "size": LARGEST_UPLOAD + 1}
    for path in ("/v1/media/presign", "/v1/media/multipart"):
        answer = await api.post(path, json=body)
        assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (
            413,
            "payload_too_large",
            "size",
        )
    presigned = await presign(api, contentType="video/mp4")
    headers = {"Content-Type": "video/mp4", "Content-Length": str(LARGEST_UPLOAD + 1)}
    answer = await api.put(presigned["uploadUrl"], content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def test_a_full_storage_is_a_503_that_loses_nothing(
    app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(app, await new_key(stack)) as client:
        presigned = await presign(client)
        with monkeypatch.context() as patch:
            patch.setattr(app.state.deps.storage, "_least_free", 2**62)
            answer = await put(client, presigned, JPEG)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"]
        assert (await put(client, presigned, JPEG)).status_code == 200


async def test_bodies_of_presign_are_checked(api: Client) -> None:
    cases: dict[str, list[dict[str, Any]]] = {
        "filename": [{"contentType": "a/b"}, {"filename": "", "contentType": "a/b"}],
        "contentType": [{"filename": "a"}, {"filename": "a", "contentType": "image"}],
        "size": [{"filename": "a", "contentType": "a/b", "size": 0}],
        "sha256": [{"filename": "a", "contentType": "a/b", "sha256": "xyz"}],
    }
    for param, bodies in cases.items():
        for body in bodies:
            answer = await api.post("/v1/media/presign", json=body)
            assert (answer.status_code, answer.json()["param"]) == (400, param)


@pytest.mark.parametrize("path", ["/v1/media/presign", "/v1/media/multipart"])
async def test_a_type_that_is_never_taken_is_refused_before_the_bytes(api: Client, path: str) -> None:
    for kind in ("text/html", "Image/SVG+xml", "application/x-msdownload", "text/javascript"):
        answer = await api.post(path, json={"filename": "a", "contentType": kind, "size": 9})
        (problem,) = problems(answer)
        assert (answer.status_code, problem["code"], problem["param"]) == (422, "media_rejected", "contentType")
    answer = await api.post(path, json={"filename": "a", "contentType": "application/octet-stream", "size": 9})
    assert answer.is_success


async def test_without_a_storage_uploads_are_refused(
    app: Litestar, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state, "deps", replace(app.state.deps, storage=None))
    for path in ("/v1/media/presign", "/v1/media/multipart"):
        answer = await api.post(path, json={"filename": "a.jpg", "contentType": "image/jpeg", "size": 9})
        assert (answer.status_code, answer.json()["code"]) == (422, "uploads_not_configured")
