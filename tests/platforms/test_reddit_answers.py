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
from platforms.reddit.platform import LISTED_WITHIN
from sandbox.server import running_sandbox
from tests.platforms.reddit_rig import post, publish, refused
from tests.platforms.rig import Connect, Rig, Sandbox, open_account


class TestLostAnswers:
    @pytest.mark.parametrize(
        ("names", "settings"),
        [
            ([], {}),
            ([], {"url": "https://example.com/{}"}),
            (["a.jpg"], {}),
            (["a.jpg", "b.jpg"], {}),
        ],
    )
    @pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_500", "accept_then_delay"])
    async def test_a_published_post_is_confirmed(
        self, rd: Rig, monkeypatch: pytest.MonkeyPatch, names: list[str], settings: dict[str, str], fault: str
    ) -> None:
        await publish(rd, post(rd, "another", title="Other"))
        settings = {name: value.format(rd.account.account_id) for name, value in settings.items()}
        context = post(rd, "Some  text\n", *names, title="It landed & stays", **settings)
        if names:
            await PLATFORM.prepare(rd.connection(), context)
        context.started_at = datetime.now(UTC)
        await rd.sandbox.fault("reddit", fault, "publish", seconds=0.5)
        with monkeypatch.context() as patch:
            patch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
            assert (await refused(PLATFORM.publish(rd.connection(), context))).kind is ErrorKind.UNCONFIRMED
        found = await PLATFORM.confirm(rd.connection(), context)
        assert isinstance(found, Published)
        assert found.platform_post_id == (await rd.posts())[0]["platformPostId"]
        assert len(await rd.posts()) == 2

    @pytest.mark.parametrize("fault", [{"fault": "drop"}, {"fault": "reject", "status": 503}])
    async def test_what_never_landed_is_sent_again(self, rd: Rig, fault: dict[str, Any]) -> None:
        context = post(rd, "Lost on the way")
        await rd.sandbox.fault("reddit", operation="publish", **fault)
        assert (await refused(publish(rd, context))).kind is ErrorKind.UNCONFIRMED
        assert await PLATFORM.confirm(rd.connection(), context) == Absent()
        await publish(rd, context)
        assert len(await rd.posts()) == 1

    @pytest.mark.parametrize("body", ["<html>", {}, {"json": {"errors": [], "data": {}}}])
    async def test_an_answer_without_an_id_is_unconfirmed(self, rd: Rig, body: object) -> None:
        await rd.sandbox.fault("reddit", "reject", "publish", status=200, body=body)
        assert (await refused(publish(rd, post(rd, "Hi")))).kind is ErrorKind.UNCONFIRMED

    async def test_a_link_known_after_an_unconfirmed_send_is_looked_for_once(self, rd: Rig, connect: Connect) -> None:
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
        found = await PLATFORM.confirm(rd.connection(), context)
        assert isinstance(found, Published)
        assert found.platform_post_id == result.platform_post_id

    async def test_a_page_of_platform_security_says_nothing_of_the_account(self, rd: Rig) -> None:
        context = post(rd, "Public")
        await publish(rd, context)
        await rd.sandbox.switch_on("reddit", "network_security", rd.account.account_id)
        assert (await refused(PLATFORM.confirm(rd.connection(), context))).kind is ErrorKind.TRANSIENT

    async def test_other_posts_are_not_ours(self, rd: Rig) -> None:
        await publish(rd, post(rd, "Body", title="Alike"))
        now = datetime.now(UTC)
        for context, started_at in [
            (post(rd, "Body", title="Alike", subreddit="other"), now),
            (post(rd, "Another body", title="Alike"), now),
            (post(rd, "Body", title="Unlike"), now),
            (post(rd, "Body", title="Alike", url="https://example.com"), now),
            (post(rd, "Body", title="Alike"), now + timedelta(minutes=5)),
        ]:
            assert await PLATFORM.confirm(rd.connection(), replace(context, started_at=started_at)) == Absent()
        same = replace(post(rd, "Body", title="Alike", subreddit="TEST"), started_at=now)
        assert isinstance(await PLATFORM.confirm(rd.connection(), same), Published)

    async def test_what_was_never_sent_is_absent_without_asking(self, rd: Rig) -> None:
        before = await rd.operations()
        assert await PLATFORM.confirm(rd.connection(), post(rd, "Never sent")) == Absent()
        assert await rd.operations() == before

    @pytest.mark.parametrize("body", ["<html>", {}, {"data": {}}])
    async def test_an_unreadable_list_is_no_proof_of_absence(self, rd: Rig, body: object) -> None:
        await rd.sandbox.fault("reddit", "reject", "confirm", status=200, body=body)
        context = replace(post(rd, "There?"), started_at=datetime.now(UTC))
        assert (await refused(PLATFORM.confirm(rd.connection(), context))).code == "unreadable_answer"


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

    async def test_a_rate_limit_says_when_to_come_back(self, rd: Rig) -> None:
        await rd.sandbox.fault("reddit", "rate_limited", "publish", seconds=30)
        error = await refused(publish(rd, post(rd, "Hi")))
        assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=30))

    async def test_the_throttle_for_posts_says_when_to_come_back(self) -> None:
        async with running_sandbox(realistic=True) as url, httpx.AsyncClient(timeout=60) as client:
            rd = await open_account(Sandbox(url, client), "reddit")
            for number in range(5):
                await publish(rd, post(rd, f"Number {number}"))
            error = await refused(publish(rd, post(rd, "One more")))
            assert (error.kind, error.code) == (ErrorKind.RATE_LIMITED, "RATELIMIT")
            assert error.retry_after is not None
            assert timedelta(minutes=9) < error.retry_after <= timedelta(minutes=10)
            assert len(await rd.posts()) == 5


