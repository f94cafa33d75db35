"""Posts to the different servers of Mastodon's API, with lost responses."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Published, Unknown
from platforms.errors import ErrorKind
from platforms.mastodon import PLATFORM
from sandbox.platforms.mastodon.base import DIALECTS
from tests.platforms.post_steps import confirm, publish, refused
from tests.platforms.rig import Connect, Rig, losing_answers

STATUSES = "/api/v1/statuses"
KINDS = ["private", "direct", "reply"]
RICH = ["Plain words", "see https://example.com/a.png", ":facepalm:", "---", "A <b>bold</b> word & more :beer:"]


async def open_account(connect: Connect, *conditions: str) -> Rig:
    rig = await connect("mastodon")
    for condition in conditions:
        await rig.sandbox.switch_on("mastodon", condition, rig.account.account_id)
    return rig


async def attempt(rig: Rig, text: str, names: list[str] | None = None, **settings: Any) -> PublishContext[Any]:
    context = rig.context(text, [rig.sandbox.media(name) for name in names or []], settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    return replace(context, started_at=datetime.now(UTC))


async def left_out(rig: Rig, kind: str) -> dict[str, Any]:
    """Return the settings of a post that some servers omit from an account's list."""
    if kind == "reply":
        return {"inReplyToId": (await publish(rig, rig.context("Before"))).platform_post_id}
    return {"visibility": kind}


async def lost(rig: Rig, context: PublishContext[Any], *, before: bool = False) -> None:
    async with losing_answers("POST", STATUSES, before=before) as client:
        assert (await refused(PLATFORM.publish(rig.connection(client), context))).kind is ErrorKind.UNCONFIRMED


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", RICH)
async def test_lost_answer_makes_no_second_status(connect: Connect, dialect: str, text: str) -> None:
    rig = await open_account(connect, dialect)
    context = await attempt(rig, text)
    await lost(rig, context)
    finding = await confirm(rig, context)
    [post] = await rig.posts()
    assert isinstance(finding, Published)
    assert finding.platform_post_id == post["platformPostId"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_status_that_a_list_may_leave_out_is_found(connect: Connect, dialect: str, kind: str) -> None:
    rig = await open_account(connect, dialect)
    context = await attempt(rig, "For some & <b>few</b>", **await left_out(rig, kind))
    await lost(rig, context)
    finding = await confirm(rig, context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == (await rig.posts())[0]["platformPostId"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_public_status_that_never_arrived_is_sent_again(connect: Connect, dialect: str) -> None:
    rig = await open_account(connect, dialect)
    context = await attempt(rig, "Never came")
    await lost(rig, context, before=True)
    assert await confirm(rig, context) == Absent()
    await publish(rig, context)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_post_that_no_list_shows_is_never_absent(connect: Connect, kind: str) -> None:
    rig = await open_account(connect, "pixelfed", "public_only")
    context = await attempt(rig, "For friends", **await left_out(rig, kind))
    await lost(rig, context, before=True)
    assert await confirm(rig, context) == Unknown()


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_missing_post_is_absent_if_the_list_showed_such_posts_before(connect: Connect, dialect: str) -> None:
    rig = await open_account(connect, dialect)
    await publish(rig, rig.context("Seen before", settings={"visibility": "private"}))
    context = await attempt(rig, "Never came", visibility="private")
    await lost(rig, context, before=True)
    assert await confirm(rig, context) == Absent()


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"pixelfed"}))
@pytest.mark.parametrize("kind", KINDS)
async def test_a_post_that_its_server_would_show_is_absent(connect: Connect, dialect: str, kind: str) -> None:
    rig = await open_account(connect, dialect)
    context = await attempt(rig, "Never came", **await left_out(rig, kind))
    await lost(rig, context, before=True)
    assert await confirm(rig, context) == Absent()


async def test_private_status_of_before_is_not_taken_for_ours(connect: Connect) -> None:
    """The earlier status has the same text, no list of the account shows it, and only its time differs."""
    rig = await open_account(connect, "snac")
    old = await publish(rig, rig.context("Again", settings={"visibility": "private"}))
    context = await attempt(rig, "Again", visibility="private")
    await lost(rig, context, before=True)
    later = replace(context, started_at=datetime.now(UTC).replace(year=2100))
    assert await confirm(rig, later) == Absent()
    assert await confirm(rig, replace(context, taken=frozenset({old.platform_post_id}))) == Absent()


