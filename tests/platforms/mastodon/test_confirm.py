"""Recognising a status among an account's, on a Mastodon server that honours keys and on one that does not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, PublishContext, Published, Unknown
from platforms.errors import ErrorKind
from platforms.mastodon import PLATFORM, lookup
from platforms.mastodon.rules import MastodonSettings, SentText, shown_text
from platforms.steps.matching import CLOCKS_APART
from tests.platforms.mastodon.test_platform import status
from tests.platforms.post_steps import confirm, publish, refused, refused_send, resumed
from tests.platforms.rig import NO_TLS, Rig

TEXT = (
    "Süße Möwen & <b>Meer</b>:\n\n  https://example.com/a/very/long/address?with=a&query=1#end, @ann@other.example #Ökö"
)


@pytest.fixture
async def keyless() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client to a server that ignores the header with the key."""

    async def forget(request: httpx.Request) -> None:
        request.headers.pop("idempotency-key", None)

    async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [forget]}) as client:
        yield client


async def prepared(rig: Rig, text: str = TEXT, names: list[str] = [], settings: Any = None) -> PublishContext[Any]:  # noqa: B006
    """Return an attempt that begins now."""
    context = rig.context(text, [rig.sandbox.media(name) for name in names], settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    return replace(context, started_at=datetime.now(UTC))


async def test_a_repeat_under_its_key_makes_no_second_status(rig: Rig) -> None:
    context = await prepared(rig)
    first = await PLATFORM.publish(rig.connection(), context)
    assert await PLATFORM.publish(rig.connection(), context) == first
    other = replace(context, target_id="another")
    assert (await PLATFORM.publish(rig.connection(), other)).platform_post_id != first.platform_post_id
    assert len(await rig.posts()) == 2


async def test_the_same_words_published_just_before_are_not_taken_for_ours(
    rig: Rig, keyless: httpx.AsyncClient
) -> None:
    await publish(rig, await prepared(rig), keyless)
    context = await prepared(rig)
    await rig.sandbox.fault("mastodon", "drop", "publish")
    await refused_send(rig, context, client=keyless)
    assert await confirm(rig, resumed(rig, context)) == Absent()
    second = await publish(rig, replace(context, handles=rig.saved[-1]), keyless)
    assert len(await rig.posts()) == 2
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    third = await prepared(rig)
    await refused_send(rig, third, client=keyless)
    finding = await confirm(rig, resumed(rig, third))
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await rig.posts())[0]["platformPostId"] != second.platform_post_id


async def test_the_newest_status_is_noted_once_before_the_first_send(rig: Rig, keyless: httpx.AsyncClient) -> None:
    context = await prepared(rig)
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    await refused_send(rig, context, client=keyless)
    noted = rig.saved[-1]["after"]
    await rig.sandbox.fault("mastodon", "reject", "publish", status=429)
    second = resumed(rig, context)
    await refused_send(rig, second, client=keyless)
    assert second.handles["after"] == noted == ""
    assert isinstance(await confirm(rig, resumed(rig, context)), Published)


async def test_without_a_marker_the_time_decides(rig: Rig, keyless: httpx.AsyncClient) -> None:
    old = await publish(rig, await prepared(rig), keyless)
    await rig.sandbox.fault("mastodon", "reject", "confirm", status=403, body={"error": "outside the scopes"})
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    context = replace(await prepared(rig), taken=frozenset({old.platform_post_id}))
    await refused_send(rig, context, client=keyless)
    assert rig.saved[-1]["after"] is None
    finding = await confirm(rig, resumed(rig, context))
    assert isinstance(finding, Published)
    assert finding.platform_post_id != old.platform_post_id
    later = replace(context, started_at=datetime.now(UTC) + CLOCKS_APART + timedelta(seconds=5))
    assert await confirm(rig, resumed(rig, later)) == Absent()


async def found_among(rig: Rig, context: PublishContext[Any], *statuses: dict[str, Any]) -> Any:
    page = [
        {
            "id": str(number),
            "content": "",
            "created_at": datetime.now(UTC).isoformat(),
            "media_attachments": [],
            **fields,
        }
        for number, fields in enumerate(statuses, 1)
    ]
    await rig.sandbox.control("DELETE", "faults")
    await rig.sandbox.fault("mastodon", "reject", "confirm", status=200, body=page)
    if page:
        await rig.sandbox.fault("mastodon", "reject", "confirm", status=200, body=[])
    return await PLATFORM.confirm(rig.connection(), replace(context, handles={**context.handles, "after": ""}))


