"""Authorization as all platforms share it, against a strict, independent authorization server: oidc-provider.

It stands in for X and has its paths. PKCE is required, and codes and refresh tokens work once. A refresh token that
comes a second time ends all tokens of the grant.
"""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from cli.stack.ports import free_port
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.access.token_endpoint import CODE_REJECTED
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from platforms.twitter.access import CONNECTOR
from tests.api.clients.tools import installed_from_npm
from tests.platforms.authorizing import Authorization, query
from tests.platforms.post_steps import refused
from tests.platforms.programs import serving

PACKAGES = {"oidc-provider": "9.13.3"}
CLIENT_ID, SECRET = "app", "a secret of the app"
STARTS_WITHIN_S = 60.0
_PROGRAM = Path(__file__).with_name("oidc.cjs")
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')


@dataclass(slots=True)
class Oidc:
    """A running server."""

    url: str
    client: httpx.AsyncClient

    async def consent(self, address: str, login: str) -> httpx.URL:
        """Sign in and allow what is requested; returns the address to which the person is sent back."""
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            answer = await browser.get(address)
            for _ in range(12):
                if answer.is_redirect:
                    target = answer.url.join(answer.headers["location"])
                    if not str(target).startswith(self.url):
                        return target
                    answer = await browser.get(target)
                    continue
                assert answer.status_code == 200, answer.text
                [action] = _FORM.findall(answer.text)[:1]
                prompt = "login" if 'name="login"' in answer.text else "consent"
                form = (
                    {"prompt": prompt, "login": login, "password": "any"} if prompt == "login" else {"prompt": prompt}
                )
                answer = await browser.post(answer.url.join(action), data=form)
        raise AssertionError("the person was not sent back")


@asynccontextmanager
async def running_oidc(redirect_uri: str) -> AsyncIterator[Oidc]:
    """Run a server for the length of the block; skips the test if it cannot be installed."""
    folder, port = await installed_from_npm(PACKAGES), free_port()
    root = Path(tempfile.mkdtemp(prefix="posts-test-oidc-"))
    app = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    try:
        url = f"http://127.0.0.1:{port}"
        command = ["node", str(_PROGRAM), str(folder), str(port), json.dumps(app)]
        known = f"{url}/.well-known/openid-configuration"
        async with serving(command, known, root / "log", STARTS_WITHIN_S) as client:
            yield Oidc(url, client)
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


BACK = "https://app.example/connected?from=x"
APP = App(CLIENT_ID, SecretStr(SECRET))


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Oidc]:
    async with running_oidc(BACK) as running:
        yield running


def begun(server: Oidc, redirect_uri: str = BACK) -> Authorization:
    return Authorization(CONNECTOR, server.client, lambda _: server.url, redirect_uri=redirect_uri)


async def allowed(server: Oidc, authorization: Authorization) -> dict[str, str]:
    back = await server.consent(await authorization.begin(APP), "jane")
    assert str(back).startswith(BACK)
    return query(back)


def credentials(authorization: Authorization, grant: Grant) -> Any:
    own = authorization.connector.credentials(APP, grant)
    return own.model_copy(update={"client_secret": APP.client_secret})


async def renew(authorization: Authorization, used: Any) -> Any:
    return (await platforms()["twitter"].renew(authorization.connection(used))).credentials  # type: ignore[attr-defined]


async def test_a_code_is_traded_and_tokens_rotate(server: Oidc) -> None:
    authorization = begun(server)
    back = await allowed(server, authorization)
    assert back["iss"] == server.url
    grant = await authorization.trade(back)
    assert grant.scopes == frozenset(CONNECTOR.requested_scopes(APP, {}))
    assert grant.lifetimes.expires_at is not None
    assert CONNECTOR.missing_scopes(APP, grant, {}) == []
    first = credentials(authorization, grant)
    second = await renew(authorization, first)
    third = await renew(authorization, second)
    assert len({traded.refresh_token.get_secret_value() for traded in (first, second, third)}) == 3


async def test_a_refresh_token_that_comes_again_ends_the_newer_one_too(server: Oidc) -> None:
    authorization = begun(server)
    first = credentials(authorization, await authorization.trade(await allowed(server, authorization)))
    second = await renew(authorization, first)
    assert (await refused(renew(authorization, first))).kind is ErrorKind.AUTH
    assert (await refused(renew(authorization, second))).kind is ErrorKind.AUTH


async def test_a_wrong_secret_is_an_operator_error(server: Oidc) -> None:
    authorization = begun(server)
    first = credentials(authorization, await authorization.trade(await allowed(server, authorization)))
    wrong = first.model_copy(update={"client_secret": SecretStr("rotated")})
    assert (await refused(renew(authorization, wrong))).kind is ErrorKind.OPERATOR
    # The refused attempt has used up nothing.
    await renew(authorization, first)


async def test_a_code_works_once(server: Oidc) -> None:
    authorization = begun(server)
    back = await allowed(server, authorization)
    await authorization.trade(back)
    with pytest.raises(PlatformError) as raised:
        await authorization.trade(back)
    assert (raised.value.kind, raised.value.code) == (ErrorKind.REJECTED, CODE_REJECTED)


@pytest.mark.parametrize(
    "changed", [{"verifier": "w" * 43}, {"redirect_uri": BACK + "/"}, {"redirect_uri": "https://app.example/connected"}]
)
async def test_verifier_and_redirect_uri_must_be_those_of_the_beginning(server: Oidc, changed: dict[str, str]) -> None:
    authorization = begun(server)
    back = await allowed(server, authorization)
    with pytest.raises(PlatformError) as raised:
        await authorization.trade(back, **changed)
    assert raised.value.code == CODE_REJECTED


async def test_a_code_of_another_authorization_is_rejected(server: Oidc) -> None:
    mine, theirs = begun(server), begun(server)
    await mine.begin(APP)
    planted = await allowed(server, theirs)
    with pytest.raises(PlatformError) as raised:
        await mine.trade(planted | {"state": mine.state})
    assert raised.value.code == CODE_REJECTED


async def test_an_unregistered_redirect_is_refused(server: Oidc) -> None:
    authorization = begun(server, BACK + "/")
    answer = await server.client.get(await authorization.begin(APP))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_beginning_without_a_challenge_is_refused(server: Oidc) -> None:
    address = await begun(server).begin(APP)
    without = address.replace("code_challenge=", "x=").replace("code_challenge_method=", "y=")
    answer = await server.client.get(without)
    assert answer.headers["location"].startswith(BACK)
    assert query(answer.headers["location"])["error"] == "invalid_request"


async def test_two_traders_of_one_code_get_one_grant(server: Oidc) -> None:
    authorization = begun(server)
    back = await allowed(server, authorization)
    both = await asyncio.gather(*(authorization.trade(back) for _ in range(2)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in both) == ["Grant", "PlatformError"]
