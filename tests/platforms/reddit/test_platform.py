"""Texts, links, galleries and marks on Reddit over real HTTP."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from platforms.base import Absent, Published, Unknown
from platforms.errors import DUPLICATE, ErrorKind
from platforms.reddit import PLATFORM
from platforms.reddit.errors import error_within
from platforms.reddit.platform import LISTED_WITHIN, TAKEN_AT
from tests.platforms.post_steps import publish, ready, refused
from tests.platforms.reddit.rig import post
from tests.platforms.rig import NO_TLS, Clock, Connect, Rig
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


RECORDED: dict[str, Any] = {
    "json": {
        "ratelimit": 706.76,
        "errors": [["RATELIMIT", "Looks like you've been doing that a lot. Take a break for 11 minutes.", "ratelimit"]],
    }
}
"""What Reddit answered beside the post that it had made (praw-dev/praw#1768)."""


class TestErrorsBesideThePost:
    @pytest.mark.parametrize("errors", [RECORDED, {"json": {"errors": [["NEVER_HEARD_OF", "No.", "sr"]]}}])
    @pytest.mark.parametrize("names", [(), ("a.jpg", "b.jpg")], ids=["text", "gallery"])
    async def test_post_that_is_named_is_published(
        self, rd: Rig, errors: dict[str, Any], names: tuple[str, ...]
    ) -> None:
        await rd.sandbox.fault("reddit", "accept_then_answer", "publish", body=errors, beside=True)
        result = await publish(rd, post(rd, "Made all the same", *names, title="Beside"))
        (public,) = await rd.posts()
        assert result.platform_post_id == public["platformPostId"]
        assert result.url == f"https://www.reddit.com/r/test/comments/{public['platformPostId'][3:]}/beside/"

    async def test_name_alone_is_enough(self, rd: Rig) -> None:
        body = RECORDED["json"] | {"data": {"name": "t3_1abcde"}}
        await rd.sandbox.fault("reddit", "accept_then_answer", "publish", body={"json": body})
        result = await publish(rd, post(rd, "Named only"))
        assert (result.platform_post_id, result.url) == ("t3_1abcde", "https://www.reddit.com/comments/1abcde/")

    async def test_limit_without_a_post_is_a_refusal(self, rd: Rig) -> None:
        await rd.sandbox.fault("reddit", "reject", "publish", status=200, body=RECORDED)
        error = await refused(publish(rd, post(rd, "Too soon")))
        assert (error.kind, error.code) == (ErrorKind.RATE_LIMITED, "RATELIMIT")
        assert error.retry_after == timedelta(seconds=707)

    @pytest.mark.parametrize(
        "data", [{"user_submitted_page": "x", "websocket_url": "wss://x"}, {"name": 5}, {"id": ""}]
    )
    async def test_anything_else_beside_an_error_is_unconfirmed(self, rd: Rig, data: dict[str, Any]) -> None:
        body = {"json": RECORDED["json"] | {"data": data}}
        await rd.sandbox.fault("reddit", "reject", "publish", status=200, body=body)
        assert (await refused(publish(rd, post(rd, "Perhaps")))).kind is ErrorKind.UNCONFIRMED


class TestLostAnswers:
    async def test_a_link_known_after_an_unconfirmed_send_is_confirmed_once(self, rd: Rig, connect: Connect) -> None:
        link = {"title": "Taken", "url": f"https://example.com/taken/{rd.account.account_id}"}
        stranger = await connect("reddit")
        await publish(stranger, post(stranger, "", **link))
        context = post(rd, "", **link)
        assert (await refused(publish(rd, context))).code == DUPLICATE
        assert await PLATFORM.confirm(rd.connection(), context) == Absent()
        context.handles = rd.saved[-1]
        error = await refused(publish(rd, context))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "link_taken")

    async def test_an_image_whose_answer_was_lost_is_awaited_rather_than_sent_again(self, rd: Rig) -> None:
        await rd.sandbox.switch_on("reddit", "images_listed_late", rd.account.account_id)
        context = post(rd, "", "a.jpg", title="Made minutes later")
        await PLATFORM.prepare(rd.connection(), context)
        context.started_at = datetime.now(UTC)
        await rd.sandbox.fault("reddit", "accept_then_drop", "publish")
        assert (await refused(PLATFORM.publish(rd.connection(), context))).kind is ErrorKind.UNCONFIRMED
        assert await PLATFORM.confirm(rd.connection(), context) == Unknown()
        late = replace(context, started_at=datetime.now(UTC) - LISTED_WITHIN - timedelta(seconds=1))
        assert await PLATFORM.confirm(rd.connection(), late) == Absent()
        await rd.sandbox.clear_conditions("reddit")
        assert isinstance(await PLATFORM.confirm(rd.connection(), context), Published)

    @pytest.mark.parametrize("address", ["https://example.com/a/{}", "https://example.com/b?x={}&y=2"])
    async def test_a_link_that_reddit_rewrites_is_recognised(self, rd: Rig, address: str) -> None:
        await rd.sandbox.switch_on("reddit", "links_rewritten", rd.account.account_id)
        context = post(rd, "", title="A link", url=address.format(rd.account.account_id))
        result = await publish(rd, context)
        finding = await PLATFORM.confirm(rd.connection(), context)
        assert isinstance(finding, Published)
        assert finding.platform_post_id == result.platform_post_id

    async def test_a_security_page_of_reddit_is_a_temporary_error(self, rd: Rig) -> None:
        context = post(rd, "Public")
        await publish(rd, context)
        await rd.sandbox.switch_on("reddit", "network_security", rd.account.account_id)
        assert (await refused(PLATFORM.confirm(rd.connection(), context))).kind is ErrorKind.TRANSIENT

    async def test_other_posts_are_not_ours(self, rd: Rig) -> None:
        await publish(rd, post(rd, "Body", title="Alike"))
        now = datetime.now(UTC)
        for context, started_at in [
            (post(rd, "Body", title="Alike", subreddit="other"), now),
            (post(rd, "Something else", title="Alike"), now),
            (post(rd, "Body", title="Unlike"), now),
            (post(rd, "Body", title="Alike", url="https://example.com"), now),
            (post(rd, "Body", title="Alike"), now + timedelta(minutes=5)),
        ]:
            assert await PLATFORM.confirm(rd.connection(), replace(context, started_at=started_at)) == Absent()
        same = replace(post(rd, "Body", title="Alike", subreddit="TEST"), started_at=now)
        assert isinstance(await PLATFORM.confirm(rd.connection(), same), Published)


