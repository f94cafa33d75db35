"""Edits and tokens of accounts on X."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import SecretStr

from platforms.access.oauth import TOKEN_RENEWED
from platforms.base import Absent, Handles, Published, Unknown
from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM
from platforms.twitter.lookup import published
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig, Sandbox

NOW = "2026-11-27T04:00:00.000Z"


async def edit(rig: Rig, known: Published, text: str, handles: Handles | None = None) -> Published:
    return await PLATFORM.edit(rig.connection(), known, text, handles or {})


def with_old_token(rig: Rig) -> Any:
    return rig.stored.model_copy(update={"access_token": SecretStr("a token of yesterday")})


class TestTokens:
    async def test_an_expired_token_is_renewed_once_however_many_uploads_need_it(
        self, connect: Connect, sandbox: Sandbox
    ) -> None:
        x = await connect("twitter", credentials={"refreshToken": "once-1", "clientId": "app", "clientSecret": "s"})
        old = x.stored = with_old_token(x)
        connection = x.connection()
        await PLATFORM.prepare(connection, x.context("four", [sandbox.media(f"t{index}.jpg") for index in range(4)]))
        assert (await x.operations()).count("auth") == 1
        assert connection.credentials is x.stored
        assert x.stored.access_token != old.access_token
        assert x.stored.refresh_token.get_secret_value() != "once-1"
        assert (x.stored.client_id, x.stored.client_secret) == (old.client_id, old.client_secret)

    async def test_two_workers_renew_once(self, connect: Connect) -> None:
        x = await connect("twitter", credentials={"refreshToken": "once-2", "clientId": "app"})
        x.stored = with_old_token(x)
        contexts = [x.context("one"), x.context("two")]
        refusals = await asyncio.gather(*(refused(publish(x, context)) for context in contexts))
        assert {(error.kind, error.code) for error in refusals} == {(ErrorKind.TRANSIENT, TOKEN_RENEWED)}
        await asyncio.gather(*(publish(x, context) for context in contexts))
        assert (await x.operations()).count("auth") == 1
        assert len(await x.posts()) == 2

    @pytest.mark.parametrize("secret", [None, "s"])
    async def test_a_client_names_itself_as_its_kind_does(self, connect: Connect, secret: str | None) -> None:
        tokens = {"refreshToken": f"kind-{secret}", "clientId": "app", "clientSecret": secret}
        x = await connect("twitter", credentials=tokens)
        x.stored = with_old_token(x)
        await PLATFORM.whoami(x.connection())
        [renewal] = [request for request in x.sent if request.url.path.endswith("/oauth2/token")]
        form = dict(parse_qsl(renewal.content.decode()))
        assert form.pop("client_id", None) == (None if secret else "app")
        assert form == {"grant_type": "refresh_token", "refresh_token": f"kind-{secret}"}
        basic = "Basic " + b64encode(b"app:s").decode() if secret else None
        assert renewal.headers.get("authorization") == basic

    async def test_a_renewal_without_credits_waits_for_the_operator(self, connect: Connect, sandbox: Sandbox) -> None:
        x = await connect("twitter", credentials={"refreshToken": "unpaid", "clientId": "app"})
        x.stored = with_old_token(x)
        await sandbox.fault("twitter", "reject", "auth", status=402, body={})
        assert (await refused(publish(x, x.context("not yet")))).kind is ErrorKind.OPERATOR
        assert await x.posts() == []

    async def test_a_token_refused_twice_is_not_renewed_for_ever(self, connect: Connect, sandbox: Sandbox) -> None:
        x = await connect("twitter", credentials={"refreshToken": "once-3", "clientId": "app"})
        await sandbox.fault("twitter", "token_expired", "publish", times=3)
        error = await refused(publish(x, x.context("still not")))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, TOKEN_RENEWED)
        assert error.claim
        assert (error.claim.kind, error.claim.code) == (ErrorKind.AUTH, "unauthorized")
        assert await x.operations() == ["publish", "auth"]


class TestEdits:
    async def test_an_edit_has_a_new_id_and_keeps_the_time_it_ends(self, premium: Rig) -> None:
        first = await publish(premium, premium.context("with a mistaek"))
        second = await edit(premium, first, "with a mistake")
        assert second.platform_post_id != first.platform_post_id
        assert second.editable_until is not None
        assert timedelta(minutes=59) < second.editable_until - datetime.now(UTC) <= timedelta(hours=1)
        newest, oldest = await premium.posts()
        assert (newest["text"], oldest["supersededBy"]) == ("with a mistake", second.platform_post_id)

    async def test_the_newest_version_is_edited_whichever_is_known(self, premium: Rig, sandbox: Sandbox) -> None:
        first = await publish(premium, premium.context("one"))
        second = await edit(premium, first, "two")
        history = [first.platform_post_id, second.platform_post_id]
        data = {"id": first.platform_post_id, "text": "one", "created_at": NOW, "edit_history_tweet_ids": history}
        body = {"data": data}
        await sandbox.fault("twitter", "reject", "confirm", status=200, body=body)
        third = await edit(premium, first, "three")
        assert (await premium.posts())[0]["platformPostId"] == third.platform_post_id

    async def test_a_sixth_edit_is_refused(self, premium: Rig) -> None:
        known = await publish(premium, premium.context("version 0"))
        for number in range(1, 6):
            known = await edit(premium, known, f"version {number}")
        error = await refused(edit(premium, known, "version 6"))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "edit_limit_reached")

    @pytest.mark.parametrize(
        ("controls", "code"),
        [
            ({"is_edit_eligible": True, "edits_remaining": 5, "editable_until": "2020-01-01T00:00:00.000Z"},
             "edit_window_closed"),
            ({"is_edit_eligible": False, "edits_remaining": 5}, "edit_not_supported"),
        ],
    )  # fmt: skip
    async def test_an_edit_that_x_does_not_allow_is_not_sent(
        self, premium: Rig, sandbox: Sandbox, controls: dict[str, Any], code: str
    ) -> None:
        known = await publish(premium, premium.context("final"))
        data = {"id": known.platform_post_id, "text": "final", "created_at": NOW, "edit_controls": controls}
        body = {"data": data}
        await sandbox.fault("twitter", "reject", "confirm", status=200, body=body)
        error = await refused(edit(premium, known, "not final"))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, code)
        assert len(await premium.posts()) == 1

    @pytest.mark.parametrize(
        ("answer", "code"),
        [({"status": 503}, "service_unavailable"), ({"status": 200, "body": {"data": {"id": "1"}}}, "fields_missing")],
    )
    async def test_a_post_is_read_before_it_is_edited(
        self, premium: Rig, sandbox: Sandbox, answer: dict[str, Any], code: str
    ) -> None:
        known = await publish(premium, premium.context("befor"))
        await sandbox.fault("twitter", "reject", "confirm", **answer)
        error = await refused(edit(premium, known, "before"))
        assert (error.kind, error.code) == (ErrorKind.TRANSIENT, code)
        await edit(premium, known, "before")
        assert (await premium.posts())[0]["text"] == "before"

    @pytest.mark.parametrize("names", [["a.jpg", "b.png"], ["a.gif"], ["a.mp4"]], ids=str)
    async def test_an_edit_keeps_the_media(self, premium: Rig, sandbox: Sandbox, names: list[str]) -> None:
        context = premium.context("with a mistaek", [sandbox.media(name) for name in names])
        known = await publish(premium, context)
        for text in ("with a mistake", "without one"):
            known = await edit(premium, known, text, context.handles)
        newest, _, oldest = await premium.posts()
        assert (newest["text"], newest["mediaCount"]) == ("without one", len(names))
        first = published(oldest["platformPostId"])
        finding = await PLATFORM.confirm_edit(premium.connection(), first, "without one")
        assert isinstance(finding, Published)
        assert finding.platform_post_id == known.platform_post_id

    @pytest.mark.parametrize("change", ["none", "expired", "others", "fewer"])
    async def test_media_whose_ids_are_not_known_are_not_lost(
        self, premium: Rig, sandbox: Sandbox, change: str
    ) -> None:
        context = premium.context("with a picture", [sandbox.media("a.jpg"), sandbox.media("b.jpg")])
        known = await publish(premium, context)
        uploads: dict[str, dict[str, Any]] = context.handles["media"]
        match change:
            case "none":
                context.handles = {}
            case "expired":
                uploads["1"]["expiresAt"] = 1
            case "others":
                uploads["1"]["key"] = "3_1"
            case _:
                del uploads["1"]
        error = await refused(edit(premium, known, "without a picture", context.handles))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "edit_not_supported")
        assert "media" in error.message
        assert len(await premium.posts()) == 1

    @pytest.mark.parametrize("settings", [{"poll": {"options": ["Yes", "No"], "durationMinutes": 60}}, "quote"])
    async def test_a_poll_or_a_quote_is_not_edited(self, premium: Rig, settings: Any) -> None:
        if settings == "quote":
            first = await publish(premium, premium.context("quoted"))
            settings = {"quoteTweetId": first.platform_post_id}
        known = await publish(premium, premium.context("more than words", settings=settings))
        error = await refused(edit(premium, known, "no more"))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "text_only")

    async def test_an_empty_string_among_the_versions_is_no_version(self, premium: Rig, sandbox: Sandbox) -> None:
        known = await publish(premium, premium.context("versio"))
        data = {"id": known.platform_post_id, "text": "versio", "created_at": NOW, "edit_history_tweet_ids": [""]}
        await sandbox.fault("twitter", "reject", "confirm", status=200, body={"data": data})
        await edit(premium, known, "version")
        assert (await premium.posts())[0]["text"] == "version"

    async def test_a_post_that_is_gone_cannot_be_edited(self, premium: Rig) -> None:
        error = await refused(edit(premium, published("1"), "anything"))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "resource_not_found")

    async def test_an_unconfirmed_edit_is_confirmed(self, premium: Rig, sandbox: Sandbox) -> None:
        known = await publish(premium, premium.context("draft & https://example.com"))
        text = "final & https://example.com"
        await sandbox.fault("twitter", "drop", "edit")
        assert (await refused(edit(premium, known, text))).kind is ErrorKind.UNCONFIRMED
        assert await PLATFORM.confirm_edit(premium.connection(), known, text) == Absent()
        await sandbox.fault("twitter", "accept_then_500", "edit")
        assert (await refused(edit(premium, known, text))).kind is ErrorKind.UNCONFIRMED
        finding = await PLATFORM.confirm_edit(premium.connection(), known, text)
        assert isinstance(finding, Published)
        assert finding.platform_post_id == (await premium.posts())[0]["platformPostId"]
        assert await PLATFORM.confirm_edit(premium.connection(), known, "something else") == Unknown()
