"""Videos, lists and refusals of Pinterest over real HTTP."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, PublishContext
from platforms.errors import ErrorKind
from platforms.pinterest import PLATFORM
from platforms.pinterest.access import call
from platforms.pinterest.errors import UNFETCHED
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import NO_TLS, Clock, Connect, Rig

BOARD = {"boardId": "549755885175"}
EVERYTHING = {**BOARD, "boardSectionId": "77", "title": "Ten knots", "link": "https://example.com/knots"}


@pytest.fixture
async def pi(connect: Connect) -> Rig:
    return await connect("pinterest")


def pin(rig: Rig, *names: str, text: str = "A pin", **settings: Any) -> PublishContext[Any]:
    items = [rig.sandbox.media(name, f"shows {name}") for name in names]
    return rig.context(text, items, settings={**BOARD, **settings})


async def test_a_pin_is_on_its_board_with_its_title_and_link(pi: Rig) -> None:
    await publish(pi, pin(pi, "a.jpg", **EVERYTHING))
    [body] = pi.bodies("/pins")
    assert (body["board_id"], body["board_section_id"]) == (BOARD["boardId"], "77")
    assert (body["title"], body["link"]) == ("Ten knots", "https://example.com/knots")


@pytest.mark.parametrize("words", ["Sorry we could not fetch the image.", "Unable to reach the URL."])
async def test_an_image_that_cannot_be_fetched_is_tried_three_times(pi: Rig, words: str) -> None:
    context = pin(pi, "a.jpg", text=f"Fetched late: {words}")
    await pi.sandbox.fault("pinterest", "reject", "publish", status=400, body={"code": 1, "message": words}, times=3)
    errors = [await refused(publish(pi, context)) for _ in range(3)]
    assert [error.kind for error in errors] == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]
    assert {error.code for error in errors} == {UNFETCHED}


async def test_a_server_that_fails_in_the_words_of_a_refusal_is_not_believed(pi: Rig) -> None:
    context = pin(pi, "a.jpg", text="Published after all")
    body = {"code": 1, "message": "Sorry we could not fetch the image."}
    await pi.sandbox.fault("pinterest", "accept_then_answer", "publish", status=500, body=body, times=4)
    for _ in range(4):
        assert (await refused(publish(pi, context))).kind is ErrorKind.UNCONFIRMED


class TestVideos:
    async def test_an_upload_that_broke_off_is_registered_again(self, pi: Rig) -> None:
        context = pin(pi, "a.mp4")

        async def break_off(request: httpx.Request) -> None:
            if "/storage/" in request.url.path:
                raise httpx.WriteError("the connection broke", request=request)

        async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [break_off]}) as client:
            assert (await refused(PLATFORM.prepare(pi.connection(client), context))).kind is ErrorKind.TRANSIENT
        assert pi.saved == []
        await publish(pi, context)
        assert len(await pi.posts()) == 1

    async def test_a_storage_that_refuses_late_is_asked_again(self, pi: Rig) -> None:
        async def refuse(request: httpx.Request) -> None:
            if "/storage/" in request.url.path:
                await pi.sandbox.fault("pinterest", "reject", "prepare", status=403, body="<Error/>")

        context = pin(pi, "a.mp4")
        async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [refuse]}) as client:
            error = await refused(PLATFORM.prepare(pi.connection(client), context))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "upload_expired")

    async def test_no_credential_of_the_storage_is_kept(self, pi: Rig) -> None:
        await PLATFORM.prepare(pi.connection(), pin(pi, "a.mp4"))
        assert {name for handles in pi.saved for name in handles["video"]} == {"id", "url", "ready"}

    async def test_another_video_is_uploaded_again(self, pi: Rig) -> None:
        await PLATFORM.prepare(pi.connection(), pin(pi, "a.mp4"))
        first = pi.saved[-1]["video"]["id"]
        await PLATFORM.prepare(pi.connection(), replace(pin(pi, "b.mp4"), handles=pi.saved[-1]))
        assert pi.saved[-1]["video"]["id"] != first


class TestLostAnswers:
    async def test_a_link_that_pinterest_rewrites_is_recognised(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "links_rewritten", pi.account.account_id)
        context = pin(pi, "a.jpg", text="rewritten", link="http://www.example.com/knots/?utm_source=x")
        result = await publish(pi, context)
        shown = await call(pi.connection(), "GET", f"/v5/pins/{result.platform_post_id}")
        assert shown["link"] == "https://www.example.com/knots/"
        assert await PLATFORM.confirm(pi.connection(), context) == result
        other = replace(context, draft=pin(pi, "a.jpg", text="rewritten", link="https://example.com/other").draft)
        assert await PLATFORM.confirm(pi.connection(), other) == Absent()

    async def test_a_pin_is_found_late_and_not_believed_absent_before(self, slow: Rig, clock: Clock) -> None:
        await slow.sandbox.switch_on("pinterest", "lists_lag")
        context = pin(slow, "a.jpg")
        result = await publish(slow, context)
        assert await PLATFORM.confirm(slow.connection(), context) == Absent()
        clock.ahead += 200
        assert await PLATFORM.confirm(slow.connection(), context) == result
        assert PLATFORM.read_lag > timedelta(seconds=200), "it would be sent twice"


class TestRefusals:
    async def test_an_app_that_is_not_activated_waits_for_the_operator(self, pi: Rig) -> None:
        await pi.sandbox.switch_on("pinterest", "app_inactive", pi.account.account_id)
        for step in (publish(pi, pin(pi, "a.jpg")), PLATFORM.whoami(pi.connection())):
            error = await refused(step)
            assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 401, "3")
        assert await pi.operations() == ["publish", "auth"], "no token is renewed for it"

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
        tokens = {"refreshToken": "pi-kept", "clientId": "app", "clientSecret": "secret"}
        pi = await connect("pinterest", credentials=tokens)
        await pi.sandbox.switch_on("pinterest", "scopes_missing", pi.account.account_id)
        error = await refused(publish(pi, pin(pi, "a.jpg")))
        assert (error.kind, error.status, error.code) == (ErrorKind.AUTH, 401, "3")
        assert "permissions" in error.message
        assert await pi.operations() == ["publish"]
