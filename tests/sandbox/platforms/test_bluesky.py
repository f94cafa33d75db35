"""The sandbox's Bluesky, called with Bluesky's own requests."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import media
from tests.sandbox.conftest import Clock
from tests.sandbox.servers import Server, account, serving

DID = "did:plc:17841400000000001"
POSTS = "app.bsky.feed.post"
NOW = "2026-01-15T10:00:00.000Z"
KEY = "3kabcdefghi2k"


class Bluesky(Server):
    """The server with the session of one of two accounts, once it has logged in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__(client)
        self.session: dict[str, Any] = {}

    async def log_in(self, password: str = "app-password-1", identifier: str = DID) -> httpx.Response:
        body = {"identifier": identifier, "password": password}
        answer = await self.client.post("/com.atproto.server.createSession", json=body)
        if answer.is_success:
            self.session = answer.json()
            self.client.headers["authorization"] = f"Bearer {self.session['accessJwt']}"
        return answer

    async def post(self, name: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.client.post(f"/{name}", json=body, **options)

    async def get(self, name: str, **params: Any) -> httpx.Response:
        return await self.client.get(f"/{name}", params=params)

    async def put(self, rkey: str = KEY, **record: Any) -> httpx.Response:
        record = {"$type": POSTS, "text": "Hi", "createdAt": NOW, **record}
        body = {"repo": DID, "collection": POSTS, "rkey": rkey, "record": record}
        return await self.post("com.atproto.repo.putRecord", body)

    async def blob(self, name: str = "one", extension: str = "jpg") -> dict[str, Any]:
        content = media.sample(name, extension)
        headers = {"content-type": media.CONTENT_TYPES[extension]}
        answer = await self.client.post("/com.atproto.repo.uploadBlob", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        blob: dict[str, Any] = answer.json()["blob"]
        return blob


serving_bluesky = partial(
    serving,
    Bluesky,
    path="/bluesky/xrpc",
    accounts=[
        account("bluesky", f"bs_{number}", f"1784140000000000{number}", f"tester_{number}", f"app-password-{number}")
        for number in (1, 2)
    ],
)


@pytest.fixture
async def server() -> AsyncIterator[Bluesky]:
    async with serving_bluesky() as running:
        assert (await running.log_in()).status_code == 200
        yield running


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_only_the_access_token_of_a_session_opens_anything(server: Bluesky) -> None:
    for token in ("app-password-1", server.session["refreshJwt"], "nonsense"):
        server.client.headers["authorization"] = f"Bearer {token}"
        assert error(await server.put()) == (400, "InvalidToken")
    del server.client.headers["authorization"]
    assert error(await server.put()) == (401, "AuthMissing")


async def test_a_session_ends_after_two_hours(clock: Clock) -> None:
    async with serving_bluesky(clock=clock) as server:
        await server.log_in()
        clock.now += 7201
        assert error(await server.put()) == (400, "ExpiredToken")
        headers = {"authorization": f"Bearer {server.session['refreshJwt']}"}
        assert (await server.post("com.atproto.server.refreshSession", headers=headers)).status_code == 200


async def test_same_record_changes_nothing_and_another_replaces_it(server: Bluesky) -> None:
    first, again = (await server.put()).json(), (await server.put()).json()
    assert (first["uri"], first["cid"]) == (again["uri"], again["cid"])
    assert ("commit" in first, "commit" in again) == (True, False)
    assert first["uri"] == f"at://{DID}/{POSTS}/{KEY}"
    changed = (await server.put(text="Ho")).json()
    assert (changed["uri"], changed["cid"] != first["cid"]) == (first["uri"], True)
    [post] = await server.posts()
    assert (post["text"], post["platformPostId"], post["accountId"]) == ("Ho", first["uri"], "bs_1")
    assert (await server.operations())[:4] == ["edit", "publish", "publish", "auth"]


async def test_creating_under_a_key_that_is_taken_is_an_error_of_the_server(server: Bluesky) -> None:
    record = {"$type": POSTS, "text": "Hi", "createdAt": NOW}
    body = {"repo": DID, "collection": POSTS, "rkey": KEY, "record": record}
    assert (await server.post("com.atproto.repo.createRecord", body)).status_code == 200
    assert error(await server.post("com.atproto.repo.createRecord", body)) == (500, "InternalServerError")


def link(start: int, end: int, **feature: str) -> dict[str, Any]:
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com", **feature}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}


@pytest.mark.parametrize(
    "record",
    [
        {"text": "x" * 301},
        {"text": "👩‍👩‍👧‍👦" * 121},
        {"text": None},
        {"createdAt": "yesterday"},
        {"createdAt": "2026-01-15T10:00:00"},
        {"langs": ["en", "de", "fr", "it"]},
        {"facets": [link(0, 3)]},
        {"facets": [link(2, 1)]},
        {"facets": [link(0, 2, uri="")]},
        {"facets": [{"index": {"byteStart": 0, "byteEnd": 1}}]},
        {"embed": {"$type": "app.bsky.embed.images", "images": []}},
        {"embed": {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": {"cid": "x"}}]}},
        {"embed": {"$type": "app.bsky.embed.picture"}},
        {"embed": {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.com", "title": "x"}}},
        {"embed": {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{DID}/{POSTS}/{KEY}", "cid": "x"}}},
        {"embed": {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{DID}/{POSTS}/{KEY}", "cid": "b" * 59}}},
        {"embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {"$type": "app.bsky.embed.record"}}},
        {"reply": {"root": {"uri": "at://x", "cid": "y"}}},
        {"$type": "app.bsky.feed.like"},
    ],
)
async def test_invalid_posts_are_refused(server: Bluesky, record: dict[str, Any]) -> None:
    assert error(await server.put(**record)) == (400, "InvalidRequest")
    assert await server.posts() == []


async def test_a_key_must_be_an_identifier_of_a_time_and_the_repository_ones_own(server: Bluesky) -> None:
    for rkey in ("self", "0000000000000", "zzzzzzzzzzzzz"):
        assert error(await server.put(rkey)) == (400, "InvalidRequest")
    body = {"repo": "did:plc:17841400000000002", "collection": POSTS, "rkey": KEY, "record": {}}
    assert error(await server.post("com.atproto.repo.putRecord", body)) == (400, "InvalidRequest")
    for broken in ("[]", "{", '{"repo": 1}'):
        answer = await server.client.post("/com.atproto.repo.putRecord", content=broken)
        assert error(answer) == (400, "InvalidRequest")


async def test_blobs_are_named_by_their_bytes_and_must_be_there(server: Bluesky) -> None:
    blob = await server.blob()
    assert blob == await server.blob()
    assert blob["ref"]["$link"].startswith("bafkrei")
    assert (blob["$type"], blob["mimeType"]) == ("blob", "image/jpeg")
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "one", "image": blob}]}
    assert (await server.put(embed=images)).status_code == 200
    assert (await server.posts())[0]["mediaCount"] == 1
    missing = {**blob, "ref": {"$link": "bafkrei" + "a" * 52}}
    images["images"] = [{"alt": "one", "image": missing}]
    assert error(await server.put("3kabcdefghi2z", embed=images)) == (400, "BlobNotFound")
    lying = {**blob, "mimeType": "image/png"}
    images["images"] = [{"alt": "one", "image": lying}]
    assert error(await server.put("3kabcdefghi2z", embed=images)) == (400, "InvalidMimeType")
    video = {"$type": "app.bsky.embed.video", "video": blob}
    assert error(await server.put("3kabcdefghi2z", embed=video)) == (400, "InvalidMimeType")


async def test_an_image_that_is_too_large_is_reported_when_the_record_names_it(server: Bluesky) -> None:
    content = media.sample("large", "jpg") + bytes(2_000_000)
    answer = await server.client.post(
        "/com.atproto.repo.uploadBlob", content=content, headers={"content-type": "image/jpeg"}
    )
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": answer.json()["blob"]}]}
    assert error(await server.put(embed=images)) == (400, "BlobTooLarge")


async def service_token(server: Bluesky, **params: str) -> httpx.Response:
    allowed = {"aud": "did:web:sandbox.host.bsky.network", "lxm": "com.atproto.repo.uploadBlob", **params}
    return await server.get("com.atproto.server.getServiceAuth", **allowed)


async def upload(server: Bluesky, token: str, content: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": "video/mp4"}
    params = {"did": DID, "name": "a.mp4"}
    return await server.client.post("/app.bsky.video.uploadVideo", params=params, headers=headers, content=content)


async def test_a_video_takes_its_time_and_is_recognised_when_it_comes_again(clock: Clock) -> None:
    async with serving_bluesky(realistic=True, clock=clock) as server:
        await server.log_in()
        token = (await service_token(server, exp=str(int(clock.now) + 1800))).json()["token"]
        video = media.sample("film", "mp4")
        job = (await upload(server, token, video)).json()["jobStatus"]["jobId"]
        state = (await server.get("app.bsky.video.getJobStatus", jobId=job)).json()["jobStatus"]
        assert state["state"] == "JOB_STATE_ENCODING"
        clock.now += 10
        state = (await server.get("app.bsky.video.getJobStatus", jobId=job)).json()["jobStatus"]
        assert state["state"] == "JOB_STATE_COMPLETED"
        again = await upload(server, token, video)
        assert (again.status_code, again.json()["error"], again.json()["jobId"]) == (409, "already_exists", job)
        embed = {"$type": "app.bsky.embed.video", "video": state["blob"], "aspectRatio": {"width": 16, "height": 9}}
        assert (await server.put(embed=embed)).status_code == 200


async def test_the_video_service_wants_a_token_of_its_own(server: Bluesky) -> None:
    video = media.sample("film", "mp4")
    assert (await upload(server, server.session["accessJwt"], video)).status_code == 401
    other = (await service_token(server, lxm="app.bsky.feed.getTimeline")).json()["token"]
    assert (await upload(server, other, video)).status_code == 401
    assert error(await service_token(server, exp="1")) == (400, "BadExpiration")
    assert error(await service_token(server, aud="nobody")) == (400, "InvalidRequest")


async def test_realistic_servers_count_logins_and_writes(clock: Clock) -> None:
    async with serving_bluesky(realistic=True, clock=clock) as server:
        for _ in range(30):
            assert (await server.log_in()).status_code == 200
        over = await server.log_in()
        assert error(over) == (429, "RateLimitExceeded")
        assert 0 < int(over.headers["retry-after"]) <= 300
        assert int(over.headers["ratelimit-reset"]) > clock.now


async def test_published_posts_survive_a_restart(tmp_path: Path) -> None:
    async with serving_bluesky(tmp_path) as server:
        await server.log_in()
        images = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": await server.blob()}]}
        uri = (await server.put(embed=images)).json()["uri"]
        session = server.session
    async with serving_bluesky(tmp_path) as server:
        answer = await server.get("com.atproto.repo.getRecord", repo=DID, collection=POSTS, rkey=KEY)
        assert answer.json()["uri"] == uri
        server.client.headers["authorization"] = f"Bearer {session['accessJwt']}"
        assert (await server.put(embed=images)).json()["uri"] == uri
        headers = {"authorization": f"Bearer {session['refreshJwt']}"}
        assert (await server.post("com.atproto.server.refreshSession", headers=headers)).status_code == 200
        assert len(await server.posts()) == 1