class TestTokens:
    async def test_an_expired_token_is_renewed_and_the_refresh_token_stays(self, connect: Connect) -> None:
        rd = await connect("reddit", credentials={"refreshToken": "rd-stays", "clientId": "app"})
        for number in range(2):
            old = rd.stored = rd.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
            before = len(await rd.operations())
            await publish(rd, post(rd, f"Renewed {number}"))
            assert (await rd.operations())[before:] == ["publish", "auth", "publish"]
            assert rd.stored.access_token != old.access_token
            assert rd.stored.refresh_token.get_secret_value() == "rd-stays"

    @pytest.mark.parametrize("credentials", [{}, {"refreshToken": "rd-known", "clientId": "app"}])
    async def test_what_cannot_be_renewed_must_be_reconnected(
        self, connect: Connect, credentials: dict[str, Any]
    ) -> None:
        rd = await connect("reddit", credentials=credentials)
        rd.stored = rd.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
        if credentials:
            rd.stored = rd.stored.model_copy(update={"refresh_token": SecretStr("rd-never-given-out")})
        error = await refused(publish(rd, post(rd, "Who am I")))
        assert (error.kind, error.code) == (ErrorKind.AUTH, "invalid_grant" if credentials else "http_401")
        assert "rd-never" not in f"{error!r}{error.__cause__!r}{rd.connection()!r}"

    @pytest.mark.parametrize("given", [None, "ios:org.example.app:v2 (by /u/somebody)"])
    async def test_every_request_says_what_app_it_comes_from(self, connect: Connect, given: str | None) -> None:
        credentials = {"refreshToken": f"rd-agent-{given}", "clientId": "app-id", "userAgent": given}
        rd = await connect("reddit", credentials=credentials)
        rd.stored = rd.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
        agents: set[str] = set()

        async def note(request: httpx.Request) -> None:
            agents.add(request.headers["user-agent"])

        async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
            context = replace(post(rd, "", "a.jpg", title="T"), started_at=datetime.now(UTC))
            await PLATFORM.prepare(rd.connection(client), context)
            await PLATFORM.publish(rd.connection(client), context)
        assert agents == {given or f"web:app-id:0.1 (by /u/{rd.account.username})"}

    async def test_a_nameless_app_is_turned_away(self, connect: Connect) -> None:
        rd = await connect("reddit", credentials={"userAgent": "python-httpx"})
        assert (await refused(PLATFORM.whoami(rd.connection()))).status == 403
