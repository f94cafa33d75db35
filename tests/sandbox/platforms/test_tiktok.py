"""Refusals, quotas and state of the fake TikTok that our own requests do not show."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.servers import Server, account, acting_client

INFO = {"title": "Hi", "privacy_level": "PUBLIC_TO_EVERYONE"}
SOURCE = {"source": "FILE_UPLOAD", "video_size": 100, "chunk_size": 100, "total_chunk_count": 1}
MEGABYTE = 1024 * 1024

tiktok_client = partial(
    acting_client,
    path="/tiktok",
    accounts=[account("tiktok", "tt_1", "open-1", "creator", "tt-token", "tt-refresh")],
    headers={"authorization": "Bearer tt-token"},
)


@pytest.fixture(scope="module")
async def tiktok() -> AsyncIterator[httpx.AsyncClient]:
    async with tiktok_client() as tt:
        yield tt


async def ask(tt: httpx.AsyncClient, path: str, body: Any = None) -> tuple[int, str, dict[str, Any]]:
    answer = await tt.post(path, json=body or {})
    return answer.status_code, answer.json()["error"]["code"], answer.json()["data"]


@pytest.mark.parametrize(
    ("size", "chunk", "count", "fits"),
    [
        (100, 100, 1, True),
        (100, 50, 2, False),
        (64 * MEGABYTE, 64 * MEGABYTE, 1, True),
        (20_000_001, 10_000_000, 2, True),
        (20_000_001, 10_000_000, 3, False),
        (20_000_000, 4_000_000, 5, False),
        (200_000_000, 100_000_000, 2, False),
        (0, 0, 1, False),
    ],
)
async def test_chunks_follow_the_rules(
    tiktok: httpx.AsyncClient, size: int, chunk: int, count: int, fits: bool
) -> None:
    source = {**SOURCE, "video_size": size, "chunk_size": chunk, "total_chunk_count": count}
    status, code, _ = await ask(tiktok, "/v2/post/publish/video/init/", {"post_info": INFO, "source_info": source})
    assert (status, code) == ((200, "ok") if fits else (400, "invalid_params"))


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({**INFO, "privacy_level": "FOLLOWER_OF_CREATOR"}, "privacy_level_option_mismatch"),
        ({**INFO, "privacy_level": "SELF_ONLY", "brand_content_toggle": True}, "invalid_params"),
        ({**INFO, "title": "x" * 2201}, "invalid_params"),
        ({**INFO, "auto_add_music": True}, "invalid_params"),
        (None, "invalid_params"),
    ],
)
async def test_post_fields_are_checked(tiktok: httpx.AsyncClient, info: Any, code: str) -> None:
    body = {"post_info": info, "source_info": SOURCE}
    assert (await ask(tiktok, "/v2/post/publish/video/init/", body))[1] == code


async def test_ranges_come_in_order(tiktok: httpx.AsyncClient) -> None:
    _, _, data = await ask(tiktok, "/v2/post/publish/video/init/", {"post_info": INFO, "source_info": SOURCE})
    url = data["upload_url"]

    async def put(written: str, content: bytes, where: str = url) -> int:
        headers = {"content-type": "video/mp4", "content-range": written}
        return (await tiktok.put(where, headers=headers, content=content)).status_code

    assert await put("bytes 0-99/100", b"x" * 99) == 400
    assert await put("nothing", b"x") == 400
    assert await put("bytes 50-99/100", b"x" * 50) == 416
    assert await put("bytes 0-99/100", b"x" * 100, url[:-1]) == 403
    assert await put("bytes 0-99/100", b"x" * 100) == 201
    assert await put("bytes 0-99/100", b"x" * 100) == 416
    _, _, status = await ask(tiktok, "/v2/post/publish/status/fetch/", {"publish_id": data["publish_id"]})
    assert (status["status"], status["fail_reason"]) == ("FAILED", "file_format_check_failed")


async def test_photos_are_only_fetched(tiktok: httpx.AsyncClient) -> None:
    body = {"media_type": "PHOTO", "post_mode": "DIRECT_POST", "post_info": {"privacy_level": "SELF_ONLY"}}
    assert (await ask(tiktok, "/v2/post/publish/content/init/", {**body, "source_info": SOURCE}))[1] == "invalid_params"
    source = {"source": "PULL_FROM_URL", "photo_images": ["https://example.com/a.jpg"], "photo_cover_index": 1}
    assert (await ask(tiktok, "/v2/post/publish/content/init/", {**body, "source_info": source}))[1] == "invalid_params"
    assert (await ask(tiktok, "/v2/post/publish/content/init/", {}))[1] == "invalid_params"


async def test_limits_count_by_the_minute() -> None:
    async with tiktok_client(realistic=True) as tt:
        body = {"post_info": INFO, "source_info": SOURCE}
        codes = [(await ask(tt, "/v2/post/publish/video/init/", body))[:2] for _ in range(7)]
        assert codes == [(200, "ok")] * 6 + [(429, "rate_limit_exceeded")]


async def test_a_restart_forgets_no_publish_id(tmp_path: Path) -> None:
    source = {"source": "PULL_FROM_URL", "photo_images": ["https://example.com/a.jpg"], "photo_cover_index": 0}
    body = {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {**INFO, "title": ""},
        "source_info": source,
    }
    async with tiktok_client(tmp_path) as tt:
        _, _, data = await ask(tt, "/v2/post/publish/content/init/", body)
    async with tiktok_client(tmp_path, accounts=[]) as tt:
        _, _, status = await ask(tt, "/v2/post/publish/status/fetch/", data)
        [post] = await Server(tt).posts()
        assert [str(post_id) for post_id in status["publicaly_available_post_id"]] == [post["platformPostId"]]
        _, _, listed = await ask(tt, "/v2/video/list/?fields=id,create_time", {"max_count": 20})
        assert [video["id"] for video in listed["videos"]] == [post["platformPostId"]]
