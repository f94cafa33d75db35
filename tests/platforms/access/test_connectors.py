"""Connectors at servers that answer anything, and one way of an app to identify itself at each token endpoint."""

import itertools
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from platforms.access.connector import connectors
from platforms.access.consent import FindsServer, OAuthConnector
from platforms.access.oauth import RenewsByRefreshToken
from platforms.access.registered_apps import App
from platforms.access.token_endpoint import UNREADABLE, ClientAuth
from platforms.base import AccountFacts, Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.mastodon.access import CONNECTOR as MASTODON
from platforms.registry import platforms

CONNECTORS = [
    connector
    for connector in connectors().values()
    if isinstance(connector, OAuthConnector) and not isinstance(connector, FindsServer)
]
RENEWED = {name: platform for name, platform in platforms().items() if isinstance(platform, RenewsByRefreshToken)}
UNREADABLE_BODIES: list[Any] = [
    {"error": {"code": {}}},
    {"error": []},
    {"error": 5, "code": ["x"]},
    {"error": None, "error_message": {}},
    {"access_token": {"a": 1}, "data": [[]]},
    {"access_token": "", "scope": {}},
    [],
    "text",
    None,
]


def wire_at(connector: OAuthConnector[Any], answer: Callable[[httpx.Request], httpx.Response]) -> Wire:
    transport, domains = httpx.MockTransport(answer), connector.platform.own_domains
    return Wire(transport, connector.platform.base_url, connector.label, connector.read_error, domains=domains)


def same_wire(wire: Wire, _: object) -> Wire:
    return wire


def respond(status: int, body: Any, _: httpx.Request) -> httpx.Response:
    return httpx.Response(status, json=body)


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda connector: connector.name)
async def test_unreadable_answer_to_a_code_is_an_error_of_the_platform(connector: OAuthConnector[Any]) -> None:
    for status, body in itertools.product([200, 400, 403, 500], UNREADABLE_BODIES):
        wire = wire_at(connector, partial(respond, status, body))
        with pytest.raises(PlatformError) as raised:
            await connector.exchange(wire, App("app", SecretStr("quiet")), "code", "https://app.example", "v" * 43)
        assert raised.value.kind is ErrorKind.TRANSIENT, (status, body)


async def test_unreadable_answer_of_an_account_server_is_an_error_of_the_platform() -> None:
    """A client may name any server, which may answer anything: no step must fail in another way."""
    for status, body in itertools.product([200, 401, 403, 429, 500], UNREADABLE_BODIES):
        transport = httpx.MockTransport(partial(respond, status, body))
        wire = Wire(transport, "https://evil.example", "Mastodon", MASTODON.read_error)
        facts = await MASTODON.find_server(partial(same_wire, wire), {"instance": "https://evil.example"})
        assert facts == {"server": "https://evil.example"}, (status, body)
        with pytest.raises(PlatformError):
            await MASTODON.register(wire, "https://app.example", App(""))


async def test_step_that_cannot_read_an_answer_raises_a_platform_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object) -> Any:
        raise KeyError("access_token")

    connector = connectors()["twitter"]
    assert isinstance(connector, OAuthConnector)
    monkeypatch.setattr(type(connector), "read_grant", unreadable)
    wire = wire_at(connector, partial(respond, 200, {}))
    with pytest.raises(PlatformError) as raised:
        await connector.exchange(wire, App("app"), "code", "https://app.example", "v" * 43)
    assert raised.value.code == UNREADABLE


@pytest.mark.parametrize("secret", ["quiet", None])
@pytest.mark.parametrize("name", RENEWED)
async def test_app_identifies_itself_alike_in_all_its_requests(name: str, secret: str | None) -> None:
    """A code, a renewal and a revocation reach one server, which registered the app in one way."""
    platform, connector = RENEWED[name], connectors()[name]
    assert isinstance(connector, OAuthConnector)
    assert connector.endpoint is platform.token_endpoint
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"access_token": "new", "refresh_token": "newer"})

    async def never(*_: object) -> Any:
        raise AssertionError("nothing is renewed or stored here")

    wire, app = wire_at(connector, answer), App("app", SecretStr(secret) if secret else None)
    tokens = {"accessToken": "old", "refreshToken": "used once", "clientId": "app", "clientSecret": secret}
    credentials = connector.platform.credentials.model_validate(tokens)
    await connector.exchange(wire, app, "code", "https://app.example", "v" * 43)
    await platform.renew(Connection(wire, AccountFacts("", "", ""), credentials, never, never))
    await connector.revoke(wire, app, credentials)
    assert len(requests) == 2 + (len(connector.revoked_tokens) if connector.endpoint.revocation else 0)

    endpoint = connector.endpoint
    by_header = endpoint.auth is ClientAuth.BASIC or (endpoint.auth is ClientAuth.BASIC_WITH_SECRET and bool(secret))
    pair = b64encode(f"app:{secret or ''}".encode()).decode()
    for request in requests:
        form = dict(parse_qsl(request.content.decode()))
        assert request.headers.get("authorization") == (f"Basic {pair}" if by_header else None)
        assert form.get(endpoint.id_field) == (None if by_header else "app")
        assert form.get("client_secret") == (None if by_header else secret)
