"""Authorizations of an app at Bluesky's reference server: publishing with bound tokens, and their renewal."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.access.token_endpoint import CODE_REJECTED
from platforms.base import AccountFacts
from platforms.bluesky import PLATFORM
from platforms.bluesky.access import CONNECTOR
from platforms.bluesky.identity import INDEX, PLC
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.authorizing import BACK, Authorization, query
from tests.platforms.bluesky import pds
from tests.platforms.bluesky.pds import Pds
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig, Sandbox
from tests.platforms.sources import MediaFromUrl

pytestmark = [
    pytest.mark.skipif(pds.reason_to_skip() is not None, reason=str(pds.reason_to_skip())),
    pytest.mark.thorough,
]

PATH = "/apps/bluesky.json"
SECRET = SecretStr("the secret of an app")


def begun(server: Pds, redirect_uri: str = BACK) -> Authorization:
    def service_address(credentials: Any) -> str:
        return str(credentials.service)

    elsewhere = {PLC: server.directory, INDEX: server.url}
    return Authorization(CONNECTOR, server.client, service_address, elsewhere, redirect_uri)


async def connected(
    server: Pds, sandbox: Sandbox, app: App | None = None, redirect_uri: str = BACK, handle: str = ""
) -> Rig:
    handle = handle or (await server.open_account(sandbox)).account.username
    authorization = begun(server, redirect_uri)
    address = await authorization.begin(app, identifier=handle)
    back = await server.consent(address, handle)
    assert str(back).startswith(redirect_uri)
    candidate = await authorization.account(await authorization.trade(query(back)))
    assert candidate.name == handle
    account = AccountFacts(PLATFORM.account_id(candidate.id), candidate.id, candidate.name)
    elsewhere = {PLC: server.directory, INDEX: server.directory}
    source = MediaFromUrl(sandbox.client)
    return Rig(PLATFORM, sandbox, account, candidate.credentials, source, server.url, server.client, elsewhere)


async def test_an_authorized_account_publishes(server: Pds, sandbox: Sandbox) -> None:
    rig = await connected(server, sandbox)
    published = await publish(rig, rig.context("by an authorization", [sandbox.media("plain.jpg")]))
    [record] = await server.posts(rig)
    assert record["uri"] == published.platform_post_id
    assert record["value"]["text"] == "by an authorization"
    assert len(record["value"]["embed"]["images"]) == 1


async def test_tokens_are_renewed_and_one_that_comes_twice_ends_them(server: Pds, sandbox: Sandbox) -> None:
    rig = await connected(server, sandbox)
    first = rig.stored
    renewed = await PLATFORM.renew(rig.connection())
    assert renewed.lifetimes is not None
    assert renewed.lifetimes.expires_at is not None
    rig.stored = renewed.credentials
    await publish(rig, rig.context("with renewed tokens"))
    rig.stored = first
    replayed = await refused(PLATFORM.renew(rig.connection()))
    assert (replayed.kind, replayed.code) == (ErrorKind.AUTH, "invalid_grant")
    rig.stored = renewed.credentials
    assert (await refused(PLATFORM.renew(rig.connection()))).kind is ErrorKind.AUTH


async def test_a_wrong_verifier_uses_the_code_up(server: Pds, sandbox: Sandbox) -> None:
    handle = (await server.open_account(sandbox)).account.username
    authorization = begun(server)
    back = query(await server.consent(await authorization.begin(identifier=handle), handle))
    for verifier in ("another" * 8, authorization.verifier):
        with pytest.raises(PlatformError) as raised:
            await authorization.trade(back, verifier=verifier)
        assert raised.value.code == CODE_REJECTED


async def test_an_app_is_known_by_the_metadata_that_this_service_publishes(server: Pds, sandbox: Sandbox) -> None:
    back = "https://posts.socialsyncer.app/connected"
    app = App(
        f"https://posts.socialsyncer.app{PATH}",
        SECRET,
        {"clientName": "Posts", "website": "https://posts.socialsyncer.app"},
    )
    document = CONNECTOR.document(app, [back])
    assert document is not None
    await server.publish_app(PATH, document)
    rig = await connected(server, sandbox, app, back)
    rig.stored = rig.stored.model_copy(update={"client_secret": SECRET})
    rig.stored = (await PLATFORM.renew(rig.connection())).credentials
    await publish(rig, rig.context("by an app with a key"))
    rig.stored = rig.stored.model_copy(update={"client_secret": SecretStr("another secret")})
    assert (await refused(PLATFORM.renew(rig.connection()))).kind is ErrorKind.OPERATOR


async def test_an_authorization_is_ended_at_the_server(server: Pds, sandbox: Sandbox) -> None:
    rig = await connected(server, sandbox)
    wire = replace(rig.connection().wire, read_error=CONNECTOR.read_error)
    for _ in range(2):  # a repeat does no harm
        await CONNECTOR.revoke(wire, App(rig.stored.client_id or ""), rig.stored)
    assert (await refused(PLATFORM.renew(rig.connection()))).kind is ErrorKind.AUTH


async def test_ending_one_authorization_leaves_another_of_the_same_account(server: Pds, sandbox: Sandbox) -> None:
    old = await connected(server, sandbox)
    new = await connected(server, sandbox, handle=old.account.username)
    wire = replace(old.connection().wire, read_error=CONNECTOR.read_error)
    await CONNECTOR.revoke(wire, App(old.stored.client_id or ""), old.stored)
    assert (await refused(PLATFORM.renew(old.connection()))).kind is ErrorKind.AUTH
    await publish(new, new.context("by the authorization that stayed"))


async def test_a_session_is_ended_at_the_server(server: Pds, sandbox: Sandbox) -> None:
    rig = await server.open_account(sandbox)
    await PLATFORM.whoami(rig.connection())
    wire = replace(rig.connection().wire, read_error=CONNECTOR.read_error)
    for _ in range(2):
        await CONNECTOR.revoke(wire, App(""), rig.stored)
    headers = {"Authorization": f"Bearer {rig.stored.refresh_jwt.get_secret_value()}"}
    answer = await server.client.post(f"{server.url}/xrpc/com.atproto.server.refreshSession", headers=headers)
    assert answer.status_code == 400