@pytest.mark.parametrize(
    ("sent", "html"),
    [
        ("a  b\n\nc ", "<p>a b</p><p>c</p>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("e\u0301", "<p>é</p>"),
        (
            "see https://example.com/a?b=1&c=2.",
            (
                '<p>see <a href="https://example.com/a?b=1&amp;c=2"><span class="invisible">https://</span>'
                '<span class="ellipsis">example.com/a</span><span class="invisible">?b=1&amp;c=2</span></a>.</p>'
            ),
        ),
        ("see https://example.com/long", 'see <a href="https://example.com/long">example.com/lo…</a>'),
        ("see example.com now", 'see <a href="https://example.com/">example.com</a> now'),
        ("@ann@other.example hi", '<a href="https://other.example/@ann" class="mention">@<span>ann</span></a> hi'),
        ("@ann@other.example hi", '<a href="https://other.example/@ann">@ann@other.example</a> hi'),
        ("hi #Tag", 'hi <a href="https://x.example/tags/tag">#<span>Tag</span></a>'),
        # A server that interprets Markdown, or that replaces quotation marks.
        ('*bold* and "quoted"', "<p><em>bold</em> and “quoted”</p>"),
        ("> quoted\n- one\n- two", "<blockquote>quoted</blockquote><ul><li>one</li><li>two</li></ul>"),
        # A server that keeps text that resembles HTML.
        ("1 < 2, <b>*bold*</b> & <tag>", "1 < 2, <b><i>bold</i></b> & <tag><br>"),
        ("x < y > z <3 <a href='q'>k</a> <script>z</script>",) * 2,
        ("smile :-) <3 :D now", "smile &#128578; &#10084;&#65039; 😃 now<br>"),
        ("@ann hi", '<a href="https://x.example:8745/ann" class="u-url mention">@ann@x.example:8745</a> hi'),
        ("see [the sea](https://a.example/b) now", 'see <a href="https://a.example/b">the sea</a> now'),
        ("wave 🌊 :blobcat:", '<p>wave 🌊 <img class="emoji" alt=":blobcat:" />:blobcat:</p>'),
    ],
)
async def test_a_status_is_recognised_whatever_its_server_makes_of_the_text(rig: Rig, sent: str, html: str) -> None:
    finding = await found_among(rig, await prepared(rig, sent), {"content": "<p>other</p>"}, {"content": html})
    assert isinstance(finding, Published)
    assert finding.platform_post_id == "2"


async def test_a_similar_status_is_ours_only_if_there_is_no_other(rig: Rig) -> None:
    context = await prepared(rig, "Hello, *world*!")
    alike = {"content": "Hello, world!"}
    assert isinstance(await found_among(rig, context, alike), Published)
    assert await found_among(rig, context, alike, alike) == Unknown()
    exact = {"content": "Hello, *world*!"}
    finding = await found_among(rig, context, alike, exact, alike)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == "2"
    assert await found_among(rig, context, {"content": "Hello, word!"}) == Absent()
    assert await found_among(rig, context) == Absent()


@pytest.mark.parametrize("html", ["this now", "We see this now: now is what https", "<p>We&nbsp;see</p><p>now</p>"])
async def test_a_similar_post_neither_confirms_nor_rules_out_ours(rig: Rig, html: str) -> None:
    context = await prepared(rig, "We see this now:")
    other = {"content": "and something else"}
    assert await found_among(rig, context, other, {"content": html}) == Unknown()
    assert await found_among(rig, replace(context, taken=frozenset({"2"})), other, {"content": html}) == Absent()


async def test_a_server_that_makes_media_of_a_text_is_not_sent_it_again(rig: Rig) -> None:
    context = await prepared(rig, "[see](https://a.example/b) ![this](https://a.example/c.png)")
    shown = {"content": '<a href="https://a.example/b">see</a>', "media_attachments": [{"id": "9"}]}
    assert await found_among(rig, context, shown) == Unknown()


@pytest.mark.parametrize("html", ["We see that now:", "We", "We see these, and those, and all of them, and now", "🌊"])
async def test_a_post_with_another_text_is_not_ours(rig: Rig, html: str) -> None:
    assert await found_among(rig, await prepared(rig, "We see this now:"), {"content": html}) == Absent()
    assert await found_among(rig, await prepared(rig, "🦀"), {"content": html}) == Absent()


async def test_parts_that_the_server_left_out_are_reported(rig: Rig) -> None:
    context = await prepared(rig, "Well?", settings={"poll": {"options": ["Yes", "No"]}, "visibility": "private"})
    finding = await found_among(rig, context, {"content": "Well?", "visibility": "public", "poll": None})
    assert isinstance(finding, Published)
    assert finding.warning == (
        "The server made the post public instead of private. The server published the post without its poll."
    )
    finding = await found_among(rig, context, {"content": "Well?", "visibility": "private", "poll": {"id": "1"}})
    assert isinstance(finding, Published)
    assert finding.warning is None


async def test_a_post_is_recognised_by_its_media_ids_if_the_server_keeps_them(rig: Rig) -> None:
    context = await prepared(rig, "Hi", ["a.jpg", "b.jpg"])
    ours = [{"id": known["id"]} for known in context.handles["media"].values()]
    others = [{"id": "1"}, {"id": "2"}]
    finding = await found_among(
        rig,
        context,
        {"content": "Hi"},
        {"content": "Hi", "media_attachments": others},
        {"content": "something else", "media_attachments": ours},
    )
    assert isinstance(finding, Published)
    assert finding.platform_post_id == "3"
    assert isinstance(await found_among(rig, context, {"content": "Hi", "media_attachments": others}), Published)
    assert await found_among(rig, context, {"content": "Hi", "media_attachments": others[:1]}) == Unknown()
    assert await found_among(rig, context, {"content": "Ho", "media_attachments": others}) == Absent()


async def test_a_deleted_status_is_no_longer_found(rig: Rig) -> None:
    context = await prepared(rig)
    published = await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.client.delete(
        f"{rig.sandbox.url}/mastodon/api/v1/statuses/{published.platform_post_id}",
        headers={"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"},
    )
    assert "error" in await status(rig, published.platform_post_id)
    assert await confirm(rig, resumed(rig, context)) == Absent()


async def test_a_longer_source_text_is_another_post(rig: Rig) -> None:
    for condition in ("raw_text", "loses_words"):
        await rig.sandbox.switch_on("mastodon", condition, rig.account.account_id)
    context = await prepared(rig, "see https://example.com/a.png")
    await PLATFORM.publish(rig.connection(), context)
    other = replace(context, draft=replace(context.draft, text="see https://example.com/a.png and more"))
    assert await confirm(rig, resumed(rig, other)) == Absent()


async def test_a_post_that_was_boosted_is_found(rig: Rig) -> None:
    context = await prepared(rig, "Boosted by a friend")
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
    await rig.sandbox.switch_on("mastodon", "boosted", rig.account.account_id)
    assert isinstance(await confirm(rig, resumed(rig, context)), Published)


async def test_a_refused_key_is_not_used_again(rig: Rig) -> None:
    await rig.sandbox.switch_on("mastodon", "known_key_400", rig.account.account_id)
    context = await prepared(rig, "Too fast")
    await rig.sandbox.fault("mastodon", "rate_limited", "publish", seconds=1)
    assert (await refused_send(rig, context)).kind is ErrorKind.RATE_LIMITED
    await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1


async def test_a_known_key_is_no_proof_and_is_confirmed(rig: Rig) -> None:
    await rig.sandbox.switch_on("mastodon", "known_key_400", rig.account.account_id)
    context = await prepared(rig, "Answered by nobody")
    await rig.sandbox.fault("mastodon", "accept_then_drop", "publish")
    assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
    again = await refused_send(rig, context)
    assert (again.kind, again.status) == (ErrorKind.UNCONFIRMED, 400)
    assert isinstance(await confirm(rig, resumed(rig, context)), Published)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("condition", ["html_without_accept", "localized"])
async def test_errors_are_asked_for_in_json_and_in_english(rig: Rig, condition: str) -> None:
    await rig.sandbox.switch_on("mastodon", condition, rig.account.account_id)
    context = await prepared(rig, "x" * 501)
    error = await refused_send(rig, context)
    assert (error.kind, error.status) == (ErrorKind.REJECTED, 422)
    assert "character limit" in error.message


async def test_a_status_that_no_markup_explains_is_not_compared(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing megabytes would block the worker's event loop for seconds, whenever the server likes."""
    context = await prepared(rig)
    monkeypatch.setattr(lookup, "read_shown_text", lambda *_: pytest.fail("the text was read"))
    huge = {"id": "1", "content": "<p>x</p>" * 100_000, "created_at": datetime.now(UTC).isoformat()}
    sent = SentText(context.draft.text)
    assert await lookup._similarity(huge, context, sent) is lookup.Similarity.OTHER


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
