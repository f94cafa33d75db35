"""Uploads, addresses and limits of Mastodon servers over real HTTP."""

from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind
from platforms.http.wire import ServerMemory
from platforms.mastodon import PLATFORM, access, limits, media
from platforms.mastodon.rules import MastodonCredentials
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import NO_TLS, Clock, Rig, noting
from tests.platforms.sources import Large, MediaFromUrl


async def status(rig: Rig, status_id: str) -> dict[str, Any]:
    answer = await rig.sandbox.client.get(f"{rig.sandbox.url}/mastodon/api/v1/statuses/{status_id}")
    entity: dict[str, Any] = answer.json()
    return entity


def form_parts(request: httpx.Request) -> list[Message]:
    """Return the parts of a form."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    return list(BytesParser(policy=HTTP).parsebytes(head + request.content).iter_parts())


@pytest.mark.parametrize("status_code", [401, 422])
async def test_a_token_that_the_server_does_not_know_must_be_renewed_by_its_owner(rig: Rig, status_code: int) -> None:
    # 422 is the response of snac.
    transport = httpx.MockTransport(lambda _: httpx.Response(status_code))
    error = await refused(PLATFORM.whoami(rig.connection(httpx.AsyncClient(transport=transport))))
    assert (error.kind, error.code) == (ErrorKind.AUTH, f"http_{status_code}")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("status_code", [401, 422])
async def test_an_empty_refusal_counts_if_the_server_does_not_know_the_token(
    rig: Rig, status_code: int, *, known: bool
) -> None:
    await rig.sandbox.fault("mastodon", "reject", "publish", status=401, body="")
    if not known:
        await rig.sandbox.fault("mastodon", "reject", "auth", status=status_code, body="")
    error = await refused(PLATFORM.publish(rig.connection(), rig.context("Refused without words")))
    assert error.kind is (ErrorKind.UNCONFIRMED if known else ErrorKind.AUTH)
    assert (await rig.operations())[-2:] == ["publish", "auth"]


async def test_an_account_of_its_own_server_is_named_with_it(rig: Rig) -> None:
    rig.stored = MastodonCredentials(instance=f"{rig.sandbox.url}", access_token=rig.stored.access_token)
    connection = rig.connection()
    connection.wire.base_url = PLATFORM.address(rig.stored)
    host = rig.sandbox.url.removeprefix("http://")
    paths: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json={"id": 12, "username": "ann", "configuration": {}})

    connection.wire.transport = httpx.MockTransport(answer)
    identity = await PLATFORM.whoami(connection)
    assert (identity.user_id, identity.username) == (f"12@{host}", f"ann@{host}")
    assert paths == ["/api/v1/accounts/verify_credentials", "/api/v2/instance"]


async def test_settings_decide_how_a_post_appears(rig: Rig) -> None:
    settings = {
        "visibility": "unlisted",
        "spoilerText": "careful",
        "sensitive": True,
        "language": "de",
        "quoteApprovalPolicy": "nobody",
    }
    context = rig.context("Hi", settings=settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    shown = await status(rig, (await publish(rig, context)).platform_post_id)
    assert (shown["visibility"], shown["spoiler_text"], shown["language"]) == ("unlisted", "careful", "de")
    assert shown["sensitive"] is True


async def test_a_post_without_any_address_gets_that_of_its_page(rig: Rig) -> None:
    await rig.sandbox.fault("mastodon", "reject", "publish", status=200, body={"id": 7, "url": None})
    published = await PLATFORM.publish(rig.connection(), rig.context("Hi"))
    assert published.platform_post_id == "7"
    assert published.url == f"{rig.sandbox.url}/mastodon/@{rig.account.username}/7"


async def test_media_are_described_and_sent_under_names_of_their_own(rig: Rig) -> None:
    items = [rig.sandbox.media("a.jpg", "Möwen"), rig.sandbox.media("b.png"), rig.sandbox.media("c.gif", "moving")]
    async with noting() as (client, requests):
        published = await publish(rig, rig.context("Three", items), client)
    shown = await status(rig, published.platform_post_id)
    assert [attachment["description"] for attachment in shown["media_attachments"]] == ["Möwen", None, "moving"]
    assert [attachment["type"] for attachment in shown["media_attachments"]] == ["image", "image", "gifv"]
    uploads = [form_parts(request) for request in requests if request.url.path.endswith("/media")]
    names = [parts[-1].get_filename() for parts in uploads]
    assert len(set(names)) == 3
    assert [str(name).rpartition(".")[2] for name in names] == ["jpg", "png", "gif"]
    assert [parts[-1].get_content_type() for parts in uploads] == ["image/jpeg", "image/png", "image/gif"]
    again = rig.context("Again", [rig.sandbox.media("a.jpg")])
    async with noting() as (client, requests):
        await PLATFORM.prepare(rig.connection(client), again)
    assert form_parts(requests[-1])[-1].get_filename() not in names


@pytest.fixture
def one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check once whether media are processed, instead of for some seconds."""
    monkeypatch.setattr(media, "CHECK_PAUSES", (0,))


@pytest.mark.usefixtures("one_check")
async def test_an_upload_that_the_server_could_not_process_is_refused_and_forgotten(slow: Rig) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4")])
    await refused(PLATFORM.prepare(slow.connection(), context))
    body = {"error": "Error processing thumbnail for uploaded media"}
    await slow.sandbox.fault("mastodon", "reject", "prepare", status=422, body=body)
    assert (await refused(PLATFORM.prepare(slow.connection(), context))).kind is ErrorKind.REJECTED
    assert slow.saved[-1]["media"] == {}


