"""Link cards, quotes and replies on Bluesky."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.post import Media
from platforms.base import Published
from platforms.bluesky import PLATFORM
from platforms.errors import ErrorKind
from tests.platforms.bluesky.rig import record, sized
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig, open_account

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
    await rig.sandbox.fault("bluesky", "reject", "publish", status=400, body=gone)
    assert (await refused(PLATFORM.publish(rig.connection(), context))).kind is ErrorKind.TRANSIENT
    assert (await refused(PLATFORM.publish(rig.connection(), context))).code == "no_blob"
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
