"""A worker is lost during an upload in pieces: the next worker resumes it, and begins no other upload."""

from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from platforms.base import Handles, PublishContext
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.rig import Connect, Rig
from tests.platforms.sources import Large

MEGABYTE = 1024 * 1024
TIKTOK = {"privacyLevel": "PUBLIC_TO_EVERYONE", "contentPreviewConfirmed": True, "expressConsentGiven": True}
PLATFORMS: dict[str, tuple[int, dict[str, Any]]] = {
    "facebook": (5, {}),
    "linkedin": (13, {}),
    "tiktok": (41, TIKTOK),
    "twitter": (13, {}),
    "youtube": (25, {"title": "Long"}),
}
"""The megabytes of a video that is uploaded in a few pieces while it is prepared, and the settings that it needs."""
PIECES = 3
BEGINS = ("/videos", "/video/init/", "/initialize", "initializeUpload", "part=snippet%2Cstatus")
"""The endings of the addresses at which uploads begin."""
UPLOADS = {"media", "session", "upload", "video"}
"""The keys under which the handles hold an upload that was begun."""


@dataclass
class Upload:
    """A video's upload; `begun` counts the uploads that were begun."""

    rig: Rig
    context: PublishContext[Any]
    begun: int = 0

    async def run(self, handles: Handles | None = None, *, lost: int = 0) -> int:
        """Resume from these handles; the worker is gone when piece `lost` has arrived. Returns pieces sent."""
        sent = 0

        async def note(response: httpx.Response) -> None:
            nonlocal sent
            request = response.request
            is_piece = int(request.headers.get("content-length", 0)) > MEGABYTE // 2
            sent += is_piece
            self.begun += not is_piece and request.method == "POST" and str(request.url).endswith(BEGINS)
            if is_piece and sent == lost:
                raise httpx.ReadError("the worker is gone", request=request)

        async with httpx.AsyncClient(event_hooks={"response": [note]}, timeout=60) as client:
            context = self.context if handles is None else replace(self.context, handles=handles)
            try:
                await self.rig.platform.prepare(self.rig.connection(client), context)
            except PlatformError as error:
                if error.kind is not ErrorKind.NOT_READY and not lost:
                    raise
        return sent


@pytest.fixture(params=PLATFORMS)
async def upload(request: pytest.FixtureRequest, connect: Connect) -> Upload:
    platform, (size, settings) = request.param, PLATFORMS[request.param]
    more = {"refreshToken": "r", "clientKey": "k", "clientSecret": "s"} if platform == "tiktok" else {}
    rig = await connect(platform, credentials=more)
    context = rig.context("Long", [rig.sandbox.media("a.mp4")], settings=settings)
    return Upload(rig, replace(context, media=Large(rig.source, size * MEGABYTE)))


async def test_a_piece_whose_answer_was_lost_is_the_only_one_that_is_sent_again(upload: Upload) -> None:
    whole = await replace(upload, context=replace(upload.context, handles={})).run()
    upload.rig.saved.clear()
    assert whole >= PIECES
    await upload.run(lost=2)
    begun = upload.begun
    assert await upload.run(upload.rig.saved[-1]) <= whole - 1
    assert upload.begun == begun == 1


async def test_pieces_that_a_dead_worker_did_not_note_begin_nothing_again(upload: Upload) -> None:
    whole = await replace(upload, context=replace(upload.context, handles={})).run()
    upload.rig.saved.clear()
    await upload.run(lost=2)
    begun, unnoted = upload.begun, next(saved for saved in upload.rig.saved if saved.keys() & UPLOADS)
    assert await upload.run(unnoted) <= whole
    assert upload.begun == begun == 1
