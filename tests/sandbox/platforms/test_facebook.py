"""Behaviour of the fake Facebook that no request of ours needs, and its state."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import lasting
from tests.sandbox.servers import account, acting_client

PAGE = "1755847768034402"
IMAGE = "https://example.com/photo.jpg"
VIDEO = "https://cdn.example.com/film.mp4"

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


async def create(fb: httpx.AsyncClient, edge: str, **fields: str) -> dict[str, Any]:
    answer = await fb.post(f"/{PAGE}/{edge}", data=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(fb: httpx.AsyncClient, path: str, **fields: str) -> tuple[int, int | None]:
    answer = await fb.post(path, data=fields)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    return error["code"], error.get("error_subcode")


async def test_a_post_is_edited_and_deleted(page: httpx.AsyncClient) -> None:
    post = (await create(page, "feed", message="first"))["id"]
    assert (await page.post(f"/{post}", data={"message": "second"})).json() == {"success": True}
    assert (await page.get(f"/{post}", params={"fields": "message"})).json() == {"message": "second", "id": post}
    assert (await page.delete(f"/{post}")).json() == {"success": True}
    assert (await page.get(f"/{post}")).json()["error"]["error_subcode"] == 33
    listed = (await page.get(f"/{PAGE}/published_posts")).json()["data"]
    assert post not in [entry["id"] for entry in listed]


async def test_photos_and_videos_are_taken_from_addresses(page: httpx.AsyncClient) -> None:
    assert (await create(page, "photos", url=IMAGE, caption="at once"))["post_id"].startswith(f"{PAGE}_")
    assert await refused(page, f"/{PAGE}/photos", url="nothing") == (324, 2069019)
    video = (await create(page, "videos", file_url=VIDEO, description="film"))["id"]
    assert (await page.get(f"/{video}", params={"fields": "published"})).json()["published"] is True
    assert await refused(page, f"/{PAGE}/videos", file_url="nothing") == (389, None)


async def test_a_reel_is_uploaded_from_an_address(page: httpx.AsyncClient) -> None:
    begun = await create(page, "video_reels", upload_phase="start")
    assert await refused(page, f"/{PAGE}/video_reels", upload_phase="finish", video_state="PUBLISHED") == (100, 33)
    ending = {"upload_phase": "finish", "video_id": begun["video_id"], "video_state": "PUBLISHED"}
    assert await refused(page, f"/{PAGE}/video_reels", **ending) == (6000, None)
    headers = {"authorization": "OAuth fb-token", "file_url": VIDEO}
    assert (await page.post(begun["upload_url"], headers=headers)).json() == {"success": True}
    for _ in range(2):
        assert await create(page, "video_reels", **ending) == {"success": True}
    video = (await page.get(f"/{begun['video_id']}", params={"fields": "status,permalink_url"})).json()
    assert video["status"]["publishing_phase"] == {"status": "complete", "publish_status": "published"}
    assert video["permalink_url"] == f"/reel/{begun['video_id']}/"


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
    begun, content = await create(page, edge, upload_phase="start"), lasting(seconds)
    headers = {"offset": "0", "file_size": str(len(content)), "authorization": "OAuth fb-token"}
    (await page.post(begun["upload_url"], headers=headers, content=content)).raise_for_status()
    ending = {"upload_phase": "finish", "video_id": begun["video_id"]}
    ending |= {"video_state": "PUBLISHED"} if edge == "video_reels" else {}
    if fits:
        assert (await create(page, edge, **ending))["success"] is True
    else:
        assert await refused(page, f"/{PAGE}/{edge}", **ending) == (100, 1363128)


async def test_photos_are_shown_once(page: httpx.AsyncClient) -> None:
    photo = (await create(page, "photos", url=IMAGE, published="false"))["id"]
    attached = {"message": "photo", "attached_media[0]": f'{{"media_fbid": "{photo}"}}'}
    await create(page, "feed", **attached)
    assert await refused(page, f"/{PAGE}/feed", **attached) == (100, 1366051)
    assert await refused(page, f"/{PAGE}/photo_stories", photo_id="1") == (100, None)


async def test_links_are_checked(page: httpx.AsyncClient) -> None:
    assert await refused(page, f"/{PAGE}/feed", link="https://www.facebook.com/zuck") == (100, 1609008)
    assert await refused(page, f"/{PAGE}/feed", link="https://nowhere") == (100, 1609005)
    assert await refused(page, f"/{PAGE}/feed") == (100, None)


async def test_other_pages_are_not_this_tokens(page: httpx.AsyncClient) -> None:
    assert await refused(page, "/99/feed", message="Hi") == (100, 33)
    answer = await page.get("/me", headers={"authorization": "Bearer nobody"})
    assert answer.json()["error"]["code"] == 190


async def test_a_restart_forgets_nothing_public(tmp_path: Path) -> None:
    async with facebook(tmp_path) as fb:
        video = (await create(fb, "videos", file_url=VIDEO))["id"]
        photo = (await create(fb, "photos", url=IMAGE, published="false"))["id"]
        story = (await create(fb, "photo_stories", photo_id=photo))["post_id"]
    async with facebook(tmp_path, accounts=[]) as fb:
        post_id = (await fb.get(f"/{video}", params={"fields": "post_id"})).json()["post_id"]
        assert post_id.startswith(f"{PAGE}_")
        assert (await fb.get(f"/{post_id}", params={"fields": "id"})).json() == {"id": post_id}
        stories = (await fb.get(f"/{PAGE}/stories", params={"fields": "post_id,media_id"})).json()["data"]
        assert stories == [{"post_id": story, "media_id": photo}]


async def test_realistic_pages_have_a_number_of_reels_a_day() -> None:
    async with facebook(realistic=True) as fb:
        ending = {"upload_phase": "finish", "video_state": "PUBLISHED"}
        for _ in range(30):
            begun = await create(fb, "video_reels", upload_phase="start")
            await fb.post(begun["upload_url"], headers={"file_url": VIDEO})
            await create(fb, "video_reels", **ending, video_id=begun["video_id"])
        begun = await create(fb, "video_reels", upload_phase="start")
        await fb.post(begun["upload_url"], headers={"file_url": VIDEO})
        assert await refused(fb, f"/{PAGE}/video_reels", **ending, video_id=begun["video_id"]) == (4, 1390008)
