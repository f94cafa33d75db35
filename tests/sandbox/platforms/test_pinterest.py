"""The sandbox's Pinterest follows Pinterest's rules, and keeps its state over a restart."""

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
