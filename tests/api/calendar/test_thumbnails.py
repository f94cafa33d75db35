"""Thumbnails on calendars: of the workspace's own uploads alone, and only for those who may see the posts whole."""

from typing import Any

from litestar import Litestar

from tests.api.calendar.test_calendar_views import DAY, make_view, read_as_viewer
from tests.api.conftest import Client
from tests.api.media.files import presign, serving, upload_ready
from tests.api.media.test_thumbnails import PICTURE, make_all
from tests.stack import Stack

STRANGER = {"type": "image", "url": "https://cdn.example.net/media/u/1234567890123456789012345678abcd/a.jpg"}


async def plan(api: Client, *items: dict[str, Any], **fields: Any) -> str:
    body = {"content": "Snow", "mediaItems": items, "scheduledFor": f"{DAY}T10:00:00Z", "isDraft": True}
    answer = await api.send_post(body | fields)
    assert answer.status_code == 201, answer.text
    post_id: str = answer.json()["id"]
    return post_id


def image(upload: dict[str, Any], **fields: str) -> dict[str, Any]:
    return {"type": "image", "url": upload["publicUrl"]} | fields


def thumbnails(calendar: Any) -> dict[str, Any]:
    return {post["id"]: post.get("thumbnail") for day in calendar.json()["days"] for post in day["posts"]}


async def test_posts_show_their_first_upload_with_a_picture(app: Litestar, stack: Stack, stranger: Client) -> None:
    key = stranger.headers["Authorization"].removeprefix("Bearer ")
    async with serving(app, key) as client, serving(app, (await stack.new_workspace())[1]) as other:
        first, second = await upload_ready(client, PICTURE), await upload_ready(client, PICTURE)
        pending, damaged = await presign(client), await upload_ready(client, PICTURE[:500])
        foreign = await upload_ready(other, PICTURE)
    await make_all(app, stack)
    account = await stack.connect("mastodon", workspace_id=stranger.workspace_id)
    target = {"platform": account.platform, "accountId": account.id, "customMedia": [image(second)]}
    shown = {
        await plan(stranger, STRANGER, image(first, altText="Skis"), image(second)): (first, "Skis"),
        await plan(stranger, image(damaged), image(second)): (second, None),
        await plan(stranger, content="Own", platforms=[target]): (second, None),
        await plan(stranger, STRANGER, content="2"): None,
        await plan(stranger, image(pending), content="3"): None,
        await plan(stranger, image(foreign), content="4"): None,
        await plan(stranger, content="5"): None,
    }
    files = {file["id"]: file["thumbnailUrl"] for file in (await stranger.get("/v1/media")).json()["media"]}
    expected = {
        post_id: {"url": files[entry[0]["id"]], "altText": entry[1]} if entry else None
        for post_id, entry in shown.items()
    }
    calendar = await stranger.get("/v1/calendar", params={"from": DAY, "to": DAY})
    assert thumbnails(calendar) == expected
    for detail in ("content", "title", "busy"):
        view = await make_view(stranger, show=detail)
        seen = thumbnails(await read_as_viewer(app, view))
        assert seen == (expected if detail == "content" else dict.fromkeys(expected)), detail
