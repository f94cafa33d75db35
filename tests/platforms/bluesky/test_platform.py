"""Sessions, records and mentions of Bluesky over real HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from platforms.base import AccountFacts
from platforms.bluesky import PLATFORM
from platforms.bluesky.rules import BlueskyCredentials
from platforms.errors import ErrorKind
from tests.platforms.bluesky.rig import logins, record
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig


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
