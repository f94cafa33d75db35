"""The refusals and the state of the fake Facebook."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import media
from tests.sandbox.conftest import lasting
from tests.sandbox.servers import account, acting_client

PAGE = "1755847768034402"
PHOTO = {"source": media.sample("photo", "jpg")}

facebook = partial(
    acting_client,
    path="/facebook/v25.0",
    accounts=[account("facebook", "fb_1", PAGE, "page", "fb-token")],
    headers={"authorization": "Bearer fb-token"},
)


@pytest.fixture(scope="module")
async def page() -> AsyncIterator[httpx.AsyncClient]:
    async with facebook() as fb:
        yield fb


async def create(fb: httpx.AsyncClient, edge: str, files: Any = None, **fields: str) -> dict[str, Any]:
    answer = await fb.post(f"/{PAGE}/{edge}", data=fields, files=files)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(fb: httpx.AsyncClient, edge: str, **fields: str) -> tuple[int, int | None]:
    answer = await fb.post(f"/{PAGE}/{edge}", data=fields)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    return error["code"], error.get("error_subcode")


async def uploaded(fb: httpx.AsyncClient, edge: str, content: bytes) -> dict[str, str]:
    """Upload a reel or a story; return the fields that publish it."""
    begun = await create(fb, edge, upload_phase="start")
    headers = {"offset": "0", "file_size": str(len(content)), "authorization": "OAuth fb-token"}
    (await fb.post(begun["upload_url"], headers=headers, content=content)).raise_for_status()
    state = {"video_state": "PUBLISHED"} if edge == "video_reels" else {}
    return {"upload_phase": "finish", "video_id": begun["video_id"], **state}


@pytest.mark.parametrize(
    ("edge", "seconds", "fits"),
    [
        ("video_reels", 90, True),
        ("video_reels", 91, False),
        ("video_reels", 2, False),
        ("video_stories", 60, True),
        ("video_stories", 61, False),
    ],
)
async def test_reels_and_stories_have_their_length(
    page: httpx.AsyncClient, edge: str, seconds: int, fits: bool
) -> None:
    ending = await uploaded(page, edge, lasting(seconds))
    if fits:
        assert (await create(page, edge, **ending))["success"] is True
    else:
        assert await refused(page, edge, **ending) == (100, 1363128)


@pytest.mark.parametrize(
    ("edge", "fields", "error"),
    [
        ("feed", {"link": "https://www.facebook.com/zuck"}, (100, 1609008)),
        ("feed", {"link": "https://nowhere"}, (100, 1609005)),
        ("feed", {}, (100, None)),
        ("photos", {"published": "false"}, (324, 2069019)),
        ("photo_stories", {"photo_id": "1"}, (100, None)),
        ("video_reels", {"upload_phase": "finish", "video_state": "PUBLISHED"}, (100, 33)),
        ("../99/feed", {"message": "Hi"}, (100, 33)),
    ],
)
async def test_invalid_requests_are_refused(
    page: httpx.AsyncClient, edge: str, fields: dict[str, str], error: tuple[int, int | None]
) -> None:
    assert await refused(page, edge, **fields) == error


async def test_photos_are_shown_once(page: httpx.AsyncClient) -> None:
    photo = (await create(page, "photos", PHOTO, published="false"))["id"]
    attached = {"message": "photo", "attached_media[0]": f'{{"media_fbid": "{photo}"}}'}
    await create(page, "feed", **attached)
    assert await refused(page, "feed", **attached) == (100, 1366051)


async def test_a_restart_forgets_nothing_public(tmp_path: Path) -> None:
    async with facebook(tmp_path) as fb:
        ending = await uploaded(fb, "video_reels", media.sample("film", "mp4"))
        await create(fb, "video_reels", **ending)
        photo = (await create(fb, "photos", PHOTO, published="false"))["id"]
        story = (await create(fb, "photo_stories", photo_id=photo))["post_id"]
    async with facebook(tmp_path, accounts=[]) as fb:
        post_id = (await fb.get(f"/{ending['video_id']}", params={"fields": "post_id"})).json()["post_id"]
        assert (await fb.get(f"/{post_id}", params={"fields": "id"})).json() == {"id": post_id}
        stories = (await fb.get(f"/{PAGE}/stories", params={"fields": "post_id,media_id"})).json()["data"]
        assert stories == [{"post_id": story, "media_id": photo}]


async def test_realistic_pages_have_a_number_of_reels_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.platforms.facebook.videos.REELS_PER_DAY", 1)
    async with facebook(realistic=True) as fb:
        endings = [await uploaded(fb, "video_reels", lasting(9)) for _ in range(2)]
        await create(fb, "video_reels", **endings[0])
        assert await refused(fb, "video_reels", **endings[1]) == (4, 1390008)
