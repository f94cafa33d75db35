"""Publish to Reddit over real HTTP: texts, links, images and galleries, each once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from domain.post import Media
from platforms.base import Absent, PublishContext, Published, Unknown
from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.reddit import PLATFORM
from platforms.reddit.platform import LISTED_WITHIN, TAKEN_AT
from sandbox.server import running_sandbox
from tests.platforms.rig import Rig, Sandbox, open_account

Connect = Callable[..., Awaitable[Rig]]

TEST = {"subreddit": "test"}
FLAIR = "3ab9a9b0-1c1c-11ec-8f2a-0e1c2a5d9c6f"


@dataclass
class Given:
    """Hand out the same bytes for every URL."""

    content: bytes
    content_type: str

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        async def chunks(size: int, start: int = 0) -> AsyncIterator[bytes]:
            for at in range(start, len(self.content), size):
                yield self.content[at : at + size]

        yield MediaFile(self.content_type, len(self.content), chunks)


@pytest.fixture
async def rd(connect: Connect) -> Rig:
    return await connect("reddit")


async def publish(rig: Rig, context: PublishContext[Any]) -> Published:
    if PLATFORM.prepares(context.draft):
        await PLATFORM.prepare(rig.connection(), context)
    context.started_at = context.started_at or datetime.now(UTC)
    return await PLATFORM.publish(rig.connection(), context)


async def refused(step: Awaitable[Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


def post(rig: Rig, text: str, *names: str, **settings: Any) -> PublishContext[Any]:
    return rig.context(text, [rig.sandbox.media(name) for name in names], settings={**TEST, **settings})


async def listed(rig: Rig) -> list[dict[str, Any]]:
    headers = {
        "Authorization": f"bearer {rig.stored.access_token.get_secret_value()}",
        "User-Agent": "test:test:1 (by /u/test)",
    }
    url = f"{rig.sandbox.url}/reddit/user/{rig.account.username}/submitted"
    children = (await rig.sandbox.client.get(url, headers=headers)).raise_for_status().json()["data"]["children"]
    return [child["data"] for child in children]


async def test_says_whose_token_it_is(rd: Rig) -> None:
    identity = await PLATFORM.whoami(rd.connection())
    assert (identity.user_id, identity.username) == (rd.account.user_id, rd.account.username)
    await rd.sandbox.fault("reddit", "reject", "auth", status=200, body="<html>Hello</html>")
    assert (await refused(PLATFORM.whoami(rd.connection()))).kind is ErrorKind.TRANSIENT


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
    before = await rd.operations()
    result = await publish(rd, post(rd, text, **settings))
    assert (await rd.operations())[len(before) :] == ["publish"]
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


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif"])
async def test_an_image_is_found_by_looking_for_it(rd: Rig, name: str) -> None:
    before = await rd.operations()
    result = await publish(rd, post(rd, "With text", name, title="A picture"))
    assert (await rd.operations())[len(before) :] == ["prepare", "prepare", "publish", "confirm"]
    [shown] = await rd.posts()
    assert (shown["platformPostId"], shown["mediaCount"]) == (result.platform_post_id, 1)


async def test_a_gallery_keeps_its_order_and_goes_up_once(rd: Rig) -> None:
    context = post(rd, "Five", *(f"{n}.jpg" for n in range(5)), title="A gallery")
    before = await rd.operations()
    result = await publish(rd, context)
    assert (await rd.operations())[len(before) :] == ["prepare"] * 10 + ["publish"]
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
    bodies: list[dict[str, Any]] = []

    async def note(request: httpx.Request) -> None:
        if "submit" in request.url.path and request.method == "POST":
            content = await request.aread()
            is_json = request.headers["content-type"] == "application/json"
            parsed = httpx.Response(200, content=content).json() if is_json else dict(parse_qsl(content.decode()))
            bodies.append(parsed)

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        context = post(rd, "Text", *names, title="Marked", **{**marks, "subreddit": "flairwanted"})
        await PLATFORM.prepare(rd.connection(), context)
        context.started_at = datetime.now(UTC)
        await PLATFORM.publish(rd.connection(client), context)
    [body] = bodies
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
    async def test_replaced_images_go_up_and_removed_ones_are_forgotten(self, rd: Rig) -> None:
        context = post(rd, "", "a.jpg", "b.jpg", title="T")
        await PLATFORM.prepare(rd.connection(), context)
        old = {item["url"] for item in rd.saved[-1]["media"].values()}
        changed = replace(post(rd, "", "c.jpg", title="T"), handles=rd.saved[-1])
        await PLATFORM.prepare(rd.connection(), changed)
        assert list(changed.handles["media"]) == ["0"]
        assert changed.handles["media"]["0"]["url"] not in old

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

        async with httpx.AsyncClient(event_hooks={"request": [refuse]}) as client:
            error = await refused(PLATFORM.prepare(rd.connection(client), post(rd, "", "a.jpg", title="T")))
        assert (error.kind, error.code) == (kind, code)
        assert rd.saved == []

    async def test_a_lease_that_cannot_be_read_is_asked_again(self, rd: Rig) -> None:
        await rd.sandbox.fault("reddit", "reject", "prepare", status=200, body={"args": {}})
        error = await refused(PLATFORM.prepare(rd.connection(), post(rd, "", "a.jpg", title="T")))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "unreadable_answer")

    async def test_other_kinds_of_files_are_not_sent(self, rd: Rig) -> None:
        before = await rd.operations()
        context = replace(post(rd, "", "a.jpg", title="T"), media=Given(b"RIFF", "image/webp"))
        assert (await refused(PLATFORM.prepare(rd.connection(), context))).code == "media_type"
        assert await rd.operations() == before

    async def test_an_image_that_reddit_drops_is_never_sent_again(self, rd: Rig) -> None:
        context = replace(post(rd, "", "a.jpg", title="Dropped"), media=Given(b"no image", "image/jpeg"))
        error = await refused(publish(rd, context))
        assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "no_id")
        context.handles = rd.saved[-1]
        assert await PLATFORM.confirm(rd.connection(), context) == Unknown()
        context.handles[TAKEN_AT] = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
        assert await PLATFORM.confirm(rd.connection(), context) == Unknown(final=True)

    async def test_an_image_is_listed_a_little_later(self) -> None:
        now = [time()]
        async with (
            running_sandbox(realistic=True, clock=lambda: now[0]) as url,
            httpx.AsyncClient(timeout=60) as client,
        ):
            rd = await open_account(Sandbox(url, client), "reddit")
            context = post(rd, "", "a.jpg", title="Slow")
            assert (await refused(publish(rd, context))).kind is ErrorKind.UNCONFIRMED
            assert await PLATFORM.confirm(rd.connection(), context) == Unknown()
            now[0] += 5
            found = await PLATFORM.confirm(rd.connection(), context)
            assert isinstance(found, Published)
            assert [item["platformPostId"] for item in await rd.posts()] == [found.platform_post_id]

    async def test_a_look_that_fails_leaves_the_image_to_be_confirmed(self, rd: Rig) -> None:
        await rd.sandbox.fault("reddit", "reject", "confirm", status=503)
        context = post(rd, "", "a.jpg", title="Looked for")
        assert (await refused(publish(rd, context))).kind is ErrorKind.UNCONFIRMED
        assert isinstance(await PLATFORM.confirm(rd.connection(), context), Published)


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
