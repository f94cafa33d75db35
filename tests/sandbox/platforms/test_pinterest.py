"""The sandbox's Pinterest follows Pinterest's rules, and keeps its state over a restart."""

import base64
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import media
from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

IMAGE = {"source_type": "image_url", "url": "https://example.com/a.jpg"}
APP = httpx.BasicAuth("app", "secret")

pinterest = partial(
    acting_client,
    path="/pinterest",
    accounts=[account("pinterest", "pi_8001", "8001", "ann", "pi-token", "pi-refresh")],
    headers={"authorization": "Bearer pi-token"},
)


@pytest.fixture(scope="module")
async def pi() -> AsyncIterator[httpx.AsyncClient]:
    async with pinterest() as client:
        yield client


async def pin(pi: httpx.AsyncClient, **more: Any) -> str:
    answer = await pi.post("/v5/pins", json={"board_id": "1", "media_source": IMAGE, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({"board_id": "my board"}, 400, r"\d+"),
        ({"board_id": "0"}, 404, "Board not found"),
        ({"title": "x" * 101}, 400, "title"),
        ({"description": "x" * 801}, 400, "description"),
        ({"alt_text": "x" * 501}, 400, "alt_text"),
        ({"link": "example.com"}, 400, "link"),
        ({"colour": "red"}, 400, "colour"),
        ({"media_source": {"source_type": "multiple_image_urls", "items": [{"url": "a"}] * 6}}, 400, "items"),
        ({"media_source": {"source_type": "image_url", "url": "http://127.0.0.1:9/a"}}, 400, "Unable to reach the URL"),
        ({"media_source": {"source_type": "image_url", "url": "https://example.com/a.mp4"}}, 400, "image is invalid"),
        ({"media_source": {"source_type": "image_base64", "content_type": "image/png", "data": "!"}}, 400, "base64"),
        ({"media_source": {"source_type": "video_id", "media_id": "1"}}, 400, "media_id"),
    ],
)
async def test_invalid_requests_are_refused(
    pi: httpx.AsyncClient, sent: dict[str, Any], status: int, message: str
) -> None:
    answer = await pi.post("/v5/pins", json={"board_id": "1", "media_source": IMAGE, **sent})
    assert answer.status_code == status
    assert message in answer.json()["message"]
    assert isinstance(answer.json()["code"], int)


async def test_images_may_come_as_bytes(pi: httpx.AsyncClient) -> None:
    data = base64.b64encode(media.sample("bytes", "png")).decode()
    source = {"source_type": "image_base64", "content_type": "image/png", "data": data}
    pin_id = await pin(pi, media_source=source)
    assert (await pi.get(f"/v5/pins/{pin_id}")).json()["media"] == {"media_type": "image"}


async def test_pins_are_listed_by_board_and_page_and_deleted(pi: httpx.AsyncClient) -> None:
    ids = [await pin(pi, board_id="77", title=f"t{number}") for number in range(3)]
    first = (await pi.get("/v5/boards/77/pins", params={"page_size": 2})).json()
    assert [item["title"] for item in first["items"]] == ["t2", "t1"]
    after = (await pi.get("/v5/boards/77/pins", params={"page_size": 2, "bookmark": first["bookmark"]})).json()
    assert ([item["id"] for item in after["items"]], after["bookmark"]) == ([ids[0]], None)
    assert (await pi.get("/v5/pins")).json()["items"][0]["id"] == ids[2]
    assert (await pi.delete(f"/v5/pins/{ids[0]}")).status_code == 204
    assert (await pi.delete(f"/v5/pins/{ids[0]}")).status_code == 404
    assert len((await pi.get("/v5/boards/77/pins")).json()["items"]) == 2
    assert (await pi.get("/v5/boards/0/pins")).status_code == 404
    assert (await pi.get("/v5/pins", params={"page_size": 251})).status_code == 400


async def test_a_video_goes_through_the_storage(pi: httpx.AsyncClient) -> None:
    assert (await pi.post("/v5/media", json={"media_type": "image"})).status_code == 400
    registered = (await pi.post("/v5/media", json={"media_type": "video"})).json()
    media_id, address, fields = registered["media_id"], registered["upload_url"], registered["upload_parameters"]
    source = {"source_type": "video_id", "media_id": media_id}
    assert (await pi.get(f"/v5/media/{media_id}")).json()["status"] == "registered"
    file = {"file": ("a.mp4", media.sample("a", "mp4"), "video/mp4")}
    assert (await pi.post(address, content=b"nothing")).status_code == 403
    assert (await pi.post(address, data={"key": fields["key"]}, files=file)).status_code == 403
    assert (await pi.post(address, data={**fields, "zzz": "1"}, files={"video": file["file"]})).status_code == 400
    assert (await pi.post("/v5/pins", json={"board_id": "1", "media_source": source})).status_code == 400
    assert (await pi.post(address, data=fields, files=file)).status_code == 204
    assert (await pi.get(f"/v5/media/{media_id}")).json()["status"] == "succeeded"
    answer = await pi.post("/v5/pins", json={"board_id": "1", "media_source": source})
    assert "cover" in answer.json()["message"]
    await pin(pi, media_source={**source, "cover_image_key_frame_time": 0})
    assert (await pi.get("/v5/media/1")).status_code == 404


async def test_pins_survive_a_restart(tmp_path: Path) -> None:
    async with pinterest(tmp_path) as pi:
        pin_id = await pin(pi, title="kept", description="still here")
    async with pinterest(tmp_path) as pi:
        pins = (await pi.get("/v5/boards/1/pins")).json()["items"]
        assert [(item["id"], item["title"], item["description"]) for item in pins] == [(pin_id, "kept", "still here")]


async def test_a_day_has_a_thousand_requests(clock: Clock) -> None:
    async with pinterest(realistic=True, clock=clock) as pi:
        for _ in range(1000):
            await pi.get("/v5/user_account")
        answer = await pi.get("/v5/user_account")
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (429, "0")


async def test_tokens_rotate(pi: httpx.AsyncClient) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "pi-refresh"}
    renewed = (await pi.post("/v5/oauth/token", data=form, auth=APP)).json()
    assert renewed["refresh_token"] != "pi-refresh"
    me = await pi.get("/v5/user_account", headers={"authorization": f"Bearer {renewed['access_token']}"})
    assert me.json()["username"] == "ann"
    assert (await pi.get("/v5/boards")).json()["items"][0]["id"] == "58001"
    assert (await pi.post("/v5/oauth/token", data=form, auth=APP)).status_code == 401
    assert (await pi.post("/v5/oauth/token", data=form)).status_code == 401
    assert (await pi.post("/v5/oauth/token", data=form, headers={"authorization": "Basic !"})).status_code == 401
    assert (await pi.post("/v5/oauth/token", data={"grant_type": "password"}, auth=APP)).status_code == 400


async def test_boards_and_sections_come_in_pages(pi: httpx.AsyncClient) -> None:
    first = (await pi.get("/v5/boards", params={"page_size": "2"})).json()
    rest = (await pi.get("/v5/boards", params={"page_size": "2", "bookmark": first["bookmark"]})).json()
    assert [board["name"] for board in (*first["items"], *rest["items"])] == ["Sandbox", "Recipes", "Knots"]
    assert rest["bookmark"] is None
    board = first["items"][0]["id"]
    sections = (await pi.get(f"/v5/boards/{board}/sections")).json()["items"]
    assert [section["name"] for section in sections] == ["Easy", "Hard"]
    assert (await pi.get("/v5/boards/99/sections")).status_code == 404
    assert (await pi.get("/v5/boards", params={"page_size": "251"})).status_code == 400
