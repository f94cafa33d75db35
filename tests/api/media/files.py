"""Small files for tests of uploads, and clients of the app over real HTTP."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from litestar import Litestar

from tests.api.conftest import read_answer
from tests.api.documented import check_documented
from tests.serving import listening
from tests.stack import Stack

JPEG = b"\xff\xd8\xff\xe0" + os.urandom(5_000)
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + os.urandom(3 * 2**20 + 16) + b"."
HTML = b"<!doctype html><script>alert(1)</script>" + b" " * 2_000
ANSWER = {"event_hooks": {"response": [check_documented]}}


@asynccontextmanager
async def serving(app: Litestar, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the app on a port of this machine."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        listening(app) as url,
        httpx.AsyncClient(base_url=url, headers=headers, timeout=60, event_hooks=ANSWER["event_hooks"]) as client,
    ):
        yield client


async def presign(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Begin an upload, and return the answer with addresses of the server that the client uses."""
    shown = read_answer(
        await client.post("/v1/media/presign", json={"filename": "a.jpg", "contentType": "image/jpeg"} | body)
    )
    return shown | {name: local(client, shown[name]) for name in ("uploadUrl", "publicUrl")}


def local(client: httpx.AsyncClient, address: str) -> str:
    """Return an address of this service at the server that the client uses."""
    return str(client.base_url.copy_with(raw_path=httpx.URL(address).raw_path))


async def put(client: httpx.AsyncClient, upload: dict[str, Any], content: Any, **headers: str) -> httpx.Response:
    """Send the bytes of an upload, without the API key."""
    async with httpx.AsyncClient(timeout=60) as other:
        return await other.put(upload["uploadUrl"], content=content, headers=upload["headers"] | headers)


async def upload_ready(client: httpx.AsyncClient, content: bytes = JPEG, **body: Any) -> dict[str, Any]:
    """Upload a file, and return it."""
    presigned = await presign(client, **body)
    answer = await put(client, presigned, content)
    assert answer.status_code == 200, answer.text
    return presigned


def stored_files(stack_app: Litestar) -> list[str]:
    """Return the files of the app's storage, also those that are being written."""
    directory = stack_app.state.deps.storage._directory
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


async def new_key(stack: Stack) -> str:
    """Return the API key of a new workspace."""
    _, key = await stack.new_workspace()
    return key
