"""Connecting an account of snac: an app is registered there, and the owner consents in a browser."""

import re
from typing import Any

import httpx
import pytest

from platforms.errors import PlatformError
from platforms.mastodon import PLATFORM
from platforms.mastodon.access import CONNECTOR
from tests.platforms.authorizing import Authorization, query
from tests.platforms.mastodon import snac
from tests.platforms.mastodon.snac import Snac
from tests.platforms.rig import Sandbox

pytestmark = pytest.mark.skipif(snac.PROGRAM is None, reason="snac is not installed: Debian package snac2")

BACK = "https://app.example/connected"
_FIELD = re.compile(r'name="([^"]+)"\s+value="([^"]*)"')


def begun(server: Snac) -> Authorization:
    def server_address(credentials: Any) -> str:
        return str(credentials.instance)

    return Authorization(CONNECTOR, server.client, server_address, redirect_uri=BACK)


async def consent(server: Snac, address: str, name: str, password: str) -> dict[str, str]:
    """Fill in the form; its action has the scheme https, which this server does not support."""
    page = await server.client.get(address)
    fields = dict(_FIELD.findall(page.text)) | {"login": name, "passwd": password}
    answer = await server.client.post(f"{server.url}/oauth/x-snac-login", data=fields)
    assert answer.is_redirect, answer.text
    assert answer.headers["location"].startswith(BACK)
    return query(httpx.URL(answer.headers["location"]))


async def test_an_account_is_connected_by_registering_an_app(server: Snac, sandbox: Sandbox) -> None:
    name, password = await server.add_person()
    authorization = begun(server)
    back = await consent(server, await authorization.begin(instance=server.url), name, password)
    grant = await authorization.trade(back)
    # The server's tokens have no scopes and do not expire.
    assert (grant.scopes, grant.refresh_token, grant.lifetimes.expires_at) == (None, None, None)
    assert authorization.connector.missing_scopes(authorization.app, grant, {}) == []
    candidate = await authorization.account(grant)
    assert candidate.name == f"{name}@{httpx.URL(server.url).netloc.decode()}"
    assert candidate.credentials.instance == server.url
    assert (await PLATFORM.whoami(authorization.connection(candidate.credentials))).user_id == candidate.id


async def test_a_guessed_code_gives_no_account(server: Snac) -> None:
    authorization = begun(server)
    await authorization.begin(instance=server.url)
    with pytest.raises(PlatformError):
        # This server may respond with a token all the same; the token does not work.
        await authorization.account(await authorization.trade({"code": "guessed", "state": authorization.state}))


async def test_an_access_is_ended_at_the_server(server: Snac) -> None:
    name, password = await server.add_person()
    authorization = begun(server)
    back = await consent(server, await authorization.begin(instance=server.url), name, password)
    candidate = await authorization.account(await authorization.trade(back))
    assert CONNECTOR.can_revoke(candidate.credentials)
    await CONNECTOR.revoke(authorization.to_server(), authorization.app, candidate.credentials)
    with pytest.raises(PlatformError):
        await PLATFORM.whoami(authorization.connection(candidate.credentials))


async def test_ending_one_authorization_leaves_another_of_the_same_account(server: Snac) -> None:
    name, password = await server.add_person()
    candidates = []
    for _ in range(2):
        authorization = begun(server)
        back = await consent(server, await authorization.begin(instance=server.url), name, password)
        candidates.append((authorization, await authorization.account(await authorization.trade(back))))
    (first, old), (second, new) = candidates
    await CONNECTOR.revoke(first.to_server(), first.app, old.credentials)
    with pytest.raises(PlatformError):
        await PLATFORM.whoami(first.connection(old.credentials))
    assert (await PLATFORM.whoami(second.connection(new.credentials))).user_id == old.id
