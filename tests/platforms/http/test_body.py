"""A file is sent piece by piece, as often as it is needed, and ranges of it are files themselves."""

from collections.abc import AsyncIterator

import pytest

from platforms.files import MediaFile
from platforms.http.body import PIECE_BYTES, FileBody
from tests.platforms.http.test_multipart import media_file


async def test_a_body_can_be_read_again_and_reports_its_progress() -> None:
    progress: list[int] = []
    body = FileBody(media_file(PIECE_BYTES + 1), progress.append)
    for _ in range(2):
        assert [len(piece) async for piece in body] == [PIECE_BYTES, 1]
    assert progress == [PIECE_BYTES, PIECE_BYTES + 1] * 2
    assert body.headers == {"Content-Length": str(PIECE_BYTES + 1)}


@pytest.mark.parametrize(
    ("begin", "length", "content"),
    [(0, 3, b"012"), (4, 3, b"456"), (8, 5, b"89"), (10, 5, b""), (12, 5, b""), (0, 99, b"0123456789"), (3, 0, b"")],
)
async def test_a_part_is_a_file(begin: int, length: int, content: bytes) -> None:
    async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
        for at in range(start, 10, size):
            yield b"0123456789"[at : at + size]

    part = MediaFile("video/mp4", 10, chunks).part(begin, length)
    assert part.size == len(content)
    assert await part.read() == content
    assert b"".join([piece async for piece in part.chunks(2)]) == content
    assert b"".join([piece async for piece in part.chunks(2, 1)]) == content[1:]
