"""Uploads from an address: answered at once, fetched by a worker, and begun once for each key."""

import asyncio
from typing import Any

from litestar import Litestar
from sqlalchemy import text

from domain.uploads import MOST_WAITING_FETCHES
from tests.api.conftest import Client, make_client, read_answer
from tests.fetching import fetching_uploads
from tests.stack import Stack

PHOTO = {"url": "https://example.com/photo.jpg?sig=S3cr3t"}


async def begin(client: Client, key: str | None = None, **body: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    return read_answer(await client.post("/v1/media/fetch", json=PHOTO | body, headers=headers), 202)


async def fetched(client: Client, upload: dict[str, Any]) -> dict[str, Any]:
    """Return an upload once it is fetched, or given up."""
    async with asyncio.timeout(60):
        while True:
            shown: dict[str, Any] = (await client.get(f"/v1/media/{upload['id']}")).json()
            if shown["state"] != "fetching":
                return shown
            await asyncio.sleep(0.05)


async def test_a_file_is_fetched_and_published(app: Litestar, stack: Stack, api: Client) -> None:
    upload = await begin(api, filename="Holiday by the sea.jpg")
    assert (upload["state"], upload["size"], upload["errorCode"]) == ("fetching", None, None)
    assert "S3cr3t" not in str(upload)
    media = {"content": "With a fetched file", "mediaItems": [{"type": "image", "url": upload["publicUrl"]}]}
    targets = [{"platform": "twitter", "accountId": stack.accounts["twitter"].id}]
    early = await api.post("/v1/posts", json=media | {"platforms": targets, "publishNow": True})
    assert (early.status_code, early.json()["code"]) == (422, "media_not_uploaded")
    incomplete = await api.post(f"/v1/media/{upload['id']}/complete")
    assert (incomplete.status_code, incomplete.json()["code"]) == (422, "media_not_uploaded")
    async with fetching_uploads(app, stack):
        shown = await fetched(api, upload)
        page = await fetched(api, await begin(api, url="https://no-such-host.invalid/a.jpg"))
    assert (shown["state"], shown["contentType"], shown["publicUrl"]) == ("ready", "image/jpeg", upload["publicUrl"])
    draft = await api.post("/v1/posts", json=media | {"isDraft": True})
    assert draft.status_code == 201
    assert (await api.get(f"/v1/media/{upload['id']}")).json()["usedBy"] == [draft.json()["id"]]
    assert (page["state"], page["errorCode"]) == ("rejected", "media_address_forbidden")
    named = media | {"mediaItems": [{"type": "image", "url": page["publicUrl"]}], "platforms": targets}
    refused = await api.post("/v1/posts", json=named | {"publishNow": True})
    assert (refused.status_code, refused.json()["code"], refused.json()["error"]) == (
        422,
        "media_rejected",
        page["error"],
    )


async def test_a_repeat_with_its_key_begins_nothing(api: Client) -> None:
    first, repeat, other = await asyncio.gather(begin(api, "fetch-1"), begin(api, "fetch-1"), begin(api, "fetch-2"))
    assert first == repeat
    assert other["id"] != first["id"]
    reused = await api.post(
        "/v1/media/fetch", json={"url": "https://example.com/b.jpg"}, headers={"Idempotency-Key": "fetch-1"}
    )
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_addresses_that_no_worker_would_fetch_are_refused(api: Client) -> None:
    for url in ("http://127.0.0.1/a.jpg", "https://localhost/a", "http://[::1]:80/", "file:///etc/passwd", "x", ""):
        answer = await api.post("/v1/media/fetch", json={"url": url})
        assert (answer.status_code, answer.json()["param"]) == (400, "url"), url
    bodies: tuple[dict[str, Any], ...] = ({}, PHOTO | {"filename": ""}, PHOTO | {"headers": {}})
    for body in bodies:
        assert (await api.post("/v1/media/fetch", json=body)).status_code == 400


async def test_a_workspace_has_a_number_of_waiting_fetches(app: Litestar, stack: Stack) -> None:
    workspace_id, key = await stack.new_workspace()
    async with make_client(app, key) as client:
        upload = await begin(client)
        copies = text("""
            INSERT INTO uploads (id, workspace_id, token, key, filename, content_type, address_nonce,
              expires_at, source_url, fetch_at)
            SELECT id || number, workspace_id, token || number, key, filename, content_type, address_nonce,
              expires_at, source_url, fetch_at FROM uploads, generate_series(2, :most) AS number
            WHERE workspace_id = :workspace_id
        """)
        async with stack.database.transaction() as session:
            await session.execute(copies, {"most": MOST_WAITING_FETCHES, "workspace_id": workspace_id})
        refused = await client.post("/v1/media/fetch", json=PHOTO)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await client.delete(f"/v1/media/{upload['id']}")).status_code == 200
        await begin(client)
