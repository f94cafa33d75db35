"""Limits of one request: the error names the limit that a request exceeds."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from domain.workspaces import LARGEST_ANSWER, LARGEST_POST
from store.models import Attempt
from tests.api.conftest import Client, problems
from tests.stack import Stack

LONG = "x" * 100_001
MEDIA = {"type": "image", "url": "https://example.com/photo.jpg"}


def target(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"platform": "twitter", "accountId": f"tw_{number}", **fields}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"content": LONG}, "content"),
        ({"mediaItems": [{**MEDIA, "altText": LONG}]}, "mediaItems.0.altText"),
        ({"platforms": [target(customContent=LONG)]}, "platforms.0.customContent"),
        ({"platforms": [target(customMedia=[{**MEDIA, "altText": LONG}])]}, "platforms.0.customMedia.0.altText"),
        (
            {"platforms": [target(platformSpecificData={"threadItems": [{"content": LONG}]})]},
            "platforms.0.platformSpecificData.threadItems.0.content",
        ),
    ],
)
async def test_a_text_has_at_most_100_000_characters(stranger: Client, fields: dict[str, Any], param: str) -> None:
    response = await stranger.send_post({"content": "x", "isDraft": True, **fields})
    assert response.status_code == 400
    sentence = f"{param} may be at most 100,000 characters long"
    (problem,) = problems(response)
    assert problem.items() >= {"error": sentence, "code": "invalid_field_value", "param": param}.items()
    assert ("platform" in problem) == param.startswith("platforms.")


async def test_the_text_of_an_edit_too(stranger: Client) -> None:
    response = await stranger.post(f"/v1/posts/post_{'0' * 32}/edit", json={"content": LONG})
    assert (response.status_code, response.json()["param"]) == (400, "content")


async def test_root_settings_have_at_most_16_000_characters(stranger: Client) -> None:
    response = await stranger.send_post({"content": "x", "tiktokSettings": {"description": "x" * 16_001}})
    assert response.status_code == 400
    assert response.json()["error"] == "tiktokSettings may be at most 16,000 characters of JSON"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"tags": [0] * 20_001}, "The body holds more than 20,000 values"),
        ({"x" * 256: 0}, "The body holds a name of more than 255 characters"),
    ],
)
async def test_body_size_is_limited(stranger: Client, body: dict[str, Any], sentence: str) -> None:
    response = await stranger.send_post(body)
    assert (response.status_code, response.json()["code"], response.json()["error"]) == (400, "invalid_json", sentence)


@pytest.mark.parametrize(
    "settings",
    [
        {"threadItems": [{"content": "x", "mediaItems": [MEDIA] * 34}]},
        {"thread_items": [{"media_items": [MEDIA] * 34}]},
    ],
)
async def test_a_post_has_at_most_1_000_media(stranger: Client, settings: dict[str, Any]) -> None:
    targets = [target(n, customMedia=[MEDIA] * 33) for n in range(30)]
    sound = {"content": "x", "isDraft": True, "mediaItems": [MEDIA] * 10, "platforms": targets}
    assert (await stranger.send_post(sound)).status_code == 201
    for more in ({"mediaItems": [MEDIA] * 11}, {"platforms": [*targets, target(30, platformSpecificData=settings)]}):
        response = await stranger.send_post({**sound, **more})
        assert (response.status_code, response.json()["param"]) == (400, "mediaItems")
        assert response.json()["error"].startswith("A post may hold at most 1,000 media items")


async def test_a_text_that_is_far_too_long_is_not_counted(stranger: Client) -> None:
    body = {"content": "x" * 100_000, "platforms": [{"platform": "mastodon", "accountId": "m"}], "publishNow": True}
    response = await stranger.send_post(body)
    assert response.status_code == 422
    assert problems(response)[0]["error"] == (
        "Mastodon allows 500 characters; this has 100,000 characters, more than can be counted"
    )


async def test_total_text_length_is_limited(stranger: Client) -> None:
    targets = [target(n, customContent=f"{n} {'x' * 24_000}") for n in range(9)]
    response = await stranger.send_post({"platforms": targets, "publishNow": True})
    assert response.status_code == 422
    assert problems(response)[0]["param"] == "content"
    assert "may have 200,000 characters in all" in problems(response)[0]["error"]
    fitting = await stranger.send_post({"platforms": targets[:8], "publishNow": True})
    assert {problem["code"] for problem in problems(fitting)} == {"account_not_found"}


def small(number: int) -> list[dict[str, Any]]:
    return [target(n) for n in range(number)]


async def test_a_post_is_no_larger_than_its_answers_may_be(stranger: Client) -> None:
    body = {"content": "\u4e2d" * 50_000, "isDraft": True}
    fitting = await stranger.send_post({**body, "platforms": small(15)})
    assert fitting.status_code == 201
    assert len(fitting.content) <= LARGEST_POST
    response = await stranger.send_post({**body, "platforms": small(25)})
    assert (response.status_code, response.json()["param"]) == (400, "content")
    assert response.json()["error"].startswith("The post would be larger than 3 MiB")
    changed = await stranger.patch(f"/v1/posts/{fitting.json()['id']}", json={"platforms": small(25)})
    assert (changed.status_code, changed.json()["param"]) == (400, "content")
    assert (await stranger.post("/v1/posts/validate", json={**body, "platforms": small(25)})).json()["valid"] is False


async def test_a_page_ends_before_it_is_too_large(stranger: Client) -> None:
    body = {"content": "x" * 90_000, "isDraft": True, "platforms": small(20)}
    ids = [(await stranger.send_post(body)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    query = "?limit=100"
    while True:
        response = await stranger.get(f"/v1/posts{query}")
        assert len(response.content) <= LARGEST_ANSWER
        page = response.json()
        assert page["posts"]
        seen += [post["id"] for post in page["posts"]]
        if not page["hasMore"]:
            break
        assert len(page["posts"]) < 5
        query = f"?limit=100&cursor={page['cursor']}"
    assert page["cursor"] is None
    assert seen == ids[::-1]


async def test_attempts_come_in_pages(api: Client, stack: Stack) -> None:
    post = await stack.save("tried often", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    tried = Attempt(target_id=post.targets[0].id, step="confirm", state="done", started_at=post.created_at)
    names = ("target_id", "step", "state", "started_at")
    async with stack.database.transaction() as session:
        await session.execute(insert(Attempt), [{name: getattr(tried, name) for name in names}] * 150)
    path = f"/v1/posts/{post.id}/attempts"
    first = (await api.get(path)).json()
    assert (len(first["attempts"]), first["hasMore"]) == (100, True)
    rest = (await api.get(f"{path}?cursor={first['cursor']}")).json()
    assert (len(rest["attempts"]), rest["hasMore"], rest["cursor"]) == (50, False, None)
    assert len((await api.get(f"{path}?limit=7")).json()["attempts"]) == 7
    for query in ("limit=0", "limit=101", "cursor=x", "cursor=eyJpZCI6InBvc3RfMCJ9", f"cursor={'a' * 5000}"):
        assert (await api.get(f"{path}?{query}")).status_code == 400
