"""The sandbox's LinkedIn follows LinkedIn's rules, and keeps its state over a restart."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from sandbox.platforms.linkedin import shown
from tests.sandbox.conftest import Clock
from tests.sandbox.servers import account, acting_client

ME = "urn:li:person:7001"
PAGE = "urn:li:organization:55"
VERSION = {"LinkedIn-Version": "202609", "X-Restli-Protocol-Version": "2.0.0"}

linkedin = partial(
    acting_client,
    path="/linkedin",
    accounts=[account("linkedin", "li_7001", "7001", "ann", "li-token", "li-refresh")],
    headers={"authorization": "Bearer li-token", **VERSION},
)


@pytest.fixture(scope="module")
async def li() -> AsyncIterator[httpx.AsyncClient]:
    async with linkedin() as client:
        yield client


def body(commentary: str, author: str = ME, **more: Any) -> dict[str, Any]:
    return {
        "author": author,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
        **more,
    }


async def post(li: httpx.AsyncClient, commentary: str, author: str = ME, **more: Any) -> str:
    answer = await li.post("/rest/posts", json=body(commentary, author, **more))
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    return str(answer.headers["x-restli-id"])


@pytest.mark.parametrize(
    ("commentary", "text"),
    [
        ("plain", "plain"),
        (r"\(a\) \#b \\", r"(a) #b \ ".strip()),
        (r"{hashtag|\#|go} #now", "#go #now"),
        (rf"@[A\_b]({PAGE}) hi", "A_b hi"),
        ("cut (here", "cut "),
        ("cut @here", "cut "),
    ],
)
def test_an_unescaped_sign_cuts_a_text_off(commentary: str, text: str) -> None:
    assert shown(commentary) == text


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"LinkedIn-Version": ""}, 400, "VERSION_MISSING"),
        ({"LinkedIn-Version": "202401"}, 426, "NONEXISTENT_VERSION"),
        ({"authorization": "Bearer nobody"}, 401, "INVALID_ACCESS_TOKEN"),
    ],
)
async def test_every_request_needs_version_and_token(
    li: httpx.AsyncClient, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await li.post("/rest/posts", json=body("refused"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["x-li-uuid"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"commentary": " "}, 400, "INVALID_VALUE_BLANK_FIELD"),
        ({"commentary": "x" * 3001}, 400, "FIELD_LENGTH_TOO_LONG"),
        ({"text": "unknown"}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"lifecycleState": "DRAFT"}, 400, "INVALID_VALUE_FOR_FIELD"),
        ({"author": "urn:li:person:1"}, 403, "ACCESS_DENIED"),
        ({"content": {"media": {"id": "urn:li:image:none"}}}, 400, "INVALID_IMAGE_ID"),
        ({"content": {"media": {"id": "urn:li:video:none"}}}, 400, "INVALID_URN_ID"),
        (
            {"content": {"media": {"id": "urn:li:image:a"}, "article": {"source": "https://e.com", "title": "T"}}},
            400,
            "INVALID_VALUE_FOR_FIELD",
        ),
        ({"content": {"poll": {"question": "?", "options": [{"text": "Tea"}]}}}, 400, "INVALID_VALUE_FOR_FIELD"),
    ],
)
async def test_invalid_requests_are_refused(
    li: httpx.AsyncClient, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = await li.post("/rest/posts", json={**body("refused"), **sent})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def upload(li: httpx.AsyncClient, kind: str, content: bytes, owner: str = ME) -> str:
    begin = {"initializeUploadRequest": {"owner": owner}}
    value = (await li.post(f"/rest/{kind}s?action=initializeUpload", json=begin)).json()["value"]
    assert (await li.put(value["uploadUrl"], content=content)).status_code == 201
    return str(value[kind])


async def test_documents_need_a_title_and_several_images_are_images(li: httpx.AsyncClient) -> None:
    urn = await upload(li, "document", b"%PDF-1.7")
    answer = await li.post("/rest/posts", json=body("", content={"media": {"id": urn}}))
    assert (answer.status_code, answer.json()["code"]) == (400, "MISSING_FIELD")
    several = {"multiImage": {"images": [{"id": urn}, {"id": urn}]}}
    answer = await li.post("/rest/posts", json=body("", content=several))
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_URN_TYPE")
    await post(li, "", content={"media": {"id": urn, "title": "A report"}})


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("images", {"initializeUploadRequest": {"owner": ME}}, 400),
        ("images?action=initializeUpload", {"owner": ME}, 400),
        ("videos?action=initializeUpload", {"initializeUploadRequest": {"owner": ME}}, 400),
        ("videos?action=initializeUpload", {"initializeUploadRequest": {"owner": ME, "fileSizeBytes": 1 << 30}}, 400),
        ("videos?action=initializeUpload", {"initializeUploadRequest": {"owner": ME, "fileSizeBytes": 74_999}}, 400),
        (
            "videos?action=finalizeUpload",
            {"finalizeUploadRequest": {"video": "urn:li:video:none", "uploadToken": "", "uploadedPartIds": []}},
            400,
        ),
    ],
)
async def test_uploads_that_do_not_begin_or_end(
    li: httpx.AsyncClient, path: str, sent: dict[str, Any], status: int
) -> None:
    assert (await li.post(f"/rest/{path}", json=sent)).status_code == status


async def put(li: httpx.AsyncClient, url: str, content: bytes) -> httpx.Response:
    """Send a part of a video; the fake platform accepts it only without a token."""
    assert (await li.put(url, content=content)).status_code == 401
    request = li.build_request("PUT", url, content=content)
    del request.headers["authorization"]
    return await li.send(request)


async def test_a_video_is_whole_only_with_all_its_parts(li: httpx.AsyncClient) -> None:
    begin = {"initializeUploadRequest": {"owner": ME, "fileSizeBytes": 4_194_310}}
    value = (await li.post("/rest/videos?action=initializeUpload", json=begin)).json()["value"]
    ranges = [(part["firstByte"], part["lastByte"]) for part in value["uploadInstructions"]]
    assert ranges == [(0, 4_194_303), (4_194_304, 4_194_309)]
    etags = [
        (await put(li, part["uploadUrl"], bytes(part["lastByte"] - part["firstByte"] + 1))).headers["etag"].strip('"')
        for part in value["uploadInstructions"]
    ]
    path = f"/rest/videos/{quote(value['video'], safe='')}"
    assert (await li.get(path)).json()["status"] == "WAITING_UPLOAD"
    statuses = []
    for part_ids in (etags[:1], etags):
        done = {"video": value["video"], "uploadToken": "", "uploadedPartIds": part_ids}
        answer = await li.post("/rest/videos?action=finalizeUpload", json={"finalizeUploadRequest": done})
        statuses.append(answer.status_code)
    assert statuses == [400, 200]
    assert (await li.get(path)).json()["status"] == "PROCESSING_FAILED"
    assert (await li.get("/rest/videos/urn%3Ali%3Avideo%3Anone")).status_code == 404
    assert (await li.put("/dms-uploads/urn%3Ali%3Aimage%3Anone/0", content=b"")).status_code == 404


async def test_members_posts_images_and_comments_are_not_to_be_read(li: httpx.AsyncClient) -> None:
    urn = await post(li, "unreadable")
    image = await upload(li, "image", b"")
    for path in (
        f"/rest/images/{quote(image, safe='')}",
        f"/rest/posts?q=author&author={quote(ME, safe='')}",
        f"/rest/socialActions/{quote(urn, safe='')}/comments",
    ):
        assert (await li.get(path)).status_code == 403
    assert (await li.get(f"/rest/posts?q=owner&author={quote(PAGE, safe='')}")).status_code == 400


async def test_a_repeat_is_refused_for_ten_minutes_over_restarts_and_deletes(tmp_path: Path, clock: Clock) -> None:
    async with linkedin(tmp_path, clock=clock) as li:
        first = await post(li, "the same")
    async with linkedin(tmp_path, clock=clock) as li:
        answer = await li.post("/rest/posts", json=body("the same"))
        assert answer.status_code == 422
        assert answer.json()["message"] == f"Content is a duplicate of {first}"
        clock.now += 601
        second = await post(li, "the same")
        for _ in range(2):
            assert (await li.delete(f"/rest/posts/{quote(second, safe='')}")).status_code == 204
        await post(li, "the same")
        comment = {"actor": ME, "object": second, "message": {"text": "Hi"}}
        answer = await li.post(f"/rest/socialActions/{quote(second, safe='')}/comments", json=comment)
        assert answer.status_code == 404


async def test_a_day_has_150_requests(clock: Clock) -> None:
    async with linkedin(realistic=True, clock=clock) as li:
        for number in range(150):
            await post(li, f"number {number}")
        answer = await li.post("/rest/posts", json=body("one more"))
        assert answer.status_code == 429
        assert "retry-after" not in answer.headers
        clock.now += 86_401
        await post(li, "one more")
