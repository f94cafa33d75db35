"""Responses of Reddit that are lost, or are errors."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from platforms.base import Absent, Published, Unknown
from platforms.errors import DUPLICATE, ErrorKind
from platforms.reddit import PLATFORM
from platforms.reddit.errors import error_within
from platforms.reddit.platform import LISTED_WITHIN
from tests.platforms.post_steps import publish, refused
from tests.platforms.reddit.rig import post
from tests.platforms.rig import Connect, Rig

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
