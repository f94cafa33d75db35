"""A worker is lost during an upload in pieces: the next worker resumes it, and begins no other upload."""

from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from platforms.base import Handles, PublishContext
from platforms.errors import ErrorKind, PlatformError
from platforms.tiktok import media as tiktok
from platforms.twitter import media as twitter
from platforms.youtube import media as youtube
from tests.platforms.drafts import REQUIRED
from tests.platforms.rig import NO_TLS, Connect, Rig
from tests.platforms.sources import Large

MEGABYTE = 1024 * 1024
PLATFORMS = {"facebook": (4, 4), "linkedin": (9, 3), "tiktok": (21, 3), "twitter": (3, 3), "youtube": (4, 3)}
"""The megabytes of a video, and the pieces in which it is uploaded before its post."""
BEGINS = ("/videos", "/video/init/", "/initialize", "initializeUpload", "part=snippet%2Cstatus")
"""The endings of the addresses at which uploads begin."""
UPLOADS = {"media", "session", "upload", "video"}
"""The keys under which the handles hold an upload that was begun."""


@dataclass
class Upload:
    """A video's upload; `begun` counts the uploads that were begun."""

    rig: Rig
    context: PublishContext[Any]
    pieces: int
    begun: int = 0
    beats: list[str] = field(default_factory=list)

    async def run(self, handles: Handles | None = None, *, lost: int = 0, arrives: bool = True) -> int:
        """Resume from these handles; the worker is gone before or after piece `lost` arrives. Returns pieces sent."""
        sent = 0

        def is_piece(request: httpx.Request) -> bool:
            return int(request.headers.get("content-length", 0)) > MEGABYTE // 2

        async def stop(request: httpx.Request) -> None:
            if is_piece(request) and sent + 1 == lost and not arrives:
                raise httpx.ReadError("the worker is gone", request=request)

        async def record(response: httpx.Response) -> None:
            nonlocal sent
            request, piece = response.request, is_piece(response.request)
            sent += piece
            self.begun += not piece and request.method == "POST" and str(request.url).endswith(BEGINS)
            if piece and sent == lost:
                raise httpx.ReadError("the worker is gone", request=request)

        hooks: dict[str, list[Any]] = {"request": [stop], "response": [record]}
        async with httpx.AsyncClient(event_hooks=hooks, timeout=60, verify=NO_TLS) as client:
            context = replace(self.context, handles={} if handles is None else handles, heartbeat=self.beats.append)
            try:
                await self.rig.platform.prepare(self.rig.connection(client), context)
            except PlatformError as error:
                if error.kind is not ErrorKind.NOT_READY and not lost:
                    raise
        return sent


@pytest.fixture(params=PLATFORMS)
async def upload(request: pytest.FixtureRequest, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Upload:
    for module, name in ((twitter, "PIECE_BYTES"), (youtube, "PIECE_BYTES")):
        monkeypatch.setattr(module, name, MEGABYTE)
    monkeypatch.setattr(tiktok, "CHUNK_BYTES", 5 * MEGABYTE)
    monkeypatch.setattr("sandbox.platforms.facebook.videos.WINDOW", MEGABYTE)
    platform, (size, pieces) = request.param, PLATFORMS[request.param]
    rig = await connect(platform)
    context = rig.context("Long", [rig.sandbox.media("a.mp4")], settings=REQUIRED.get(platform))
    return Upload(rig, replace(context, media=Large(rig.source, size * MEGABYTE)), pieces)


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_piece_that_was_lost_is_the_only_one_that_is_sent_again(upload: Upload, arrives: bool) -> None:
    assert await upload.run(lost=2, arrives=arrives) == (2 if arrives else 1)
    assert await upload.run(upload.rig.saved[-1]) <= upload.pieces - 1
    assert upload.begun == 1
    done = [int(beat.replace(",", "").split()[0].removesuffix("%")) for beat in upload.beats]
    assert done == sorted(done)
    assert len(done) >= 2


async def test_pieces_that_a_dead_worker_did_not_note_begin_nothing_again(upload: Upload) -> None:
    await upload.run(lost=2)
    unnoted = next(saved for saved in upload.rig.saved if saved.keys() & UPLOADS)
    assert await upload.run(unnoted) <= upload.pieces
    assert upload.begun == 1


async def test_an_upload_that_is_complete_fetches_nothing(upload: Upload) -> None:
    assert await upload.run() == upload.pieces
    opened = len(upload.rig.source.opened)
    assert await upload.run(upload.rig.saved[-1]) == 0
    assert (upload.begun, len(upload.rig.source.opened)) == (1, opened)
