"""One renewal of a token for any number of requests, without losing the refresh token or the platform's host."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.pinterest import PLATFORM
from tests.platforms.rig import Connect, Rig, Through


@pytest.fixture
async def rig(connect: Connect) -> Rig:
    rig = await connect("pinterest", credentials={"refreshToken": "oauth-once", "clientId": "app"})
    rig.stored = rig.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
    return rig


async def test_requests_beside_each_other_renew_once(rig: Rig) -> None:
    connection = rig.connection()
    before = len(await rig.operations())
    answers = await asyncio.gather(*(PLATFORM.whoami(connection) for _ in range(3)))
    assert {answer.user_id for answer in answers} == {rig.account.user_id}
    # Three refused requests, one renewal, and three repeated requests.
    assert len(await rig.operations()) == before + 7
    assert connection.credentials is rig.stored


async def test_a_refresh_token_stays_where_no_other_comes(rig: Rig) -> None:
    async def refuse(request: httpx.Request) -> None:
        if request.url.path.endswith("/oauth/token"):
            await rig.sandbox.fault("pinterest", "reject", "auth", status=200, body={"access_token": "another"})

    async with httpx.AsyncClient(event_hooks={"request": [refuse]}) as client:
        with pytest.raises(PlatformError) as caught:
            await PLATFORM.whoami(rig.connection(client))
    assert caught.value.kind is ErrorKind.AUTH
    assert rig.stored.access_token.get_secret_value() == "another"
    assert rig.stored.refresh_token.get_secret_value() == "oauth-once"


async def test_a_sandbox_stands_in_for_every_host_of_a_platform(rig: Rig) -> None:
    def wire(base_url: str) -> Wire:
        return Wire(Through(rig.sandbox.client), base_url, "X", PLATFORM.read_error)

    for path in ("", "/token"):
        assert wire("https://api.a").address("https://api.a", f"https://www.a{path}") == f"https://www.a{path}"
        assert wire("http://sandbox/a").address("https://api.a", f"https://www.a{path}") == f"http://sandbox/a{path}"
