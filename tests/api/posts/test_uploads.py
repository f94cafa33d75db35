"""Posts that name uploads: a look at each tells its client at once whether the file has come."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from api.dependencies import Dependencies
from api.posts.media_checks import named_uploads
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import Media, MediaType
from storage.base import Storage
from storage.directory import DirectoryStorage
from store.models import Upload
from tests.api.conftest import PUBLIC_URL, Client, make_client, problems
from tests.media.hostile import JPEG
from tests.serving import app_over
from tests.stack import Stack
from tests.uploads import add_upload, address

AT = "2030-02-01T14:00:00Z"
Body = dict[str, Any]


class RemoteStorage(DirectoryStorage):
    """A storage to which clients send files past the API."""

    is_local = False


def image(url: str) -> Body:
    return {"type": "image", "url": url}


def body(stack: Stack, *urls: str, account: str = "twitter", **target: Any) -> Body:
    platform = {"platform": stack.accounts[account].platform, "accountId": stack.accounts[account].id}
    return {
        "content": new_id("upload"),
        "platforms": [platform | target],
        "mediaItems": [image(url) for url in urls],
        "scheduledFor": AT,
    }


@asynccontextmanager
async def own_api(stack: Stack, storage: Storage | None, public_url: str | None) -> AsyncIterator[Client]:
    """Yield a client of an API with another storage or address."""
    deps = Dependencies.assemble(
        stack.api_database, stack.workflows, stack.outcomes, public_url=public_url, storage=storage
    )
    async with app_over(deps) as app, make_client(app, stack.api_key) as client:
        client.workspace_id = stack.workspace_id
        yield client


@pytest.fixture
async def ready(stack: Stack) -> str:
    return address(await add_upload(stack.database, stack.workspace_id, JPEG), PUBLIC_URL)


@pytest.fixture
async def pending(stack: Stack) -> Upload:
    return await add_upload(stack.database, stack.workspace_id, state="pending")


async def arrive(stack: Stack, upload: Upload) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(Upload).where(Upload.id == upload.id).values(state="ready", size=len(JPEG)))


async def test_a_file_that_has_not_come_is_named_with_its_field(
    api: Client, stack: Stack, stranger: Client, ready: str, pending: Upload
) -> None:
    """A token of another workspace is answered like one that does not exist."""
    missing = address(pending, PUBLIC_URL)
    refused = address(await add_upload(stack.database, stack.workspace_id, state="rejected"), "https://cdn.example")
    strangers = address(await add_upload(stack.database, stranger.workspace_id, JPEG), PUBLIC_URL)
    unknown = f"{PUBLIC_URL}/media/u/{'x' * 32}/a.jpg"
    thread = {"threadItems": [{"content": "first"}, {"content": "second", "mediaItems": [image(missing)]}]}
    cases = [
        (body(stack, ready, missing), ["mediaItems.1.url"], "media_not_uploaded"),
        (body(stack, strangers), ["mediaItems.0.url"], "media_not_uploaded"),
        (body(stack, unknown), ["mediaItems.0.url"], "media_not_uploaded"),
        (body(stack, refused), ["mediaItems.0.url"], "media_rejected"),
        (body(stack, customMedia=[image(missing)]), ["platforms.0.customMedia.0.url"], "media_not_uploaded"),
        (
            body(stack, platformSpecificData=thread),
            ["platforms.0.platformSpecificData.threadItems.1.mediaItems.0.url"],
            "media_not_uploaded",
        ),
    ]
    for payload, params, code in cases:
        response = await api.send_post(payload)
        expected = [(param, code) for param in params]
        assert response.status_code == 422, response.text
        assert [(problem["param"], problem["code"]) for problem in problems(response)] == expected
        verdict = (await api.post("/v1/posts/validate", json=payload)).json()
        assert [(problem["param"], problem["code"]) for problem in verdict["errors"]] == expected
    first, second = [problems(await api.send_post(body(stack, url))) for url in (strangers, unknown)]
    assert first == second
    for url in (ready, f"https://elsewhere.example/media/u/{'x' * 32}/a.jpg"):
        assert (await api.send_post(body(stack, url))).status_code == 201, "a stranger's address is fetched as such"


async def test_a_draft_may_wait_for_its_files_and_says_so(api: Client, stack: Stack, pending: Upload) -> None:
    draft = body(stack, address(pending, PUBLIC_URL)) | {"isDraft": True}
    del draft["scheduledFor"]
    verdict = (await api.post("/v1/posts/validate", json=draft)).json()
    assert (verdict["valid"], [warning["code"] for warning in verdict["warnings"]]) == (True, ["media_not_uploaded"])
    created = await api.send_post(draft)
    assert created.status_code == 201
    assert [warning["code"] for warning in created.json()["warnings"]] == ["media_not_uploaded"]
    path = f"/v1/posts/{created.json()['id']}"
    changed = await api.patch(path, json={"content": new_id("other")})
    assert [warning["code"] for warning in changed.json()["warnings"]] == ["media_not_uploaded"]
    scheduled = {"isDraft": False, "scheduledFor": AT}
    refused = await api.patch(path, json=scheduled)
    assert refused.status_code == 422
    assert [problem["param"] for problem in problems(refused)] == ["mediaItems.0.url"]
    await arrive(stack, pending)
    accepted = await api.patch(path, json=scheduled)
    assert (accepted.status_code, "warnings" in accepted.json()) == (200, False)


async def test_many_rows_a_series_and_bulk_name_their_missing_files(
    api: Client, stack: Stack, ready: str, pending: Upload
) -> None:
    missing = address(pending, PUBLIC_URL)
    good, bad = body(stack, ready), body(stack, missing)
    rows = json.dumps({"posts": [good, bad]})
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": "application/json"}
    imported = await api.post("/v1/imports", content=rows, headers=headers)
    assert [(problem["row"], problem["code"]) for problem in problems(imported)] == [(1, "media_not_uploaded")]
    named = [post | {"externalId": new_id("upload")} for post in (good, bad)]
    validated = await api.post("/v1/posts/bulk/validate", json={"posts": named})
    assert validated.status_code == 200, validated.text
    verdicts = validated.json()["results"]
    assert [verdict["valid"] for verdict in verdicts] == [True, False]
    post = {name: value for name, value in bad.items() if name != "scheduledFor"}
    rule = {"frequency": "daily", "count": 2}
    series = {"name": "tips", "timezone": "UTC", "start": "2030-02-01T09:00:00", "recurrence": rule, "post": post}
    refused = await api.post("/v1/series", json=series, headers={"Idempotency-Key": new_id("key")})
    assert refused.status_code == 422, refused.text
    assert [(problem["param"], problem["code"]) for problem in problems(refused)] == [
        ("post.mediaItems.0.url", "media_not_uploaded")
    ]


async def test_platforms_that_fetch_need_a_public_address_and_others_do_not(stack: Stack, ready: str) -> None:
    async with own_api(stack, None, None) as api:
        for account, codes in (("instagram", ["media_not_public"]), ("twitter", [])):
            payload = body(stack, ready, account=account)
            verdict = (await api.post("/v1/posts/validate", json=payload)).json()
            assert (verdict["valid"], [warning["code"] for warning in verdict["warnings"]]) == (True, codes)
            created = await api.send_post(payload)
            assert created.status_code == 201
            assert [warning["code"] for warning in created.json().get("warnings", [])] == codes


async def test_a_file_that_was_sent_past_the_api_is_looked_for_once(stack: Stack, tmp_path: Path) -> None:
    storage = RemoteStorage(tmp_path, least_free=0)
    await storage.prepare()
    arrived = await add_upload(stack.database, stack.workspace_id, JPEG, storage=storage, state="pending")
    later = await add_upload(stack.database, stack.workspace_id, state="pending", size=None)
    async with own_api(stack, storage, PUBLIC_URL) as api:
        assert (await api.send_post(body(stack, address(arrived, PUBLIC_URL)))).status_code == 201
        draft = body(stack, address(later, PUBLIC_URL)) | {"isDraft": True}
        created = (await api.send_post(draft)).json()
        await storage.write(later.key, _chunks(JPEG), len(JPEG))
        scheduled = await api.patch(f"/v1/posts/{created['id']}", json={"isDraft": False, "scheduledFor": AT})
        assert scheduled.status_code == 200, "the post's own files are looked for, too"
    async with stack.database.reading() as session:
        assert [(await session.get_one(Upload, upload.id)).state for upload in (arrived, later)] == ["ready"] * 2
    await storage.close()


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


def test_only_files_of_the_changed_targets_are_meant() -> None:
    url = f"{PUBLIC_URL}/media/u/{'x' * 32}/"
    item = [Media(type=MediaType.IMAGE, url=f"{url}own.jpg")]
    content = PostContent(
        media_items=[Media(type=MediaType.IMAGE, url=f"{url}shared.jpg")],
        targets=[
            TargetContent(platform="twitter", account_id="1", custom_media=item),
            TargetContent(platform="twitter", account_id="2"),
        ],
    )
    assert [upload.param for upload in named_uploads(content, {0})] == ["platforms.0.customMedia.0.url"]
    assert [upload.param for upload in named_uploads(content, {1})] == ["mediaItems.0.url"]


async def test_a_video_whose_type_a_platform_refuses_is_refused_at_once(api: Client, stack: Stack) -> None:
    video = await add_upload(stack.database, stack.workspace_id, bytes(9), content_type="video/quicktime")
    item = {"type": "video", "url": address(video, PUBLIC_URL)}
    for network, refuses in (("linkedin", True), ("bluesky", True), ("twitter", False), ("mastodon", False)):
        account = await stack.connect(network, workspace_id=stack.workspace_id)
        target = {"platform": network, "accountId": account.id}
        post: Body = {"content": "x", "platforms": [target], "mediaItems": [item], "scheduledFor": AT}
        verdict = (await api.post("/v1/posts/validate", json=post)).json()
        created = await api.post("/v1/posts", json=post)
        expected = [("media_refused", "mediaItems.0", network)] if refuses else []
        assert verdict["valid"] is not refuses
        assert [(row["code"], row["param"], row["platform"]) for row in verdict["errors"]] == expected
        assert created.status_code == (422 if refuses else 201)
        draft = await api.post("/v1/posts", json={**post, "isDraft": True})
        assert draft.status_code == 201
        assert [row["code"] for row in draft.json().get("warnings", [])] == ["media_refused"] * refuses
        plain = await api.post("/v1/posts", json={**post, "content": "without"} | {"mediaItems": []})
        for begun, change in ((draft, {"isDraft": False, "scheduledFor": AT}), (plain, {"mediaItems": [item]})):
            answer = await api.patch(f"/v1/posts/{begun.json()['id']}", json=change)
            assert answer.status_code == (422 if refuses else 200), answer.text
