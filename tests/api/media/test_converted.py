"""Files that platforms fetch from this service: whole, in pieces, and within the limits of unread answers."""

import asyncio
import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from litestar import Litestar

from api.http.sockets import PIECE, OpenSockets
from store.media import keep_file
from tests.api.conftest import make_client
from tests.api.http.test_unread import ask
from tests.serving import listening
from tests.stack import Stack
from tests.statements import Statement


async def keep(stack: Stack, workspace_id: str, content: bytes) -> str:
    """Keep a file for an hour; returns its path."""
    async with stack.database.transaction() as session:
        end = datetime.now(UTC) + timedelta(hours=1)
        return f"/media/{await keep_file(session, workspace_id, 'image/jpeg', content, end)}.jpg"


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
async def test_a_file_is_served_whole(app: Litestar, stack: Stack, size: int) -> None:
    content = os.urandom(size)
    path = await keep(stack, stack.workspace_id, content)
    async with listening(app) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.headers["Content-Length"] == str(size)
        assert "Transfer-Encoding" not in answer.headers
        assert answer.content == content
        # A part may be asked for; the whole is an answer to that, too.
        answer = await client.get(path, headers={"Range": "bytes=1-2"})
        assert (answer.status_code, answer.content) == (200, content)


async def test_head_reads_one_piece(app: Litestar, stack: Stack, statements: list[Statement]) -> None:
    path = await keep(stack, stack.workspace_id, os.urandom(3 * PIECE))
    async with listening(app) as url, httpx.AsyncClient(base_url=url) as client:
        statements.clear()
        answer = await client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Length"] == str(3 * PIECE)
        assert len([statement for statement in statements if "media_files" in str(statement)]) <= 1
        # The connection can be used again.
        assert len((await client.get(path)).content) == 3 * PIECE


async def test_a_piece_of_a_file_is_read_without_the_rest(stack: Stack) -> None:
    """Storage EXTERNAL keeps a value as it is; a compressed one would have to be read from its beginning."""
    row = await stack.database.row(
        "SELECT attstorage FROM pg_attribute WHERE attrelid = 'media_files'::regclass AND attname = 'content'"
    )
    assert row is not None
    assert row[0] in {"e", b"e"}


async def test_unread_files_leave_other_workspaces_room(app: Litestar, stack: Stack) -> None:
    other_id, _ = await stack.new_workspace()
    path = await keep(stack, stack.workspace_id, os.urandom(8 * PIECE))
    other = await keep(stack, other_id, os.urandom(8 * PIECE))
    async with listening(app, OpenSockets(most_unread=6 * 3 * PIECE)) as url:
        with ExitStack() as sockets:
            for _ in range(6):
                sockets.enter_context(await ask(url, "", path))
            await asyncio.sleep(0.5)
            async with httpx.AsyncClient(base_url=url) as client:
                refusal = await client.get(path)
                assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
                assert refusal.headers["Retry-After"] == "1"
                assert len((await client.get(other)).content) == 8 * PIECE
        await asyncio.sleep(0.5)
        async with httpx.AsyncClient(base_url=url) as client:
            assert len((await client.get(path)).content) == 8 * PIECE


@pytest.mark.parametrize("path", [f"/media/{'a' * 32}", f"/apps/{'a' * 32}", f"/v1/connect/start/{'a' * 43}"])
async def test_strangers_cause_one_look_up_of_what_does_not_exist(
    app: Litestar, statements: list[Statement], path: str
) -> None:
    async with make_client(app, None) as client:
        answers = await asyncio.gather(*(client.get(path) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {404, 410}
    tables = ("media_files", "app_setups", "pending_connections")
    assert 1 <= len([statement for statement in statements if any(table in str(statement) for table in tables)]) <= 4