@pytest.mark.usefixtures("one_check")
@pytest.mark.parametrize("body", [{"error": "Record not found"}, {"error": "Media could not be found"}])
async def test_an_upload_that_is_gone_is_made_again(slow: Rig, clock: Clock, body: Any) -> None:
    context = slow.context("Hi", [slow.sandbox.media("a.mp4")])
    await refused(PLATFORM.prepare(slow.connection(), context))
    await slow.sandbox.fault("mastodon", "reject", "prepare", status=404, body=body)
    assert (await refused(PLATFORM.prepare(slow.connection(), context))).kind is ErrorKind.TRANSIENT
    await refused(PLATFORM.prepare(slow.connection(), context))
    clock.ahead += 60
    await publish(slow, context)
    assert len(slow.source.opened) == 2


def without(path: str) -> httpx.AsyncClient:
    """Return a client to servers that do not have one path."""

    class Older(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith(path):
                return httpx.Response(404, text="<html>Not found</html>")
            return await super().handle_async_request(request)

    return httpx.AsyncClient(transport=Older(verify=NO_TLS))


async def test_a_server_without_the_newer_upload_is_given_media_by_the_older(rig: Rig) -> None:
    async with without("/api/v2/media") as client:
        await publish(rig, rig.context("Hi", [rig.sandbox.media("a.jpg")]), client)
    assert (await rig.posts())[0]["mediaCount"] == 1


async def test_a_moving_picture_may_be_as_large_as_a_video(rig: Rig) -> None:
    context = replace(
        rig.context("Hi", [rig.sandbox.media("a.gif")]), media=Large(MediaFromUrl(rig.sandbox.client), 16_777_217)
    )
    await PLATFORM.prepare(rig.connection(), context)
    await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1


async def test_a_servers_limits_are_asked_for_once_a_day(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "b.jpg"):
        await PLATFORM.prepare(rig.connection(), rig.context("Hi", [rig.sandbox.media(name)]))
    assert [exchange.method for exchange in rig.exchanges] == ["GET", "POST", "POST"]
    monkeypatch.setattr(limits, "LIFETIME", 0)
    await PLATFORM.prepare(rig.connection(), rig.context("Hi", [rig.sandbox.media("c.jpg")]))
    assert [exchange.method for exchange in rig.exchanges] == ["GET", "POST", "POST", "GET", "POST"]


async def test_limits_are_read_from_servers_of_every_kind(rig: Rig) -> None:
    async with without("/api/v2/instance") as client:
        known = await access.read_limits(rig.connection(client))
    assert replace(known, types=(), version="") == limits.DEFAULTS
    assert known.is_mastodon
    odd = {"max_toot_chars": 5000, "configuration": {"polls": [], "statuses": {"max_media_attachments": "4"}}}
    for body, characters in ((odd, 5000), ({"configuration": {"statuses": {"max_characters": 11_000}}}, 11_000)):
        rig.memory = ServerMemory()
        await rig.sandbox.fault("mastodon", "reject", "prepare", status=200, body=body)
        assert (await access.read_limits(rig.connection())).characters == characters
    rig.memory = ServerMemory()
    await rig.sandbox.fault("mastodon", "reject", "prepare", status=404, times=2)
    assert await access.read_limits(rig.connection()) == limits.DEFAULTS
    rig.memory = ServerMemory()
    await rig.sandbox.fault("mastodon", "reject", "prepare", status=502)
    assert (await refused(access.read_limits(rig.connection()))).kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("value", [10**10, 10**400, -1, 0, True, "500", None, [], 1.5])
async def test_impossible_limits_of_a_server_are_not_used(rig: Rig, value: object) -> None:
    """The API counts texts by these numbers: a link that counts as 10**10 characters would fill its memory."""
    configuration = {group: {key: value} for group, key in limits._PLACES.values()}
    for group, key in limits._PLACES.values():
        configuration[group][key] = value
    rig.memory = ServerMemory()
    body = {"configuration": configuration, "max_toot_chars": value}
    await rig.sandbox.fault("mastodon", "reject", "prepare", status=200, body=body)
    numbers = (await access.read_limits(rig.connection())).numbers()
    rig.memory = ServerMemory()
    assert numbers.keys() == {*limits._MOST, "polls_with_media"}
    assert all(0 < numbers[name] <= most for name, most in limits._MOST.items())


async def test_limits_are_remembered_of_so_many_servers_only(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_SERVERS", 2)
    for number in range(4):
        connection = rig.connection()
        connection.wire.base_url = f"https://server{number}.example"
        connection.wire.transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
        await access.read_limits(connection)
    assert list(rig.memory.get(limits.KnownLimits)._known) == ["https://server2.example", "https://server3.example"]


def test_an_account_is_reached_at_its_own_server() -> None:
    for instance, address in (
        ("mastodon.example", "https://mastodon.example"),
        ("http://LOCALHOST:3000/", "http://localhost:3000"),
    ):
        credentials = {"instance": instance, "accessToken": "x"}
        assert PLATFORM.address(MastodonCredentials.model_validate(credentials)) == address
    assert PLATFORM.address(MastodonCredentials.model_validate({"accessToken": "x"})) == "https://mastodon.social"
    with pytest.raises(ValueError, match="address of a server"):
        MastodonCredentials.model_validate({"instance": "https://mastodon.example/@ann", "accessToken": "x"})