class TestRefusals:
    @pytest.mark.parametrize(
        ("subreddit", "names", "settings", "code"),
        [
            ("missing", [], {}, "SUBREDDIT_NOEXIST"),
            ("private", [], {}, "SUBREDDIT_NOTALLOWED"),
            ("noselfs", [], {}, "NO_SELFS"),
            ("nolinks", [], {"url": "https://example.com/refused"}, "NO_LINKS"),
            ("noimages", ["a.jpg"], {}, "IMAGES_NOTALLOWED"),
            ("noimages", ["a.jpg", "b.jpg"], {}, "IMAGES_NOTALLOWED"),
            ("flairwanted", [], {}, "SUBMIT_VALIDATION_FLAIR_REQUIRED"),
        ],
    )
    async def test_a_status_of_200_may_be_a_refusal(
        self, rd: Rig, subreddit: str, names: list[str], settings: dict[str, Any], code: str
    ) -> None:
        context = post(rd, "Text", *names, title="T", **{**settings, "subreddit": subreddit})
        error = await refused(publish(rd, context))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, code)
        assert error.message.endswith(".")
        assert await rd.posts() == []

    async def test_the_throttle_for_posts_says_when_to_come_back(self, slow: Rig) -> None:
        for number in range(5):
            await publish(slow, post(slow, f"Number {number}"))
        error = await refused(publish(slow, post(slow, "One more")))
        assert (error.kind, error.code) == (ErrorKind.RATE_LIMITED, "RATELIMIT")
        assert error.retry_after is not None
        assert timedelta(minutes=9) < error.retry_after <= timedelta(minutes=10)
        assert len(await slow.posts()) == 5

    @pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"errors": []}}, {"json": [1]}])
    def test_an_answer_without_errors_has_no_error(self, body: dict[str, Any]) -> None:
        assert error_within(body, httpx.Response(200)) is None


class TestTokens:
    @pytest.mark.parametrize("app_name", [None, "ios:org.example.app:v2 (by /u/somebody)"])
    async def test_every_request_names_its_app(self, connect: Connect, app_name: str | None) -> None:
        credentials = {"refreshToken": f"rd-agent-{app_name}", "clientId": "app-id", "userAgent": app_name}
        rd = await connect("reddit", credentials=credentials)
        rd.stored = rd.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
        agents: set[str] = set()

        async def record(request: httpx.Request) -> None:
            agents.add(request.headers["user-agent"])

        async with httpx.AsyncClient(event_hooks={"request": [record]}) as client:
            context = replace(post(rd, "", "a.jpg", title="T"), started_at=datetime.now(UTC))
            await PLATFORM.prepare(rd.connection(client), context)
            await PLATFORM.publish(rd.connection(client), context)
        assert agents == {app_name or f"web:app-id:0.1 (by /u/{rd.account.username})"}

    async def test_a_nameless_app_is_turned_away(self, connect: Connect) -> None:
        rd = await connect("reddit", credentials={"userAgent": "python-httpx"})
        assert (await refused(PLATFORM.whoami(rd.connection()))).status == 403
