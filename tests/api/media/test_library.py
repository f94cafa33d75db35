"""The files of a workspace: listed, looked at, deleted, and sent in forms and in parts."""

import asyncio
import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select, text

from storage.base import PART, PartPlan
from store.models import Upload
from store.secrets.vault import new_key as new_secret
from tests.api.conftest import Client, make_client, read_answer
from tests.api.media.files import HTML, JPEG, MP4, local, new_key, presign, serving, stored_files, upload_ready
from tests.stack import Stack

VIDEO = MP4[:24] + (os.urandom(2**20 + 7) * 32)[: 2 * PART]
"""Two whole parts, and a short one."""


async def test_files_are_listed_by_pages_and_filters(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        picture = await upload_ready(client)
        video = await upload_ready(client, MP4, contentType="video/mp4")
        pending = await presign(client)

        async def ids(**query: Any) -> list[str]:
            answer = await client.get("/v1/media", params=query)
            assert answer.status_code == 200, answer.text
            return [file["id"] for file in answer.json()["media"]]

        assert await ids() == [pending["id"], video["id"], picture["id"]]
        assert await ids(state="ready") == [video["id"], picture["id"]]
        assert await ids(state="pending") == [pending["id"]]
        assert await ids(type="video") == [video["id"]]
        first = (await client.get("/v1/media", params={"limit": 2})).json()
        assert first["hasMore"] is True
        last = (await client.get("/v1/media", params={"limit": 2, "cursor": first["cursor"]})).json()
        assert ([file["id"] for file in last["media"]], last["hasMore"], last["cursor"]) == (
            [picture["id"]],
            False,
            None,
        )
        for query in ({"state": "lost"}, {"type": "audio"}, {"limit": "0"}, {"cursor": "x"}, {"statte": "ready"}):
            assert (await client.get("/v1/media", params=query)).status_code == 400, query


async def test_files_of_another_workspace_are_not_there(app: Litestar, stack: Stack, stranger: Client) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await upload_ready(client)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/complete")):
        answer = await stranger.request(method, f"/v1/media/{upload['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await stranger.get("/v1/media")).json()["media"] == []


async def test_keys_that_read_cannot_upload(app: Litestar, stack: Stack, api: Client) -> None:
    created = await api.post("/v1/api-keys", json={"name": "reader", "scopes": ["read"]})
    async with make_client(app, created.json()["key"]) as reader:
        assert (await reader.get("/v1/media")).status_code == 200
        for method, path in (("POST", "/presign"), ("POST", ""), ("POST", "/multipart"), ("DELETE", "/med_1")):
            answer = await reader.request(method, f"/v1/media{path}", json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), path
        assert (await reader.put("/v1/media/multipart/med_1/parts/1", content=b"x")).status_code == 403


async def test_a_file_is_not_deleted_while_a_post_needs_it(app: Litestar, stack: Stack, api: Client) -> None:
    upload = await upload_ready_in_process(api)
    media = [{"type": "image", "url": upload["publicUrl"]}]
    draft = (await api.post("/v1/posts", json={"content": "with a file", "mediaItems": media})).json()
    shown = (await api.get(f"/v1/media/{upload['id']}")).json()
    assert (shown["usedBy"], shown["expiresAt"]) == ([draft["post"]["id"]] if "post" in draft else [draft["id"]], None)
    refusal = await api.delete(f"/v1/media/{upload['id']}")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "media_in_use")
    assert (await api.delete(f"/v1/posts/{shown['usedBy'][0]}")).status_code == 200
    assert (await api.delete(f"/v1/media/{upload['id']}")).json() == {"id": upload["id"], "deleted": True}
    assert (await api.delete(f"/v1/media/{upload['id']}")).status_code == 404


async def upload_ready_in_process(api: Client) -> dict[str, Any]:
    presigned: dict[str, Any] = (
        await api.post("/v1/media/presign", json={"filename": "a.jpg", "contentType": "image/jpeg"})
    ).json()
    path = httpx.URL(presigned["uploadUrl"]).path
    assert (await api.put(path, content=JPEG, headers=presigned["headers"])).status_code == 200
    return presigned


async def test_small_files_are_sent_in_a_form(app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(app, await new_key(stack)) as client:
        before = stored_files(app)
        answer = await client.post("/v1/media", files={"file": ("a b.jpg", JPEG, "image/jpeg")})
        assert answer.status_code == 201, answer.text
        file = answer.json()
        assert (file["state"], file["size"], file["filename"]) == ("ready", len(JPEG), "a b.jpg")
        assert (await client.get(local(client, file["publicUrl"]))).content == JPEG
        assert len(stored_files(app)) == len(before) + 1
        refused: dict[str, tuple[Any, int, str]] = {
            "other field": ({"files": {"picture": ("a.jpg", JPEG)}}, 400, "missing_required_field"),
            "no file": ({"files": {"file": (None, b"text")}}, 400, "missing_required_field"),
            "two files": ({"files": [("file", ("a.jpg", JPEG)), ("file", ("b.jpg", JPEG))]}, 400, "unknown_parameter"),
            "no media": ({"files": {"file": ("a.jpg", HTML, "image/jpeg")}}, 422, "media_rejected"),
            "empty": ({"files": {"file": ("a.jpg", b"")}}, 400, "missing_required_field"),
            "json": ({"json": {}}, 415, "unsupported_media_type"),
            "no form": (
                {"content": JPEG, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
                400,
                "invalid_request",
            ),
            "cut off": (
                {
                    "content": b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + JPEG,
                    "headers": {"Content-Type": "multipart/form-data; boundary=x"},
                },
                400,
                "invalid_request",
            ),
        }
        for name, (request, status, code) in refused.items():
            answer = await client.post("/v1/media", **request)
            assert (answer.status_code, answer.json()["code"]) == (status, code), name
        monkeypatch.setattr("api.media.receiving.LARGEST_FORM_FILE", 4_000)
        answer = await client.post("/v1/media", files={"file": ("a.jpg", JPEG, "image/jpeg")})
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert len(stored_files(app)) == len(before) + 1
        assert len((await client.get("/v1/media")).json()["media"]) == 1


async def begin_parts(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    body = {"filename": "v.mp4", "contentType": "video/mp4", "size": len(VIDEO)} | body
    return read_answer(await client.post("/v1/media/multipart", json=body), 201)


def part(number: int) -> bytes:
    return VIDEO[(number - 1) * PART : number * PART]


async def test_a_large_file_comes_in_parts_and_is_continued(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await begin_parts(client, sha256=hashlib.sha256(VIDEO).hexdigest())
        base = f"/v1/media/multipart/{upload['id']}"
        assert (upload["partSize"], [shown["size"] for shown in upload["parts"]]) == (PART, [PART, PART, 24])
        addresses = [local(client, shown["uploadUrl"]) for shown in upload["parts"]]
        assert read_answer(await client.put(f"{base}/parts/2", content=part(2)))["number"] == 2
        answer = await client.put(addresses[1], content=part(2))
        assert (answer.status_code, answer.json()) == (200, {"number": 2, "size": PART})
        refusal = await client.post(f"{base}/complete")
        assert (refusal.status_code, refusal.json()["code"]) == (422, "media_not_uploaded")
        assert refusal.json()["error"].endswith("1, 3")
        for content in (part(1)[:-1], part(1) + b"x"):
            assert (await client.put(addresses[0], content=content)).json()["code"] == "upload_differs"
        for number in ("0", "4", "x", "1.5"):
            assert (await client.put(f"{base}/parts/{number}", content=b"x")).status_code == 404
        state = (await client.get(base)).json()["parts"]
        assert [shown["received"] for shown in state] == [False, True, False]
        assert [shown["uploadUrl"] is None for shown in state] == [False, True, False]
        answers = await asyncio.gather(
            client.put(addresses[0], content=part(1)), client.put(addresses[2], content=part(3))
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        # A repeat of a part is safe, and so is one of the end.
        assert (await client.put(addresses[1], content=part(2))).status_code == 200
        files = [
            (await client.post(path)).json()
            for path in [f"{base}/complete"] * 2 + [f"/v1/media/{upload['id']}/complete"]
        ]
        assert files[0] == files[1] == files[2]
        assert (files[0]["state"], files[0]["sha256"]) == ("ready", hashlib.sha256(VIDEO).hexdigest())
        assert (await client.get(local(client, upload["publicUrl"]))).content == VIDEO
        assert (await client.get(base)).status_code == 404
        assert (await client.put(addresses[1], content=part(2))).status_code == 404


async def test_the_address_of_a_part_needs_no_key_and_takes_only_that_part(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client, serving(app, None) as browser:
        upload, second = await begin_parts(client), await begin_parts(client)
        addresses = [local(browser, shown["uploadUrl"]) for shown in upload["parts"]]
        assert len(set(addresses)) == 3
        own, _, signature = addresses[2].rpartition(".")
        wrong = [f"{own}.{'a' * 43}", f"{own}.", own, addresses[0].rpartition(".")[0] + f".{signature}"]
        wrong += [addresses[2].replace(upload["id"], second["id"]), addresses[2].replace(upload["id"], "med_1")]
        wrong += [
            addresses[2].replace(upload["id"], other) for other in ("%00", "med_%00", "%C3%A9", "med_" + "1" * 99)
        ]
        for address in wrong:
            refusal = await browser.put(address, content=part(3))
            assert (refusal.status_code, refusal.json()["code"]) == (404, "not_found"), address
        assert (await browser.put(f"/v1/media/multipart/{upload['id']}/parts/3", content=part(3))).status_code == 401
        answer = await browser.put(addresses[2], content=part(3), headers={"Origin": "https://pages.example"})
        assert (answer.status_code, answer.json()) == (200, {"number": 3, "size": 24})
        assert answer.headers["access-control-allow-origin"] == "*"
        received = (await client.get(f"/v1/media/multipart/{upload['id']}")).json()["parts"]
        assert [shown["received"] for shown in received] == [False, False, True]


async def test_database_contents_make_no_address_of_an_open_upload(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client, serving(app, None) as browser:
        upload = await begin_parts(client)
        async with stack.database.reading() as session:
            row = (await session.execute(select(Upload).where(Upload.id == upload["id"]))).scalar_one()
            values = [getattr(row, column.key) for column in Upload.__table__.columns if column.key != "source_url"]
        held = [value if isinstance(value, bytes) else str(value).encode() for value in values]
        assert row.address_nonce in held
        for key, end in product(held, (b"", b"." + row.address_nonce)):
            signature = hmac.digest(key, f"{row.id}.3".encode() + end, "sha256")
            guess = f"{row.id}.3.{urlsafe_b64encode(signature).decode().rstrip('=')}"
            assert (await browser.put(f"/media/upload/{guess}", content=part(3))).status_code == 404
        genuine = local(browser, upload["parts"][2]["uploadUrl"])
        assert (await browser.put(genuine, content=part(3))).status_code == 200


async def test_addresses_hold_when_another_key_signs(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client, serving(app, None) as browser:
        upload = await begin_parts(client)
        directory: Path = app.state.deps.storage._directory
        files = [directory / name for name in stored_files(app)]
        (path,) = [file for file in files if b"SocialSyncerAPI recognize" in file.read_bytes()]
        older = path.read_text()
        path.write_text(f"{new_secret()}\n{older}")
        shown = (await client.get(f"/v1/media/multipart/{upload['id']}")).json()
        for number, signed in ((1, upload), (3, upload), (3, shown)):
            address = local(browser, signed["parts"][number - 1]["uploadUrl"])
            assert (await browser.put(address, content=part(number))).status_code == 200
        assert shown["parts"][2]["uploadUrl"] != upload["parts"][2]["uploadUrl"]
        path.write_text("any content")
        refused = await client.get(f"/v1/media/multipart/{upload['id']}")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        path.write_text(older)


@pytest.mark.parametrize(("path", "status"), [("/v1/media/multipart", 201), ("/v1/media/presign", 200)])
async def test_a_repeat_begins_no_second_upload(app: Litestar, stack: Stack, path: str, status: int) -> None:
    async with serving(app, await new_key(stack)) as client:
        body = {"filename": "v.mp4", "contentType": "video/mp4", "size": 24}
        sent = partial(client.post, path, headers={"Idempotency-Key": "begin-1"})
        answers = [*await asyncio.gather(*(sent(json=body) for _ in range(4))), await sent(json=body)]
        assert [answer.status_code for answer in answers] == [status] * 5
        begun = answers[0].json()
        assert [answer.json() for answer in answers] == [begun] * 5
        assert "Idempotent-Replayed" in answers[4].headers
        assert [file["id"] for file in (await client.get("/v1/media")).json()["media"]] == [begun["id"]]
        other = await sent(json=body | {"size": 25})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        await client.delete(f"/v1/media/{begun['id']}")
        assert (await sent(json=body)).status_code == 409


async def test_parts_that_make_no_announced_file_are_refused(app: Litestar, stack: Stack) -> None:
    size = 3_000
    async with serving(app, await new_key(stack)) as client:
        before = stored_files(app)
        for content, body, code in (
            (HTML[:size].ljust(size), {}, "media_rejected"),
            (JPEG[:size], {"sha256": "0" * 64}, "upload_differs"),
        ):
            upload = await begin_parts(client, size=size, **body)
            assert (
                await client.put(local(client, upload["parts"][0]["uploadUrl"]), content=content)
            ).status_code == 200
            answer = await client.post(f"/v1/media/multipart/{upload['id']}/complete")
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        upload = await begin_parts(client)
        assert (await client.delete(f"/v1/media/multipart/{upload['id']}")).json()["deleted"] is True
        assert (await client.get(f"/v1/media/multipart/{upload['id']}")).status_code == 404
        assert [path for path in stored_files(app) if path.startswith("objects")] == [
            path for path in before if path.startswith("objects")
        ]


async def test_a_kill_after_the_parts_were_joined_is_repaired_by_a_repeat(app: Litestar, stack: Stack) -> None:
    async with serving(app, await new_key(stack)) as client:
        upload = await begin_parts(client, size=len(JPEG))
        assert (await client.put(local(client, upload["parts"][0]["uploadUrl"]), content=JPEG)).status_code == 200
        async with stack.database.reading() as session:
            query = text("SELECT key, multipart_id, size, part_size FROM uploads WHERE id = :id")
            key, multipart_id, size, part_size = (await session.execute(query, {"id": upload["id"]})).one()
        await app.state.deps.storage.complete_multipart(key, multipart_id, PartPlan(size, part_size))
        answer = await client.post(f"/v1/media/multipart/{upload['id']}/complete")
        assert (answer.status_code, answer.json()["sha256"]) == (200, hashlib.sha256(JPEG).hexdigest())
