"""Texts, links, galleries and marks on Reddit over real HTTP."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from platforms.base import Published, Unknown
from platforms.errors import DUPLICATE, ErrorKind
from platforms.reddit import PLATFORM
from platforms.reddit.platform import TAKEN_AT
from tests.platforms.post_steps import publish, ready, refused
from tests.platforms.reddit.rig import post
from tests.platforms.rig import NO_TLS, Clock, Rig
from tests.platforms.sources import Given

FLAIR = "3ab9a9b0-1c1c-11ec-8f2a-0e1c2a5d9c6f"


async def listed(rig: Rig) -> list[dict[str, Any]]:
    headers = {
        "Authorization": f"bearer {rig.stored.access_token.get_secret_value()}",
        "User-Agent": "test:test:1 (by /u/test)",
    }
    url = f"{rig.sandbox.url}/reddit/user/{rig.account.username}/submitted"
    children = (await rig.sandbox.client.get(url, headers=headers)).raise_for_status().json()["data"]["children"]
    return [child["data"] for child in children]


@pytest.mark.parametrize(
    ("text", "settings", "title", "body"),
    [
        ("The body", {"title": "A title"}, "A title", "The body"),
        ("", {"title": "Only a title"}, "Only a title", ""),
        ("First line\n\nand *more*", {}, "First line", "and *more*"),
        ("See", {"title": "T", "url": "https://e.com/a", "forceSelf": True}, "T", "See\n\nhttps://e.com/a"),
    ],
)
async def test_a_text_is_one_request(rd: Rig, text: str, settings: dict[str, Any], title: str, body: str) -> None:
    result = await publish(rd, post(rd, text, **settings))
    assert await rd.operations() == ["publish"]
    [shown] = await listed(rd)
    assert (shown["name"], shown["title"], shown["selftext"]) == (result.platform_post_id, title, body)
    assert shown["is_self"]
    assert result.url == f"https://www.reddit.com{shown['permalink']}"
    assert [item["platformPostId"] for item in await rd.posts()] == [result.platform_post_id]


async def test_a_link_is_refused_where_the_subreddit_has_it(rd: Rig) -> None:
    link = {"title": "A link", "url": f"https://example.com/{rd.account.account_id}"}
    result = await publish(rd, post(rd, "", **link))
    [shown] = await listed(rd)
    assert (shown["name"], shown["url"], shown["is_self"]) == (result.platform_post_id, link["url"], False)
    error = await refused(publish(rd, post(rd, "", **link)))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, DUPLICATE)
    await publish(rd, post(rd, "", **{**link, "subreddit": "elsewhere"}))
    assert len(await rd.posts()) == 2


async def test_a_gallery_keeps_its_order_and_goes_up_once(rd: Rig) -> None:
    context = post(rd, "Five", *(f"{n}.jpg" for n in range(5)), title="A gallery")
    result = await publish(rd, context)
    assert await rd.operations() == ["prepare"] * 10 + ["publish"]
    [shown] = await rd.posts()
    assert (shown["platformPostId"], shown["mediaCount"]) == (result.platform_post_id, 5)
    assert [len(handles["media"]) for handles in rd.saved] == [1, 2, 3, 4, 5]
    card = (await rd.sandbox.control("GET", "feed?platform=reddit&count=1"))["cards"][0]
    assert [item["src"] for item in card["media"]] == [f"/_/media/{n}.jpg" for n in range(5)]
    after = await rd.operations()
    await PLATFORM.prepare(rd.connection(), replace(context, handles=rd.saved[-1]))
    assert await rd.operations() == after


@pytest.mark.parametrize("names", [[], ["a.jpg"], ["a.jpg", "b.jpg"]])
async def test_marks_and_flair_reach_reddit(rd: Rig, names: list[str]) -> None:
    marks = {"nsfw": True, "spoiler": True, "sendReplies": False, "flairId": FLAIR}
    context = await ready(rd, post(rd, "Text", *names, title="Marked", **{**marks, "subreddit": "flairwanted"}))
    await PLATFORM.publish(rd.connection(), context)
    [sent] = [request for request in rd.sent if "submit" in request.url.path and request.method == "POST"]
    is_json = sent.headers["content-type"] == "application/json"
    body: dict[str, Any] = json.loads(sent.content) if is_json else dict(parse_qsl(sent.content.decode()))
    shown = {name: str(body[name]).lower() for name in ("nsfw", "spoiler", "sendreplies", "flair_id", "sr", "text")}
    assert shown == {
        "nsfw": "true",
        "spoiler": "true",
        "sendreplies": "false",
        "flair_id": FLAIR,
        "sr": "flairwanted",
        "text": "text",
    }
    assert ("resubmit" in body) is (len(names) < 2)
    assert body.get("resubmit", "false") == "false"


class TestImages:
    async def test_no_credential_of_the_storage_is_kept(self, rd: Rig) -> None:
        await PLATFORM.prepare(rd.connection(), post(rd, "", "a.jpg", title="T"))
        assert set(rd.saved[-1]["media"]["0"]) == {"source", "url", "assetId"}

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (403, ErrorKind.TRANSIENT, "upload_expired"),
            (400, ErrorKind.REJECTED, "media_refused"),
            (500, ErrorKind.TRANSIENT, "http_500"),
        ],
    )
    async def test_refusals_of_the_storage(self, rd: Rig, status: int, kind: ErrorKind, code: str) -> None:
        async def refuse(request: httpx.Request) -> None:
            if "/storage/" in request.url.path:
                await rd.sandbox.fault("reddit", "reject", "prepare", status=status, body="<Error/>")

        async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [refuse]}) as client:
            error = await refused(PLATFORM.prepare(rd.connection(client), post(rd, "", "a.jpg", title="T")))
        assert (error.kind, error.code) == (kind, code)
        assert rd.saved == []

    async def test_an_image_that_reddit_drops_is_never_sent_again(self, rd: Rig) -> None:
        context = replace(post(rd, "", "a.jpg", title="Dropped"), media=Given(b"no image", "image/jpeg"))
        error = await refused(publish(rd, context))
        assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "no_id")
        context.handles = rd.saved[-1]
        assert await PLATFORM.confirm(rd.connection(), context) == Unknown()
        context.handles[TAKEN_AT] = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
        assert await PLATFORM.confirm(rd.connection(), context) == Unknown(final=True)

    async def test_an_image_is_listed_a_little_later(self, slow: Rig, clock: Clock) -> None:
        context = post(slow, "", "a.jpg", title="Slow")
        assert (await refused(publish(slow, context))).kind is ErrorKind.UNCONFIRMED
        assert await PLATFORM.confirm(slow.connection(), context) == Unknown()
        clock.ahead += 5
        finding = await PLATFORM.confirm(slow.connection(), context)
        assert isinstance(finding, Published)
        assert [item["platformPostId"] for item in await slow.posts()] == [finding.platform_post_id]

    async def test_an_image_whose_state_cannot_be_read_is_confirmed_later(self, rd: Rig) -> None:
        await rd.sandbox.fault("reddit", "reject", "confirm", status=503)
        context = post(rd, "", "a.jpg", title="Looked for")
        assert (await refused(publish(rd, context))).kind is ErrorKind.UNCONFIRMED
        assert isinstance(await PLATFORM.confirm(rd.connection(), context), Published)