async def test_repeat_that_is_answered_500_is_found(connect: Connect) -> None:
    rig = await open_account(connect, "mastodon_4_6")
    context = await attempt(rig, "Answered by nobody")
    await lost(rig, context)
    again = await refused(PLATFORM.publish(rig.connection(), context))
    assert (again.kind, again.status) == (ErrorKind.UNCONFIRMED, 500)
    assert isinstance(await confirm(rig, context), Published)
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("dialect", ["pixelfed", "pleroma", "akkoma"])
async def test_refused_request_does_not_use_up_the_post(connect: Connect, dialect: str) -> None:
    rig = await open_account(connect, dialect)
    context = await attempt(rig, "Too long" + "!" * 500)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.REJECTED
    shorter = replace(context, draft=replace(context.draft, text="Short enough"))
    assert isinstance(await PLATFORM.publish(rig.connection(), shorter), Published)


async def test_refusal_of_a_post_does_not_refuse_the_account(connect: Connect) -> None:
    rig = await open_account(connect, "pixelfed")
    error = await refused(PLATFORM.publish(rig.connection(), await attempt(rig, " ")))
    assert error.claim
    assert (error.claim.kind, error.status) == (ErrorKind.REJECTED, 403)
    assert "Empty statuses are not allowed" in error.message


async def test_text_whose_links_count_in_full_is_refused_for_good(connect: Connect) -> None:
    rig = await open_account(connect, "gotosocial")
    error = await refused(PLATFORM.publish(rig.connection(), await attempt(rig, f"https://a.example/{'x' * 600}")))
    assert error.claim
    assert (error.claim.kind, error.status) == (ErrorKind.REJECTED, 400)


@pytest.mark.parametrize(("dialect", "language"), [("akkoma", "pt"), ("pleroma", "pt"), ("gotosocial", "pt-BR")])
async def test_language_is_sent_as_the_server_takes_it(connect: Connect, dialect: str, language: str) -> None:
    rig = await open_account(connect, dialect)
    await publish(rig, rig.context("Olá", settings={"language": "pt-BR"}))
    listed = await rig.sandbox.client.get(f"{rig.sandbox.url}/mastodon/api/v1/accounts/{rig.account.user_id}/statuses")
    assert listed.json()[0]["language"] == language


@pytest.mark.parametrize("dialect", ["akkoma", "pleroma", "mastodon_4_6"])
async def test_quote_is_named_as_the_server_takes_it(connect: Connect, dialect: str) -> None:
    rig = await open_account(connect, dialect)
    quoted = await publish(rig, rig.context("Worth a quote"))
    public = await publish(rig, rig.context("As I said", settings={"quotedStatusId": quoted.platform_post_id}))
    assert public.warning is None


async def test_poll_and_media_are_left_to_a_server_that_takes_both(connect: Connect) -> None:
    settings = {"poll": {"options": ["Yes", "No"]}}
    for condition, broken in ((None, 1), ("mastodon_4_6", 0)):
        rig = await open_account(connect, *([condition] if condition else []))
        rig.account = replace(rig.account, limits=(await PLATFORM.whoami(rig.connection())).limits)
        context = await attempt(rig, "Well?", ["a.jpg"], **settings)
        assert len(PLATFORM.check(context.draft, rig.account)) == broken
        if not broken:
            assert (await PLATFORM.publish(rig.connection(), context)).warning is None


async def test_unfinished_media_are_waited_for_whatever_the_language(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_account(connect)
    context = await attempt(rig, "Look", ["a.jpg"])
    words = {"error": "Dateien, die noch nicht verarbeitet wurden, können nicht angehängt werden."}
    await rig.sandbox.fault("mastodon", "reject", "publish", status=422, body=words)
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert error.claim
    assert error.claim.kind is ErrorKind.REJECTED
    await rig.sandbox.fault("mastodon", "reject", "publish", status=422, body=words)
    await rig.sandbox.fault("mastodon", "reject", "prepare", status=206, body={"id": "1", "url": None})
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "media_not_ready")
    await PLATFORM.prepare(rig.connection(), context)
    assert isinstance(await PLATFORM.publish(rig.connection(), context), Published)


async def test_server_without_a_way_answers_501(connect: Connect) -> None:
    rig = await open_account(connect)
    await rig.sandbox.fault("mastodon", "reject", "prepare", status=501)
    assert (await PLATFORM.whoami(rig.connection())).limits["characters"] == 500
