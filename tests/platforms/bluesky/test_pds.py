"""Posts to Bluesky's reference server, with lost responses."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from platforms.base import Absent, PublishContext, Published
from platforms.bluesky import PLATFORM
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.bluesky import pds
from tests.platforms.bluesky.pds import Pds
from tests.platforms.post_steps import confirm, publish, ready, refused, refused_send, resumed
from tests.platforms.rig import Rig, Sandbox, losing_answers

pytestmark = [
    pytest.mark.skipif(pds.reason_to_skip() is not None, reason=str(pds.reason_to_skip())),
    pytest.mark.thorough,
]

PUT = "com.atproto.repo.putRecord"


@pytest.fixture
async def rig(server: Pds, sandbox: Sandbox) -> Rig:
    return await server.open_account(sandbox)


async def prepared(rig: Rig, text: str, names: list[str] | None = None, **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media(name, f"what {name} shows") for name in names or []]
    return await ready(rig, rig.context(text, media, settings=settings))


async def lost(rig: Rig, context: PublishContext[Any], *, before: bool = False) -> PlatformError:
    async with losing_answers("POST", PUT, before=before) as client:
        return await refused(PLATFORM.publish(rig.connection(client), context))


async def read_record(server: Pds, rig: Rig, published: Published) -> dict[str, Any]:
    [record] = [post for post in await server.posts(rig) if post["uri"] == published.platform_post_id]
    value: dict[str, Any] = record["value"]
    return value


def signed(pds: Pds, did: str, *, typ: str, scope: str, until: float) -> SecretStr:
    """Return a token as the server creates it; source: its auth-verifier."""

    def part(content: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")

    claims = {"scope": scope, "aud": "did:web:localhost", "sub": did, "iat": int(until) - 60, "exp": int(until)}
    signed_part = part({"typ": typ, "alg": "HS256"}) + b"." + part(claims)
    sign = base64.urlsafe_b64encode(hmac.digest(pds.secret.encode(), signed_part, hashlib.sha256)).rstrip(b"=")
    return SecretStr((signed_part + b"." + sign).decode())


async def test_account_is_known_by_its_own_document(server: Pds, rig: Rig) -> None:
    connection = rig.connection()
    connection.is_trusted = False
    identity = await PLATFORM.whoami(connection)
    assert (identity.user_id, identity.username) == (rig.account.user_id, rig.account.username)


async def test_wrong_password_is_refused_as_the_account(rig: Rig) -> None:
    rig.stored = rig.stored.model_copy(update={"access_token": SecretStr("aaaa-aaaa-aaaa-aaaa")})
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.AUTH


async def test_text_has_its_links_mentions_and_tags(server: Pds, rig: Rig) -> None:
    other = await server.open_account(rig.sandbox)
    text = f"Ünï 🌊 @{other.account.username} https://example.com/a?b=1&c=2 #Ökö"
    published = await publish(rig, rig.context(text, settings={"langs": ["de", "en"], "labels": ["nudity"]}))
    value = await read_record(server, rig, published)
    assert (value["text"], value["langs"]) == (text, ["de", "en"])
    features = [facet["features"][0] for facet in value["facets"]]
    assert [feature["$type"].rpartition("#")[2] for feature in features] == ["mention", "link", "tag"]
    assert features[0]["did"] == other.account.user_id
    for facet, word in zip(value["facets"], text.split()[2:], strict=True):
        assert text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode() == word


@pytest.mark.parametrize("names", [["a.jpg"], ["a.jpg", "b.png", "c.jpg"], [f"{letter}.jpg" for letter in "abcdef"]])
async def test_images_are_kept_with_their_words(server: Pds, rig: Rig, names: list[str]) -> None:
    published = await publish(rig, await prepared(rig, "Look", names))
    embed = (await read_record(server, rig, published))["embed"]
    shown = embed.get("images") or embed["items"]
    assert [image["alt"] for image in shown] == [f"what {name} shows" for name in names]
    for image in shown:
        blob = await server.client.get(
            f"{server.url}/xrpc/com.atproto.sync.getBlob",
            params={"did": rig.account.user_id, "cid": image["image"]["ref"]["$link"]},
        )
        assert len(blob.content) == image["image"]["size"]


async def test_video_and_card_are_kept(server: Pds, rig: Rig) -> None:
    video = await read_record(server, rig, await publish(rig, await prepared(rig, "Moves", ["a.mp4"])))
    assert video["embed"]["video"]["mimeType"] == "video/mp4"
    card = {"url": "https://example.com", "title": "A page", "thumbnail": rig.sandbox.media("c.jpg").url}
    shown = await read_record(server, rig, await publish(rig, await prepared(rig, "Read", linkCard=card)))
    assert shown["embed"]["external"]["thumb"]["mimeType"] == "image/jpeg"


async def test_reply_and_quote_name_their_posts(server: Pds, rig: Rig) -> None:
    other = await server.open_account(rig.sandbox)
    first = await publish(other, other.context("A question"))
    answer = await publish(rig, rig.context("An answer", settings={"replyToPostId": first.platform_post_id}))
    settings = {"replyToPostId": answer.platform_post_id, "quotePostId": first.platform_post_id}
    last = await publish(other, await prepared(other, "Thanks", ["a.jpg"], **settings))
    value = await read_record(server, other, last)
    assert value["reply"]["root"]["uri"] == first.platform_post_id
    assert value["reply"]["parent"]["uri"] == answer.platform_post_id
    assert value["embed"]["record"]["record"]["uri"] == first.platform_post_id
    [known] = [post for post in await server.posts(other) if post["uri"] == first.platform_post_id]
    assert value["embed"]["record"]["record"]["cid"] == value["reply"]["root"]["cid"] == known["cid"]


async def test_answer_without_a_form_about_a_quoted_post_only_delays(rig: Rig) -> None:
    # This server has no app view: its 404 may as well be a gateway's.
    missing = f"at://{rig.account.user_id}/app.bsky.feed.post/3kabcdefghi2k"
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", settings={"quotePostId": missing})))
    assert (error.kind, error.status) == (ErrorKind.TRANSIENT, 404)


async def test_thread_follows_in_its_order(server: Pds, rig: Rig) -> None:
    items = [
        {"content": "Second"},
        {"content": "Third", "mediaItems": [{"type": "image", "url": rig.sandbox.media("d.jpg").url}]},
    ]
    published = await publish(rig, rig.context("First", settings={"threadItems": items}))
    assert published.warning is None
    third, second, first = await server.posts(rig)
    assert [record["value"]["text"] for record in (first, second, third)] == ["First", "Second", "Third"]
    assert second["value"]["reply"]["parent"] == {"uri": first["uri"], "cid": first["cid"]}
    assert third["value"]["reply"]["parent"] == {"uri": second["uri"], "cid": second["cid"]}
    assert third["value"]["reply"]["root"] == {"uri": first["uri"], "cid": first["cid"]}


@pytest.mark.parametrize("names", [[], ["a.jpg", "b.png"], ["a.mp4"]])
async def test_lost_answer_writes_no_second_record(server: Pds, rig: Rig, names: list[str]) -> None:
    context = await prepared(rig, "Sunset https://example.com", names)
    assert (await lost(rig, context)).kind is ErrorKind.UNCONFIRMED
    [before] = await server.posts(rig)
    finding = await confirm(rig, resumed(rig, context))
    assert isinstance(finding, Published)
    assert finding.platform_post_id == before["uri"]
    again = await PLATFORM.publish(rig.connection(), replace(context, handles=rig.saved[-1]))
    assert again.platform_post_id == before["uri"]
    assert await server.posts(rig) == [before]


async def test_lost_request_is_absent_and_sent_again(server: Pds, rig: Rig) -> None:
    context = await prepared(rig, "Never came")
    assert (await lost(rig, context, before=True)).kind is ErrorKind.UNCONFIRMED
    assert await confirm(rig, resumed(rig, context)) == Absent()
    await publish(rig, replace(context, handles=rig.saved[-1]))
    assert len(await server.posts(rig)) == 1


async def test_deleted_record_is_absent(server: Pds, rig: Rig) -> None:
    context = await prepared(rig, "Soon gone")
    published = await publish(rig, context)
    session = await server.call("createSession", identifier=rig.account.username, password=pds.PASSWORD)
    answer = await server.client.post(
        f"{server.url}/xrpc/com.atproto.repo.deleteRecord",
        json={
            "repo": rig.account.user_id,
            "collection": "app.bsky.feed.post",
            "rkey": published.platform_post_id.rpartition("/")[2],
        },
        headers={"Authorization": f"Bearer {session['accessJwt']}"},
    )
    answer.raise_for_status()
    assert await confirm(rig, resumed(rig, context)) == Absent()


async def test_media_that_the_server_lacks_are_given_again(server: Pds, rig: Rig) -> None:
    context = await prepared(rig, "Look", ["a.jpg"])
    handles = json.loads(json.dumps(context.handles))
    # The hash of other bytes.
    handles["media"]["post.0"]["blob"]["ref"]["$link"] = "bafkreib" + "a" * 51
    context = replace(context, handles=handles)
    error = await refused_send(rig, context)
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "BlobNotFound")
    await publish(rig, context)
    assert len(await server.posts(rig)) == 1


async def test_ended_session_is_renewed(server: Pds, rig: Rig) -> None:
    await PLATFORM.whoami(rig.connection())
    before = rig.stored
    ended = signed(server, rig.account.user_id, typ="at+jwt", scope="com.atproto.appPass", until=time.time() - 60)
    rig.stored = before.model_copy(update={"access_jwt": ended})
    await publish(rig, rig.context("Still here"))
    assert rig.stored.refresh_jwt != before.refresh_jwt
    # The server accepts no ended session and no used refresh token: in that case the password opens a session.
    rig.stored = rig.stored.model_copy(update={"access_jwt": ended, "refresh_jwt": SecretStr("not.a.token")})
    await publish(rig, rig.context("And still"))
    assert len(await server.posts(rig)) == 2


async def test_revoked_password_is_refused_as_the_account(server: Pds, rig: Rig) -> None:
    await PLATFORM.whoami(rig.connection())
    session = await server.call("createSession", identifier=rig.account.username, password=pds.PASSWORD)
    answer = await server.client.post(
        f"{server.url}/xrpc/com.atproto.server.revokeAppPassword",
        json={"name": "tests"},
        headers={"Authorization": f"Bearer {session['accessJwt']}"},
    )
    answer.raise_for_status()
    ended = signed(server, rig.account.user_id, typ="at+jwt", scope="com.atproto.appPass", until=time.time() - 60)
    rig.stored = rig.stored.model_copy(update={"access_jwt": ended})
    error = await refused(PLATFORM.publish(rig.connection(), rig.context("Not any more")))
    assert error.kind is ErrorKind.AUTH
    assert await server.posts(rig) == []
