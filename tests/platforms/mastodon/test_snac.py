"""Posts to snac, a real server of Mastodon's API, with lost responses.

It ignores Idempotency-Key and every parameter of an account's list, lists public statuses only, and rewrites texts.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Published, Unknown
from platforms.errors import ErrorKind
from platforms.http.answers import MOST_BYTES_OF_STRANGERS
from platforms.mastodon import PLATFORM
from tests.platforms.mastodon import snac
from tests.platforms.mastodon.snac import Snac
from tests.platforms.post_steps import confirm, publish, refused
from tests.platforms.rig import Rig, Sandbox, losing_answers

pytestmark = [
    pytest.mark.skipif(snac.PROGRAM is None, reason="snac is not installed: Debian package snac2"),
    pytest.mark.thorough,
]

STATUSES = "/api/v1/statuses"

TEXTS = [
    "Plain words",
    "Salt & pepper",
    "A <b>bold</b> word & <script>1</script> 1 < 2",
    "see https://example.com/a.png",
    "https://example.com/a.png",
    "Look ![a picture](https://example.com/a.png)",
    ":facepalm:",
    "So it goes :shrug: ok",
    ":beer:",
    "---",
    "above\n\n---\n\nbelow",
    "*italic* **bold** ~~struck~~ `code` > no quote",
    "> a quote\n\nand\n* one\n* two",
    "see [the sea](https://example.com/b) and https://example.com/c?d=1&e=2#f.",
    "smile :-) <3 :D 🌊 e\u0301",
    "#Ökö und #more",
    "Hi @nobody@localhost:1 and @somebody",
    "  spaces   within\n\n\n\nand lines\t.  ",
]


@pytest.fixture
async def rig(server: Snac, sandbox: Sandbox) -> Rig:
    """Return an account that has published nothing yet."""
    return await server.open_account(sandbox)


async def prepared(rig: Rig, text: str, names: list[str] | None = None, **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media(name, "what it shows") for name in names or []]
    context = rig.context(text, media, settings=settings)
    if PLATFORM.prepares(context.draft):
        await PLATFORM.prepare(rig.connection(), context)
    return replace(context, started_at=datetime.now(UTC))


async def lost(rig: Rig, context: PublishContext[Any], *, before: bool = False) -> PublishContext[Any]:
    """Send a post whose response is lost; return what another worker knows of it."""
    async with losing_answers("POST", STATUSES, before=before) as client:
        assert (await refused(PLATFORM.publish(rig.connection(client), context))).kind is ErrorKind.UNCONFIRMED
    return replace(context, handles=rig.saved[-1])


async def assert_found(server: Snac, rig: Rig, context: PublishContext[Any]) -> Published:
    finding = await confirm(rig, context)
    assert isinstance(finding, Published)
    [status] = [status for status in await server.own(rig) if status["id"] == finding.platform_post_id]
    assert status["text"].strip() == context.draft.text.strip()
    return finding


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("is_first", [True, False])
async def test_text_whose_answer_was_lost_is_found(server: Snac, rig: Rig, text: str, *, is_first: bool) -> None:
    if not is_first:
        await publish(rig, rig.context("Something before"))
    context = await lost(rig, await prepared(rig, text))
    assert bool(context.handles["after"]) is not is_first
    await assert_found(server, rig, context)
    assert len(await server.own(rig)) == (1 if is_first else 2)


async def test_the_address_that_the_server_shows_names_the_post(server: Snac, rig: Rig) -> None:
    public = await publish(rig, rig.context("Named by its address"))
    assert public.url is not None
    # The server calls itself localhost.
    user_id = rig.account.user_id.replace("127.0.0.1", "localhost")
    named = PLATFORM.rules.post_id.read(public.url, user_id)
    assert named is not None, public.url
    # The second is that of the file, which may be written after the address was made.
    assert (named[10:], int(public.platform_post_id[:10]) - int(named[:10]) in {0, 1}) == (
        public.platform_post_id[10:],
        True,
    )
    assert (await server.ask(rig, "GET", f"{STATUSES}/{named}"))["uri"] == public.url
    assert PLATFORM.rules.post_id.read(public.url, rig.account.user_id) is None


async def test_all_texts_of_one_account_are_distinguished(server: Snac, rig: Rig) -> None:
    attempts = [await lost(rig, await prepared(rig, text)) for text in TEXTS]
    findings = [await assert_found(server, rig, context) for context in attempts]
    assert len({finding.platform_post_id for finding in findings}) == len(TEXTS) == len(await server.own(rig))


async def test_equal_texts_are_found_in_the_order_of_their_sends(server: Snac, rig: Rig) -> None:
    first = await lost(rig, await prepared(rig, "Again & <b>again</b>"))
    second = await lost(rig, await prepared(rig, "Again & <b>again</b>"))
    earlier = await assert_found(server, rig, first)
    later = await assert_found(server, rig, replace(second, taken=frozenset({earlier.platform_post_id})))
    assert {earlier.platform_post_id, later.platform_post_id} == {status["id"] for status in await server.own(rig)}


@pytest.mark.parametrize("text", TEXTS[:6])
async def test_public_request_that_never_arrived_is_absent(server: Snac, rig: Rig, text: str) -> None:
    await publish(rig, rig.context("Something before"))
    context = await lost(rig, await prepared(rig, text), before=True)
    assert await confirm(rig, context) == Absent()
    await publish(rig, context)
    assert len(await server.own(rig)) == 2


@pytest.mark.parametrize("visibility", ["private", "direct", "unlisted"])
@pytest.mark.parametrize("text", ["For friends & <b>family</b>", "see https://example.com/a.png"])
async def test_visibility_of_another_kind_is_found(server: Snac, rig: Rig, visibility: str, text: str) -> None:
    context = await lost(rig, await prepared(rig, text, visibility=visibility))
    await assert_found(server, rig, context)
    assert len(await server.own(rig)) == 1


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
async def test_kinds_that_the_server_reports_alike_give_no_warning(server: Snac, rig: Rig, visibility: str) -> None:
    public = await publish(rig, await prepared(rig, f"As {visibility} as it was", visibility=visibility))
    assert public.warning is None
    [status] = [status for status in await server.own(rig) if status["id"] == public.platform_post_id]
    assert status["visibility"] == ("public" if visibility in {"public", "unlisted"} else "private")


@pytest.mark.parametrize("visibility", ["private", "direct"])
async def test_private_request_that_never_arrived_is_absent(server: Snac, rig: Rig, visibility: str) -> None:
    context = await lost(rig, await prepared(rig, "For friends", visibility=visibility), before=True)
    assert await confirm(rig, context) == Absent()
    await publish(rig, context)
    assert len(await server.own(rig)) == 1


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_reply_that_never_arrived_is_absent(server: Snac, rig: Rig, visibility: str) -> None:
    parent = await publish(rig, rig.context("A question"))
    answer = await prepared(rig, "An answer", inReplyToId=parent.platform_post_id, visibility=visibility)
    context = await lost(rig, answer, before=True)
    assert await confirm(rig, context) == Absent()
    await publish(rig, context)
    assert len(await server.own(rig)) == 2


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_reply_is_found(server: Snac, rig: Rig, visibility: str) -> None:
    parent = await publish(rig, rig.context("A question"))
    answer = await prepared(rig, "An answer & more", inReplyToId=parent.platform_post_id, visibility=visibility)
    finding = await assert_found(server, rig, await lost(rig, answer))
    assert finding.warning is None
    assert len(await server.own(rig)) == 2


async def test_own_post_that_was_boosted_is_found(server: Snac, rig: Rig) -> None:
    context = await lost(rig, await prepared(rig, "Worth a boost & <i>more</i>"))
    [status] = await server.own(rig)
    await server.ask(rig, "POST", f"{STATUSES}/{status['id']}/reblog")
    finding = await confirm(rig, context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == status["id"]


async def test_post_of_a_busy_account_is_found_although_the_server_lists_everything(server: Snac, rig: Rig) -> None:
    """For an account with 256 statuses snac lists more bytes than are read of a response, whatever `limit` says."""
    for number in range(260):
        await server.ask(rig, "POST", STATUSES, data={"status": f"Number {number}: {'once more with feeling ' * 20}"})
    author = rig.account.user_id.partition("@")[0]
    listed = await server.ask(rig, "GET", f"/api/v1/accounts/{author}/statuses?limit=1")
    assert len(json.dumps(listed)) > MOST_BYTES_OF_STRANGERS
    context = await lost(rig, await prepared(rig, "Found among many"))
    assert context.handles["after"] == listed[0]["id"]
    await assert_found(server, rig, context)
    missing = await lost(rig, await prepared(rig, "Never arrived"), before=True)
    assert await confirm(rig, missing) == Absent()
    missing.handles["after"] = listed[-1]["id"]
    assert await confirm(rig, missing) == Unknown(is_cut=True)


@pytest.mark.parametrize("names", [["a.jpg"], ["a.jpg", "b.png"], ["a.mp4"]])
@pytest.mark.parametrize("text", ["", "With & without https://example.com/a.png"])
async def test_media_are_shown_and_found(server: Snac, rig: Rig, names: list[str], text: str) -> None:
    context = await lost(rig, await prepared(rig, text, names))
    finding = await confirm(rig, context)
    [status] = await server.own(rig)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == status["id"]
    ours = [attachment for attachment in status["media_attachments"] if attachment["description"] == "what it shows"]
    assert len(ours) == len(names)


async def test_poll_that_the_server_leaves_out_is_reported(server: Snac, rig: Rig) -> None:
    context = await lost(rig, await prepared(rig, "Well?", poll={"options": ["Yes", "No"]}))
    finding = await confirm(rig, context)
    [status] = await server.own(rig)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == status["id"]
    assert finding.warning == "The server published the post without its poll."


async def test_token_that_is_unknown_is_refused_as_the_account(rig: Rig) -> None:
    rig.stored = PLATFORM.credentials.model_validate({"instance": rig.address, "accessToken": "wrong"})
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.AUTH
    # snac's refusal has no body. Asked for the account's statuses first, it refuses before anything is sent.
    assert (await refused(PLATFORM.publish(rig.connection(), rig.context("Hello")))).kind is ErrorKind.AUTH
