"""Platforms whose responses name foreign addresses: they do not get our token, and no private host is called."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.tiktok import status as tiktok_status
from tests.platforms.forms import TIKTOK
from tests.platforms.rig import Connect, Rig

UPLOADS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "linkedin image": ("linkedin", "a.jpg", {}),
    "linkedin video": ("linkedin", "a.mp4", {}),
    "linkedin document": ("linkedin", "a.pdf", {}),
    "youtube": ("youtube", "a.mp4", {}),
    "facebook": ("facebook", "a.mp4", {"contentType": "reel"}),
    "reddit": ("reddit", "a.jpg", {"subreddit": "test", "title": "Sunset"}),
    "pinterest": ("pinterest", "a.mp4", {"boardId": "1022106080", "coverImageUrl": "https://example.com/cover.jpg"}),
    "tiktok": ("tiktok", "a.mp4", TIKTOK),
}
"""Every upload to an address from a response: platform, file and settings."""
WITH_TOKEN = {"linkedin image", "linkedin document", "youtube", "facebook"}
"""Uploads that carry the token; the addresses of the others need none."""


@dataclass
class Liar(httpx.AsyncBaseTransport):
    """The sandbox with one change: its responses name another base URL than its own. Calls to that URL are recorded."""

    own: str
    named: str
    caught: list[httpx.Request] = field(default_factory=list)
    # There is no TLS here, and loading certificates takes longer than an upload.
    sandbox: httpx.AsyncHTTPTransport = field(default_factory=partial(httpx.AsyncHTTPTransport, verify=False))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not str(request.url).startswith(self.own):
            await request.aread()
            self.caught.append(request)
            return httpx.Response(200, headers={"ETag": "1"}, json={"id": "stolen"})
        answer = await self.sandbox.handle_async_request(request)
        body = (await answer.aread()).replace(self.own.encode(), self.named.encode())
        headers = [
            (name, value.replace(self.own.encode(), self.named.encode()))
            for name, value in answer.headers.raw
            if name.lower() not in {b"content-length", b"content-encoding", b"transfer-encoding"}
        ]
        await answer.aclose()
        return httpx.Response(answer.status_code, headers=headers, content=body)

    async def aclose(self) -> None:
        await self.sandbox.aclose()


async def upload(connect: Connect, name: str, named: str) -> tuple[Rig, Liar, PlatformError | None]:
    platform, file, settings = UPLOADS[name]
    rig = await connect(platform)
    liar = Liar(f"{rig.sandbox.url}/{platform}", named)
    context = rig.context("Sunset", [rig.sandbox.media(file)], settings=settings)
    async with httpx.AsyncClient(transport=liar) as client:
        try:
            await rig.platform.prepare(rig.connection(client), context)
            if platform in {"youtube", "tiktok"}:  # a short video is one piece, and its last piece publishes it
                await rig.platform.publish(rig.connection(client), context)
        except PlatformError as error:
            return rig, liar, error
    return rig, liar, None


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktok_status, "CHECK_PAUSES", (0,))


@pytest.mark.parametrize(
    "named", ["https://evil.example/x", "https://api.linkedin.com.evil.example", "https://10.0.0.7"]
)
@pytest.mark.parametrize("name", UPLOADS)
async def test_the_token_goes_to_no_foreign_address(connect: Connect, name: str, named: str) -> None:
    rig, liar, error = await upload(connect, name, named)
    token = rig.stored.access_token.get_secret_value()
    for request in liar.caught:
        assert token not in f"{request.url} {request.headers}"
        assert "authorization" not in request.headers
        assert token.encode() not in request.content
    if name in WITH_TOKEN:
        assert error is not None
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "address_refused")
        assert not liar.caught
    else:
        # The address was called without a token; the guarded transport decides whether it may be connected to.
        assert liar.caught


@pytest.mark.parametrize("named", ["http://evil.example", "http://169.254.169.254", "ftp://evil.example", "evil"])
@pytest.mark.parametrize("name", UPLOADS)
async def test_an_address_without_https_is_not_called(connect: Connect, name: str, named: str) -> None:
    _, liar, error = await upload(connect, name, named)
    assert error is not None
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "address_refused")
    assert not liar.caught


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("linkedin image", "https://www.linkedin.com/dms-uploads"),
        ("youtube", "https://www.googleapis.com/upload/youtube/v3/videos"),
        ("facebook", "https://rupload.facebook.com/video-upload"),
    ],
)
async def test_the_platforms_own_addresses_get_the_token(connect: Connect, name: str, named: str) -> None:
    rig, liar, _ = await upload(connect, name, named)
    token = rig.stored.access_token.get_secret_value()
    assert liar.caught
    assert all(token in request.headers["authorization"] for request in liar.caught)
