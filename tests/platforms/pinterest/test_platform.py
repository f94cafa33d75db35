"""Posts to Pinterest over real HTTP: images, carousels and videos, each once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.base import Absent, PublishContext, Unknown
from platforms.errors import ErrorKind
from platforms.pinterest import PLATFORM
from platforms.pinterest.connection import call
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Clock, Connect, Rig, slow_account
from tests.platforms.sources import Given

BOARD = {"boardId": "549755885175"}
EVERYTHING = {**BOARD, "boardSectionId": "77", "title": "Ten knots", "link": "https://example.com/knots"}


@pytest.fixture
async def pi(connect: Connect) -> Rig:
    return await connect("pinterest")


def pin(rig: Rig, *names: str, text: str = "A pin", **settings: Any) -> PublishContext[Any]:
    items = [rig.sandbox.media(name, f"shows {name}") for name in names]
    return rig.context(text, items, settings={**BOARD, **settings})


@pytest.mark.parametrize("names", [["a.jpg"], ["a.png"], ["a.gif"], ["a.jpg", "b.png"], [f"{n}.jpg" for n in range(5)]])
async def test_images_are_one_request(pi: Rig, names: list[str]) -> None:
    before = await pi.operations()
    context = pin(pi, *names, **EVERYTHING)
    assert PLATFORM.check(context.draft, pi.account) == []
    result = await publish(pi, context)
    assert (await pi.operations())[len(before) :] == ["publish"]
    [post] = await pi.posts()
    assert (post["platformPostId"], post["text"], post["mediaCount"]) == (result.platform_post_id, "A pin", len(names))
    assert result.url == f"https://www.pinterest.com/pin/{result.platform_post_id}/"
    shown = await read(pi, f"/v5/pins/{result.platform_post_id}")
    assert (shown["board_id"], shown["board_section_id"]) == (BOARD["boardId"], "77")
    assert (shown["title"], shown["link"]) == ("Ten knots", "https://example.com/knots")
    assert shown["alt_text"] == "\n".join(f"shows {name}" for name in names)


@pytest.mark.parametrize(
    "cover", [{}, {"coverImageKeyFrameTime": 2}, {"coverImageUrl": "https://cdn.example.com/cover.jpg"}]
)
async def test_a_video_is_uploaded_and_has_a_cover(pi: Rig, cover: dict[str, Any]) -> None:
    beats: list[str] = []
    context = replace(pin(pi, "a.mp4", **cover), heartbeat=beats.append)
    before = await pi.operations()
    result = await publish(pi, context)
    assert (await pi.operations())[len(before) :] == ["prepare"] * 3 + ["publish"]
    assert beats[-1] == "100%"
    assert (await read(pi, f"/v5/pins/{result.platform_post_id}"))["media"] == {"media_type": "video"}
    after = await pi.operations()
    await PLATFORM.prepare(pi.connection(), replace(context, handles=pi.saved[-1]))
    assert await pi.operations() == after


async def read(rig: Rig, path: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"}
    answer = await rig.sandbox.client.get(f"{rig.sandbox.url}/pinterest{path}", headers=headers)
    return dict(answer.raise_for_status().json())


class TestVideos:
    async def test_processing_is_waited_for(self, slow: Rig, clock: Clock) -> None:
        context = pin(slow, "a.mp4")
        error = await refused(PLATFORM.prepare(slow.connection(), context))
        assert (error.kind, error.code) == (ErrorKind.NOT_READY, "media_processing")
        assert error.retry_after == timedelta(seconds=5)
        clock.ahead += 6
        await PLATFORM.prepare(slow.connection(), replace(context, handles=slow.saved[-1]))
        assert len(slow.source.opened) == 1
        assert slow.saved[-1]["video"]["ready"] is True

    async def test_an_upload_that_broke_off_is_registered_again(self, pi: Rig) -> None:
        context = pin(pi, "a.mp4")

        async def break_off(request: httpx.Request) -> None:
            if "/storage/" in request.url.path:
                raise httpx.WriteError("the connection broke", request=request)

        async with httpx.AsyncClient(event_hooks={"request": [break_off]}) as client:
            assert (await refused(PLATFORM.prepare(pi.connection(client), context))).kind is ErrorKind.TRANSIENT
        assert pi.saved == []
        await publish(pi, context)
        assert len(await pi.posts()) == 1

    async def test_a_storage_that_refuses_late_is_asked_again(self, pi: Rig) -> None:
        async def refuse(request: httpx.Request) -> None:
            if "/storage/" in request.url.path:
                await pi.sandbox.fault("pinterest", "reject", "prepare", status=403, body="<Error/>")

        context = pin(pi, "a.mp4")
        async with httpx.AsyncClient(event_hooks={"request": [refuse]}) as client:
            error = await refused(PLATFORM.prepare(pi.connection(client), context))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "upload_expired")

    async def test_no_credential_of_the_storage_is_kept(self, pi: Rig) -> None:
        await PLATFORM.prepare(pi.connection(), pin(pi, "a.mp4"))
        assert {name for handles in pi.saved for name in handles["video"]} == {"id", "url", "ready"}

    async def test_a_video_that_cannot_be_processed_is_refused_and_forgotten(self, pi: Rig) -> None:
        context = replace(pin(pi, "a.mp4"), media=Given(b"no video"))
        error = await refused(PLATFORM.prepare(pi.connection(), context))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_failed")
        assert pi.saved[-1] == {}

    async def test_a_video_that_pinterest_has_lost_is_uploaded_again(self, pi: Rig) -> None:
        context = pin(pi, "a.mp4")
        await PLATFORM.prepare(pi.connection(), context)
        context.handles["video"]["id"] = "1"
        assert (await refused(PLATFORM.publish(pi.connection(), context))).kind is ErrorKind.REJECTED
        assert pi.saved[-1] == {}
        await publish(pi, context)
        assert len(await pi.posts()) == 1

    async def test_another_video_is_uploaded_again(self, pi: Rig) -> None:
        await PLATFORM.prepare(pi.connection(), pin(pi, "a.mp4"))
        first = pi.saved[-1]["video"]["id"]
        await PLATFORM.prepare(pi.connection(), replace(pin(pi, "b.mp4"), handles=pi.saved[-1]))
        assert pi.saved[-1]["video"]["id"] != first

    async def test_an_answer_that_registers_nothing_is_asked_again(self, pi: Rig) -> None:
        await pi.sandbox.fault("pinterest", "reject", "prepare", status=201, body={"media_id": "1"})
        error = await refused(PLATFORM.prepare(pi.connection(), pin(pi, "a.mp4")))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "unreadable_answer")


class TestLostAnswers:
    async def test_other_words_other_boards_and_older_pins_are_not_ours(self, pi: Rig) -> None:
        await publish(pi, pin(pi, "a.jpg", title="One"))
        await publish(pi, pin(pi, "a.jpg", boardId="99"))
        now = datetime.now(UTC)
        for context, started_at in [
            (pin(pi, "a.jpg"), now),
            (pin(pi, "a.jpg", title="One", link="https://example.com"), now),
            (pin(pi, "a.jpg", title="One"), now + timedelta(minutes=5)),
        ]:
            assert await PLATFORM.confirm(pi.connection(), replace(context, started_at=started_at)) == Absent()

    async def test_a_link_that_pinterest_rewrites_is_recognised(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "links_rewritten", pi.account.account_id)
        context = pin(pi, "a.jpg", text="rewritten", link="http://www.example.com/knots/?utm_source=x")
        result = await publish(pi, context)
        shown = await call(pi.connection(), "GET", f"/v5/pins/{result.platform_post_id}")
        assert shown["link"] == "https://www.example.com/knots/"
        assert await PLATFORM.confirm(pi.connection(), context) == result
        other = replace(context, draft=pin(pi, "a.jpg", text="rewritten", link="https://example.com/other").draft)
        assert await PLATFORM.confirm(pi.connection(), other) == Absent()

    async def test_a_pin_is_found_late_and_not_believed_absent_before(self, clock: Clock) -> None:
        async with slow_account("pinterest", clock, realistic=False) as pi:
            await pi.sandbox.switch_on("pinterest", "lists_lag")
            context = pin(pi, "a.jpg")
            result = await publish(pi, context)
            assert await PLATFORM.confirm(pi.connection(), context) == Absent()
            clock.ahead += 200
            assert await PLATFORM.confirm(pi.connection(), context) == result
        assert PLATFORM.read_lag > timedelta(seconds=200), "it would be sent twice"

    async def test_a_busy_board_is_searched_page_by_page(self, pi: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("platforms.pinterest.lookup.PAGE", 2)
        context = pin(pi, "a.jpg", text="the first of many")
        result = await publish(pi, context)
        for number in range(4):
            await publish(pi, pin(pi, "a.jpg", text=f"number {number}"))
        assert await PLATFORM.confirm(pi.connection(), context) == result
        monkeypatch.setattr("platforms.pinterest.lookup.MOST_PAGES", 2)
        assert await PLATFORM.confirm(pi.connection(), context) == Unknown()


class TestRefusals:
    async def test_a_board_that_is_not_there(self, pi: Rig) -> None:
        error = await refused(publish(pi, pin(pi, "a.jpg", boardId="0")))
        assert (error.kind, error.status) == (ErrorKind.REJECTED, 404)
        assert "board" in error.message

    async def test_a_board_that_the_account_may_not_pin_to_is_the_posts_fault(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "board_forbidden", pi.account.account_id)
        error = await refused(publish(pi, pin(pi, "a.jpg")))
        assert (error.kind, error.status, error.code) == (ErrorKind.REJECTED, 403, "29")
        assert "boardId" in error.message

    async def test_an_app_with_trial_access_is_the_operators_to_mend(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "app_refused", pi.account.account_id)
        error = await refused(publish(pi, pin(pi, "a.jpg")))
        assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 403, "29")
        assert "standard access" in error.message
        assert (await PLATFORM.whoami(pi.connection())).username == pi.account.username

    async def test_an_app_that_is_not_activated_is_the_operators_to_mend(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "app_inactive", pi.account.account_id)
        before = len(await pi.operations())
        for step in (publish(pi, pin(pi, "a.jpg")), PLATFORM.whoami(pi.connection())):
            error = await refused(step)
            assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 401, "3")
        assert (await pi.operations())[before:] == ["publish", "auth"], "no token is renewed for it"

    async def test_media_that_cannot_be_fetched_are_tried_three_times(self, pi: Rig) -> None:
        item = Media(type=MediaType.IMAGE, url="http://127.0.0.1:9/a.jpg")
        context = pi.context("Gone", [item], settings=BOARD)
        errors = [await refused(publish(pi, context)) for _ in range(3)]
        assert [error.kind for error in errors] == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]
        assert errors[0].retry_after == timedelta(seconds=30)
        assert "could not fetch" in errors[2].message
        assert await pi.posts() == []

    @pytest.mark.parametrize("structured", [False, True])
    async def test_a_rate_limit_says_when_to_come_back(self, pi: Rig, structured: bool) -> None:
        if structured:
            await pi.sandbox.switch_on("pinterest", "structured_limits")
        await pi.sandbox.fault("pinterest", "rate_limited", "publish", seconds=30)
        error = await refused(publish(pi, pin(pi, "a.jpg")))
        await pi.sandbox.clear_conditions("pinterest")
        assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=30))


class TestTokens:
    async def test_a_token_that_lacks_a_scope_is_not_renewed(self, connect: Connect) -> None:
        given = {"refreshToken": "pi-kept", "clientId": "app", "clientSecret": "secret"}
        pi = await connect("pinterest", credentials=given)
        await pi.sandbox.switch_on("pinterest", "scopes_missing", pi.account.account_id)
        before = len(await pi.operations())
        error = await refused(publish(pi, pin(pi, "a.jpg")))
        assert (error.kind, error.status, error.code) == (ErrorKind.AUTH, 401, "3")
        assert "permissions" in error.message
        assert (await pi.operations())[before:] == ["publish"]
