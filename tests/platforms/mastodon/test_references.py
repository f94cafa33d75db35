"""Replies and quotes on Mastodon, and their confirmation after a server has rewritten them."""

from typing import Any

import httpx
import pytest

from platforms.base import Absent, Published
from platforms.errors import ErrorKind
from platforms.mastodon import PLATFORM
from platforms.mastodon.rules import MastodonSettings, shown_text
from tests.platforms.mastodon.test_confirm import prepared
from tests.platforms.mastodon.test_platform import status
from tests.platforms.post_steps import confirm, publish, refused, refused_send, resumed
from tests.platforms.rig import Rig


async def test_a_post_answers_and_quotes_others(rig: Rig) -> None:
    first = (await publish(rig, rig.context("first"))).platform_post_id
    second = await publish(rig, rig.context("second", settings={"inReplyToId": first, "quoted_status_id": first}))
    shown = await status(rig, second.platform_post_id)
    assert (shown["in_reply_to_id"], shown["quote"]["quoted_status"]["id"]) == (first, first)
    assert "second" in shown["content"]
    assert second.warning is None


@pytest.mark.parametrize("setting", ["inReplyToId", "quotedStatusId"])
async def test_a_post_whose_response_was_lost_is_confirmed(rig: Rig, setting: str) -> None:
    first = (await publish(rig, rig.context("first"))).platform_post_id
    context = await prepared(rig, "Well?", settings={setting: first})
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
    finding = await confirm(rig, resumed(rig, context))
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await rig.posts())[0]["platformPostId"]


async def test_the_same_reply_to_another_post_is_another_post(rig: Rig) -> None:
    first, second = [(await publish(rig, rig.context(text))).platform_post_id for text in ("first", "second")]
    for settings in ({}, {"inReplyToId": first}):
        context = await prepared(rig, "Yes", settings=settings)
        await rig.sandbox.fault("mastodon", "drop", "publish")
        assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
        await publish(rig, rig.context("Yes", settings={"inReplyToId": second}))
        assert await confirm(rig, resumed(rig, context)) == Absent()


@pytest.mark.parametrize(("setting", "deed"), [("inReplyToId", "reply to"), ("quotedStatusId", "quote")])
async def test_a_reference_to_a_missing_post_is_refused_with_the_servers_message(
    rig: Rig, setting: str, deed: str
) -> None:
    error = await refused(publish(rig, rig.context("Hi", settings={setting: "12"})))
    assert (error.kind, error.status) == (ErrorKind.REJECTED, 404)
    assert error.message == f"Mastodon refused: The post you are trying to {deed} does not appear to exist."
    assert await rig.posts() == []


async def test_a_server_that_knows_neither_is_reported(rig: Rig) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/instance"):
            return httpx.Response(404)
        return httpx.Response(
            200, json={"id": "3", "url": "https://snac.example/3"} if request.method == "POST" else []
        )

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    settings = {"inReplyToId": "1", "quotedStatusId": "2"}
    published = await PLATFORM.publish(rig.connection(client), rig.context("Hi", settings=settings))
    assert published.warning == (
        "The server published the post, but not as an answer. The server published the post without its quote."
    )


@pytest.mark.parametrize(
    "html",
    [
        '<p class="quote-inline">RE: <a href="https://m.example/@a/1"><span>m.example</span></a></p><p>Well?</p>',
        '<p>Well?<span class="quote-inline"><br/><br/><span>RE:</span> <a href="https://p.example/1">x</a></span></p>',
    ],
)
def test_text_that_a_server_adds_of_a_quoted_post_is_ignored(html: str) -> None:
    assert shown_text(html, "Well?").strip() == "Well?"


@pytest.mark.parametrize("value", ["https://m.example/@a/1", "", "a b"])
def test_an_id_is_the_servers_own(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a post's id on the account's own server"):
        MastodonSettings.model_validate({"inReplyToId": value})
