"""Sessions, records, mentions, link cards, quotes and replies of Bluesky over real HTTP, and answers that fail."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from domain.post import Media
from platforms.base import Absent, AccountFacts, Published
from platforms.bluesky import PLATFORM
from platforms.bluesky.rules import BlueskyCredentials
from platforms.errors import ErrorKind
from tests.platforms.bluesky.rig import logins, record, sized
from tests.platforms.post_steps import publish, refused, refused_send
from tests.platforms.rig import Rig, open_account


async def prepared(rig: Rig, names: list[str]) -> Any:
    context = rig.context(
        "Sunset https://example.com", [rig.sandbox.media(name) for name in names], started_at=datetime.now(UTC)
    )
    await PLATFORM.prepare(rig.connection(), context)
    return context


@pytest.mark.parametrize(
    "body", [{"error": "RecordNotFound"}, {"error": "InvalidRequest", "message": "Could not locate record: at://x"}]
)
async def test_a_server_may_say_in_either_way_that_it_has_no_record(rig: Rig, body: Any) -> None:
    context = await prepared(rig, [])
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=400, body=body)
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "InvalidRequest", "message": "Could not find repo"}), (502, "<html>Bad Gateway</html>")],
)
async def test_a_failed_confirmation_is_no_proof_of_absence(rig: Rig, status: int, body: Any) -> None:
    context = await prepared(rig, [])
    await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=status, body=body)
    await refused(PLATFORM.confirm(rig.connection(), context))


@pytest.mark.parametrize(("fault", "kind"), [("rate_limited", ErrorKind.RATE_LIMITED), ("drop", ErrorKind.TRANSIENT)])
async def test_an_error_of_a_videos_upload_counts_and_not_one_of_the_limits_before_it(
    rig: Rig, fault: str, kind: ErrorKind
) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")])
    await rig.sandbox.fault("bluesky", fault, "prepare", seconds=180, times=2)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert error.kind is kind
    if kind is ErrorKind.RATE_LIMITED:
        assert error.retry_after is not None
        assert error.retry_after.total_seconds() == 180


async def test_an_upload_whose_session_has_ended_is_sent_whole_once_more(rig: Rig) -> None:
    await rig.sandbox.fault("bluesky", "token_expired", "prepare")
    published = await publish(rig, rig.context("Hi", [rig.sandbox.media("a.jpg")]))
    assert published.url
    assert len(rig.source.opened) == 1


CARD = {"url": "https://example.com/launch", "title": "We have launched", "description": "All about it"}


async def written(rig: Rig, text: str, *media: Media, **settings: Any) -> tuple[Published, dict[str, Any]]:
    published = await publish(rig, sized(rig, rig.context(text, media, settings=settings)))
    return published, await record(rig, published.platform_post_id)


async def reference(rig: Rig, uri: str) -> dict[str, str]:
    did, collection, rkey = uri.removeprefix("at://").split("/")
    params = {"repo": did, "collection": collection, "rkey": rkey}
    answer = await rig.sandbox.client.get(f"{rig.sandbox.url}/bluesky/xrpc/com.atproto.repo.getRecord", params=params)
    return {"uri": uri, "cid": answer.json()["cid"]}


def seen(rig: Rig, published: Published) -> str:
    """Return a post's address as people copy it, with the account's handle."""
    return f"https://bsky.app/profile/{rig.account.username}.bsky.social/post/{published.platform_post_id[-13:]}"


async def test_a_link_is_shown_as_a_card(rig: Rig) -> None:
    _, plain = await written(rig, "Look", linkCard={"url": CARD["url"], "title": CARD["title"]})
    external = {"uri": CARD["url"], "title": CARD["title"], "description": ""}
    assert plain["embed"] == {"$type": "app.bsky.embed.external", "external": external}
    picture = f"{rig.sandbox.url}/_/media/card.jpg"
    published, pictured = await written(rig, "Look again", linkCard={**CARD, "thumbnail": picture})
    assert pictured["embed"]["external"]["thumb"]["mimeType"] == "image/jpeg"
    assert rig.source.opened == [picture]
    # A card is no media of the post.
    assert {post["mediaCount"] for post in await rig.posts()} == {0}
    sent = rig.context("x", handles=rig.saved[-1], started_at=datetime.now(UTC))
    assert await PLATFORM.confirm(rig.connection(), sent) == published


async def test_a_lost_picture_of_a_card_is_uploaded_again(rig: Rig) -> None:
    card = {**CARD, "thumbnail": f"{rig.sandbox.url}/_/media/card.jpg"}
    context = sized(rig, rig.context("Look", settings={"linkCard": card}))
    await PLATFORM.prepare(rig.connection(), context)
    gone = {"error": "InvalidRequest", "message": "Could not find blob: x"}
    assert (await refused_send(rig, context, "reject", status=400, body=gone)).kind is ErrorKind.TRANSIENT
    assert (await refused_send(rig, context)).code == "no_blob"
    await publish(rig, context)
    assert len(await rig.posts()) == 1


async def test_a_post_is_quoted_by_either_of_its_names(rig: Rig) -> None:
    quoted = await publish(rig, rig.context("the first"))
    named = {"$type": "app.bsky.embed.record", "record": await reference(rig, quoted.platform_post_id)}
    for name in (quoted.platform_post_id, quoted.url, seen(rig, quoted)):
        _, quoting = await written(rig, f"what {name} says", quotePostId=name)
        assert quoting["embed"] == named
    for beside, kind in (({"linkCard": CARD}, "external"), ({}, "images")):
        media = () if beside else (rig.sandbox.media("a.jpg"),)
        _, quoting = await written(rig, f"with {kind}", *media, quotePostId=quoted.platform_post_id, **beside)
        assert quoting["embed"]["$type"] == "app.bsky.embed.recordWithMedia"
        assert quoting["embed"]["record"] == named
        assert quoting["embed"]["media"]["$type"] == f"app.bsky.embed.{kind}"


async def test_a_reply_belongs_to_the_thread_of_its_parent(rig: Rig) -> None:
    first = await publish(rig, rig.context("first"))
    root = await reference(rig, first.platform_post_id)
    second, answer = await written(rig, "second", replyToPostId=first.platform_post_id)
    assert answer["reply"] == {"root": root, "parent": root}
    parent = await reference(rig, second.platform_post_id)
    third, deeper = await written(
        rig, "third", replyToPostId=seen(rig, second), quotePostId=first.url, threadItems=[{"content": "fourth"}]
    )
    assert deeper["reply"] == {"root": root, "parent": parent}
    assert deeper["embed"]["record"] == root
    fourth = (await rig.posts())[0]
    following = await record(rig, fourth["platformPostId"])
    assert following["reply"] == {"root": root, "parent": await reference(rig, third.platform_post_id)}
    assert "embed" not in following


async def test_a_resolved_reference_is_not_requested_again(rig: Rig) -> None:
    first = await publish(rig, rig.context("first"))
    names = {"replyToPostId": first.platform_post_id, "quotePostId": first.platform_post_id}
    context = rig.context("second", settings=names)
    assert PLATFORM.prepares(context.draft)
    await PLATFORM.prepare(rig.connection(), context)
    before = len(rig.exchanges)
    resumed = rig.context("second", settings=names, handles=rig.saved[-1])
    await PLATFORM.prepare(rig.connection(), resumed)
    assert len(rig.exchanges) == before
    await PLATFORM.publish(rig.connection(), resumed)
    assert len(await rig.posts()) == 2


async def test_posts_of_accounts_elsewhere_are_found_in_the_index(rig: Rig) -> None:
    other = await open_account(rig.sandbox, "bluesky")
    first = await publish(other, other.context("first"))
    root = await reference(rig, first.platform_post_id)
    second, _ = await written(other, "second", replyToPostId=first.platform_post_id)
    parent = await reference(rig, second.platform_post_id)
    await rig.sandbox.switch_on("bluesky", "own_records_only")
    settings = {"replyToPostId": seen(other, second), "quotePostId": first.platform_post_id}
    third = await publish(rig, rig.context("third", settings=settings))
    missing = f"at://did:plc:{other.account.user_id}/app.bsky.feed.post/3kabcdefghi2k"
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", settings={"replyToPostId": missing})))
    assert error.kind is ErrorKind.REJECTED
    await rig.sandbox.clear_conditions("bluesky")
    deeper = await record(rig, third.platform_post_id)
    assert deeper["reply"] == {"root": root, "parent": parent}
    assert deeper["embed"]["record"] == root


async def test_a_server_that_cannot_ask_others_is_no_reason_to_wait(rig: Rig) -> None:
    first = await publish(rig, rig.context("first"))
    await rig.sandbox.fault("bluesky", "reject", "confirm", status=502, body={"error": "UpstreamFailure"})
    _, answer = await written(rig, "second", replyToPostId=first.platform_post_id)
    assert answer["reply"]["parent"]["uri"] == first.platform_post_id


@pytest.mark.parametrize("setting", ["quotePostId", "replyToPostId"])
async def test_a_post_that_is_not_there_is_named_before_anything_is_sent(rig: Rig, setting: str) -> None:
    for repo in (f"did:plc:{rig.account.user_id}", "nobody.example"):
        context = rig.context("Hi", settings={setting: f"at://{repo}/app.bsky.feed.post/3kabcdefghi2k"})
        error = await refused(PLATFORM.prepare(rig.connection(), context))
        assert error.kind is ErrorKind.REJECTED
        assert error.message == f"Bluesky does not have the post that {setting} names. Check that it is still there."
    assert await rig.posts() == []
    await rig.sandbox.fault("bluesky", "drop", "confirm")
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.TRANSIENT


async def test_whoami_returns_the_owner_of_an_app_password(rig: Rig) -> None:
    identity = await PLATFORM.whoami(rig.connection())
    assert identity.user_id == f"did:plc:{rig.account.user_id}"
    assert identity.username == f"{rig.account.username}.bsky.social"
    assert PLATFORM.account_id(identity.user_id) == rig.account.account_id
    assert rig.stored.did == identity.user_id
    assert rig.stored.pds == "sandbox.host.bsky.network"


async def test_the_record_is_written_under_the_key_that_was_chosen(rig: Rig) -> None:
    published = await publish(rig, rig.context("Chosen before"))
    [saved] = rig.saved
    key = saved["records"]["post"]
    assert published.platform_post_id == f"at://did:plc:{rig.account.user_id}/app.bsky.feed.post/{key['rkey']}"
    stored = await record(rig, published.platform_post_id)
    assert stored == {"$type": "app.bsky.feed.post", "text": "Chosen before", "createdAt": key["createdAt"]}
    assert abs(datetime.now(UTC) - datetime.fromisoformat(stored["createdAt"])) < timedelta(minutes=1)


async def test_a_session_serves_many_posts(rig: Rig) -> None:
    for number in range(3):
        await publish(rig, rig.context(f"post {number}"))
    assert await logins(rig) == ["createSession"]


async def test_a_session_that_ended_is_renewed_and_not_opened_again(rig: Rig) -> None:
    await publish(rig, rig.context("one"))
    before = len(await logins(rig))
    await rig.sandbox.fault("bluesky", "token_expired", "publish")
    first = rig.stored
    await publish(rig, rig.context("two"))
    assert (await logins(rig))[before:] == ["refreshSession"]
    assert rig.stored.refresh_jwt != first.refresh_jwt
    assert rig.stored.pds == first.pds
    assert [post["text"] for post in await rig.posts()] == ["two", "one"]


async def test_a_refresh_token_that_was_used_up_leads_to_a_new_login(rig: Rig) -> None:
    await PLATFORM.whoami(rig.connection())
    old = rig.stored
    await rig.sandbox.fault("bluesky", "token_expired", "publish")
    await publish(rig, rig.context("one"))
    rig.stored = old.model_copy(update={"access_jwt": None})
    before = len(await logins(rig))
    await publish(rig, rig.context("two"))
    assert (await logins(rig))[before:] == ["refreshSession", "createSession"]


async def test_a_handle_may_be_given_as_others_see_it(rig: Rig) -> None:
    credentials = {"identifier": f" @{rig.stored.user_id} ", "password": rig.stored.access_token.get_secret_value()}
    rig.stored = BlueskyCredentials.model_validate(credentials)
    assert (await PLATFORM.whoami(rig.connection())).username == f"{rig.account.username}.bsky.social"


async def test_a_wrong_password_must_be_replaced(rig: Rig) -> None:
    rig.stored = rig.stored.model_copy(update={"access_token": SecretStr("wrong")})
    error = await refused(PLATFORM.whoami(rig.connection()))
    assert (error.kind, error.code) == (ErrorKind.AUTH, "AuthenticationRequired")
    assert "wrong" not in error.message


async def test_a_login_that_answers_nonsense_is_tried_again(rig: Rig) -> None:
    await rig.sandbox.fault("bluesky", "reject", "auth", status=200, body="<html>Hello</html>")
    error = await refused(PLATFORM.whoami(rig.connection()))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_session")


async def test_links_mentions_and_tags_are_marked_by_their_bytes(rig: Rig) -> None:
    text = f"Grüße 👩‍👩‍👧 @{rig.account.username}.bsky.social an @nobody.example: https://example.com/ä #Ökö!"
    published = await publish(rig, rig.context(text, settings={"langs": ["de"]}))
    stored = await record(rig, published.platform_post_id)
    shown = [
        (
            text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(),
            facet["features"][0]["$type"].partition("#")[2],
        )
        for facet in stored["facets"]
    ]
    assert shown == [
        (f"@{rig.account.username}.bsky.social", "mention"),
        ("https://example.com/ä", "link"),
        ("#Ökö", "tag"),
    ]
    assert stored["facets"][0]["features"][0]["did"] == f"did:plc:{rig.account.user_id}"
    assert stored["langs"] == ["de"]


async def test_an_unresolved_handle_becomes_text_after_some_tries(rig: Rig) -> None:
    context = rig.context("Hi @alice.example")
    assert PLATFORM.prepares(context.draft)
    await rig.sandbox.fault("bluesky", "reject", "prepare", times=2, status=502)
    for _ in range(2):
        assert (await refused(PLATFORM.prepare(rig.connection(), context))).code == "mention_unknown"
    await rig.sandbox.fault("bluesky", "reject", "prepare", status=503)
    await PLATFORM.prepare(rig.connection(), context)
    before = len(rig.exchanges)
    await PLATFORM.prepare(rig.connection(), rig.context("Hi @alice.example", handles=rig.saved[-1]))
    assert len(rig.exchanges) == before
    published = await PLATFORM.publish(rig.connection(), context)
    assert "facets" not in await record(rig, published.platform_post_id)


async def test_the_hash_of_the_first_post_is_kept_for_its_thread(rig: Rig) -> None:
    items = {"threadItems": [{"content": "second"}, {"content": "third"}]}
    published = await publish(rig, rig.context("first", settings=items))
    roots = [(await record(rig, post["platformPostId"]))["reply"]["root"]["uri"] for post in (await rig.posts())[:2]]
    assert roots == [published.platform_post_id] * 2
    before = len(rig.exchanges)
    unknown = rig.context("first", settings={"threadItems": [{"content": "later"}]})
    await PLATFORM.complete(rig.connection(), unknown, published)
    assert [exchange.method for exchange in rig.exchanges[before:]] == ["GET", "POST"]


def test_an_account_is_reached_at_its_own_server() -> None:
    credentials = {"identifier": "a.example", "password": "x"}
    assert PLATFORM.address(BlueskyCredentials.model_validate(credentials)) == "https://bsky.social"
    for service in ("http://localhost:2583", "http://localhost:2583/"):
        own = BlueskyCredentials.model_validate({**credentials, "service": service})
        assert PLATFORM.address(own) == "http://localhost:2583"
    assert (
        PLATFORM.address(BlueskyCredentials.model_validate({**credentials, "service": "pds.example"}))
        == "https://pds.example"
    )
    for service in ("ftp://pds.example", "https://a:b@pds.example", "https://pds.example/xrpc", "https://"):
        with pytest.raises(ValueError, match="address of a server"):
            BlueskyCredentials.model_validate({**credentials, "service": service})


def test_account_ids_omit_the_prefix_of_plc_identifiers() -> None:
    assert PLATFORM.account_id("did:plc:ewvi7nxzyoun6zhxrhs64oiz") == "bs_ewvi7nxzyoun6zhxrhs64oiz"
    assert PLATFORM.account_id("did:web:example.com") == "bs_web:example.com"
    assert AccountFacts("bs_1", "did:plc:1", "a").limits == {}
