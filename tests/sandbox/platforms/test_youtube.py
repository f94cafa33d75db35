"""Refusals and state of the fake YouTube that our own requests do not show."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.servers import Server, account, acting_client

SNIPPET = {"title": "Waves", "description": "Hi", "categoryId": "22"}
UNIT = 256 * 1024

youtube_client = partial(
    acting_client,
    path="/youtube",
    accounts=[account("youtube", "yt_1", "UC1", "channel", "yt-token", "yt-refresh")],
    headers={"authorization": "Bearer yt-token"},
)


@pytest.fixture(scope="module")
async def youtube() -> AsyncIterator[httpx.AsyncClient]:
    async with youtube_client() as yt:
        yield yt


async def begin(yt: httpx.AsyncClient, size: int, snippet: Any = SNIPPET, **status: Any) -> httpx.Response:
    return await yt.post(
        "/upload/youtube/v3/videos",
        params={"uploadType": "resumable", "part": "snippet,status"},
        headers={"x-upload-content-length": str(size), "x-upload-content-type": "video/mp4"},
        json={"snippet": snippet, "status": status},
    )


async def put(yt: httpx.AsyncClient, url: str, written: str, content: bytes = b"") -> httpx.Response:
    return await yt.put(url, headers={"content-range": written}, content=content)


async def sample(yt: httpx.AsyncClient) -> bytes:
    return (await yt.get(str(yt.base_url).replace("/youtube/", "/_/media/waves.mp4"))).content


async def upload_video(yt: httpx.AsyncClient) -> str:
    content = await sample(yt)
    url = (await begin(yt, len(content))).headers["location"]
    answer = await put(yt, url, f"bytes 0-{len(content) - 1}/{len(content)}", content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("snippet", "status", "reason"),
    [
        ({**SNIPPET, "title": " "}, {}, "invalidTitle"),
        ({**SNIPPET, "title": "a<b"}, {}, "invalidTitle"),
        ({**SNIPPET, "description": "é" * 2501}, {}, "invalidDescription"),
        ({**SNIPPET, "tags": ["x" * 501]}, {}, "invalidTags"),
        ({**SNIPPET, "categoryId": "music"}, {}, "invalidCategoryId"),
        ({**SNIPPET, "titel": "Waves"}, {}, "invalidVideoMetadata"),
        (SNIPPET, {"privacyStatus": "secret"}, "invalidVideoMetadata"),
        (SNIPPET, {"selfDeclaredMadeForKids": "no"}, "invalidVideoMetadata"),
        (None, {}, "invalidVideoMetadata"),
    ],
)
async def test_video_fields_are_checked(
    youtube: httpx.AsyncClient, snippet: Any, status: dict[str, Any], reason: str
) -> None:
    answer = await begin(youtube, 10, snippet, **status)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, reason)


async def test_pieces_come_in_order_and_are_counted(youtube: httpx.AsyncClient) -> None:
    content = (await sample(youtube)).ljust(UNIT * 2, b"\0")
    url, size = (await begin(youtube, len(content))).headers["location"], len(content)
    assert "range" not in (await put(youtube, url, f"bytes */{size}")).headers
    assert (await put(youtube, url, f"bytes 0-99/{size}", content[:100])).status_code == 400
    assert (await put(youtube, url, "bytes */1")).status_code == 400
    assert (await put(youtube, url, "nothing")).status_code == 400
    for _ in range(2):
        first = await put(youtube, url, f"bytes 0-{UNIT - 1}/{size}", content[:UNIT])
        assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{UNIT - 1}")
    last = await put(youtube, url, f"bytes {UNIT}-{size - 1}/{size}", content[UNIT:])
    again = await put(youtube, url, f"bytes */{size}")
    assert (last.status_code, again.status_code) == (201, 200)
    assert last.json()["id"] == again.json()["id"]
    assert (await put(youtube, url.replace("upload_id=", "upload_id=x"), f"bytes */{size}")).status_code == 404


async def test_comments_need_a_text_and_a_video(youtube: httpx.AsyncClient) -> None:
    for snippet in ({"videoId": "x", "topLevelComment": {"snippet": {"textOriginal": "Hi"}}}, {"videoId": "x"}):
        answer = await youtube.post("/youtube/v3/commentThreads", params={"part": "snippet"}, json={"snippet": snippet})
        assert answer.status_code in {400, 404}


async def test_a_restart_forgets_no_session_that_has_its_video(tmp_path: Path) -> None:
    async with youtube_client(tmp_path) as yt:
        content = await sample(yt)
        session = httpx.URL((await begin(yt, len(content))).headers["location"]).query.decode()
        path = f"/upload/youtube/v3/videos?{session}"
        video_id = (await put(yt, path, f"bytes 0-{len(content) - 1}/{len(content)}", content)).json()["id"]
    async with youtube_client(tmp_path, accounts=[]) as yt:
        assert (await put(yt, path, f"bytes */{len(content)}")).json()["id"] == video_id
        [post] = await Server(yt).posts()
        assert post["platformPostId"] == video_id


async def test_realistic_projects_have_a_number_of_uploads_a_day() -> None:
    async with youtube_client(realistic=True) as yt:
        for _ in range(100):
            assert (await begin(yt, 10)).status_code == 200
        answer = await begin(yt, 10)
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (429, "rateLimitExceeded")
