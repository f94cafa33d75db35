"""The public addresses of uploads: parts of files, conditions, what browsers may do with them, and wrong tokens."""

import asyncio
import hashlib
from contextlib import ExitStack

import httpx
from litestar import Litestar
from sqlalchemy import text

from api.http.sockets import PIECE, OpenSockets
from tests.api.http.test_unread import ask
from tests.api.media.files import JPEG, MP4, new_key, presign, serving, upload_ready
from tests.serving import listening
from tests.stack import Stack
from tests.statements import Statement

TAG = f'"{hashlib.sha256(MP4).hexdigest()}"'
SIZE = len(MP4)
RANGES = {
    "bytes=0-0": (206, MP4[:1], f"bytes 0-0/{SIZE}"),
    "bytes=10-": (206, MP4[10:], f"bytes 10-{SIZE - 1}/{SIZE}"),
    "bytes=-5": (206, MP4[-5:], f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}"),
    f"bytes=-{SIZE * 2}": (206, MP4, f"bytes 0-{SIZE - 1}/{SIZE}"),
    f"bytes=1048570-{SIZE * 2}": (206, MP4[1048570:], f"bytes 1048570-{SIZE - 1}/{SIZE}"),
    f"bytes={PIECE - 1}-{PIECE}": (206, MP4[PIECE - 1 : PIECE + 1], f"bytes {PIECE - 1}-{PIECE}/{SIZE}"),
    f"bytes={SIZE}-": (416, b"", f"bytes */{SIZE}"),
    "bytes=-0": (416, b"", f"bytes */{SIZE}"),
    # Several ranges, other units and what cannot be read are ignored.
    "bytes=0-1,4-5": (200, MP4, None),
    "items=0-1": (200, MP4, None),
    "bytes=5-2": (200, MP4, None),
    "bytes=a-b": (200, MP4, None),
    "bytes=99999999999999999999-": (200, MP4, None),
}


async def test_parts_are_served_as_they_are_asked_for(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        url = (await upload_ready(client, MP4, filename="a.mp4", contentType="video/mp4"))["publicUrl"]
        for requested, (status, content, content_range) in RANGES.items():
            for method in ("GET", "HEAD"):
                answer = await client.request(method, url, headers={"Range": requested})
                assert answer.status_code == status, (method, requested)
                assert answer.headers.get("Content-Range") == content_range, (method, requested)
                if status != 416:
                    assert answer.headers["Content-Length"] == str(len(content)), (method, requested)
                assert answer.content == (b"" if method == "HEAD" else content), (method, requested)
        for condition, status in {
            TAG: 206,
            '"other"': 200,
            "Mon, 30 Nov 2026 10:00:00 GMT": 200,
            f"W/{TAG}": 200,
        }.items():
            answer = await client.get(url, headers={"Range": "bytes=1-2", "If-Range": condition})
            assert answer.status_code == status, condition
        answer = await client.get(url, headers={"If-None-Match": TAG})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", TAG)


async def test_head_reads_no_file(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await upload_ready(client, MP4)
        async with stack.database.reading() as session:
            key = await session.scalar(text("SELECT key FROM uploads WHERE id = :id"), {"id": upload["id"]})
        await app.state.deps.storage.delete(key)
        answer = await client.head(upload["publicUrl"])
        assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, str(SIZE), b"")
        assert (await client.get(upload["publicUrl"])).status_code == 404


async def test_browsers_may_show_pictures_and_run_nothing(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        picture = await client.get((await upload_ready(client, JPEG, filename="ä b.jpg"))["publicUrl"])
        archive = b"PK\x03\x04" + bytes(2000)
        document = await client.get((await upload_ready(client, archive, filename="a.pptx"))["publicUrl"])
    assert picture.headers["Content-Disposition"] == 'inline; filename="a-b.jpg"'
    assert document.headers["Content-Disposition"] == 'attachment; filename="a.pptx"'
    for answer in (picture, document):
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    # The bytes say what a file is, whatever its client said.
    assert document.headers["Content-Type"] == "application/zip"


async def test_pages_of_other_sites_may_send_and_read_files(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await presign(client)
        for url in (upload["uploadUrl"], upload["publicUrl"]):
            preflight = await client.options(url, headers={"Origin": "https://a.test"})
            assert preflight.status_code == 204
            assert preflight.headers["Access-Control-Allow-Origin"] == "*"
            assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
            assert "content-type" in preflight.headers["Access-Control-Allow-Headers"]
        # Pages can read why they were refused.
        refusal = await client.put(upload["uploadUrl"], content=b"", headers=upload["headers"])
        assert (refusal.status_code, refusal.headers["Access-Control-Allow-Origin"]) == (400, "*")
        assert "Access-Control-Allow-Origin" not in (await client.get("/v1/media")).headers


async def test_an_address_of_no_file_is_a_404(app: Litestar, stack: Stack, statements: list[Statement]) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await upload_ready(client)
        url = upload["publicUrl"]
        assert (await client.get(url.rpartition("/")[0] + "/any-name")).status_code == 200
        wrong = [url.replace("/media/u/", "/media/u/x"), f"/media/u/{'a' * 32}/a.jpg", "/media/u/%00/a.jpg"]
        wrong += [f"/media/u/{'a' * 31}%C3%A4/a.jpg"]
        statements.clear()
        for address in wrong * 2:
            assert (await client.get(address)).status_code == 404, address
        assert len([statement for statement in statements if "FROM uploads" in str(statement)]) <= 1
        assert (await client.delete(f"/v1/media/{upload['id']}")).status_code == 200
        assert (await client.get(url)).status_code == 404


async def test_unread_files_leave_other_workspaces_room(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client, serving(app, await new_key(stack)) as neighbour:
        url = httpx.URL((await upload_ready(client, MP4))["publicUrl"]).path
        other = httpx.URL((await upload_ready(neighbour, MP4))["publicUrl"]).path
    async with listening(app, OpenSockets(most_unread=6 * 3 * PIECE)) as base:
        with ExitStack() as sockets:
            for _ in range(6):
                sockets.enter_context(await ask(base, "", url))
            await asyncio.sleep(0.5)
            async with httpx.AsyncClient(base_url=base) as reader:
                refusal = await reader.get(url)
                assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
                assert (await reader.get(other)).content == MP4


async def test_a_file_of_verification_is_served_beside_media(app: Litestar) -> None:
    async with serving(app, None) as client:
        answer = await client.get("/media/tiktok4Mx.txt")
        assert (answer.status_code, answer.text) == (200, "tiktok-developers-site-verification=4Mx")
        assert (await client.get("/media/tiktok5Mx.txt")).status_code == 404
