"""Connectors at servers that answer anything, and one way of an app to identify itself at each token endpoint."""

import itertools
import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from cli.stack.parts import sandbox_apps
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer, OAuthConnector, oauth_connector
from platforms.access.oauth import RenewsByRefreshToken
from platforms.access.registered_apps import App, RegisteredApps
from platforms.access.token_endpoint import UNREADABLE, ClientAuth
from platforms.base import AccountFacts, Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.mastodon.access import CONNECTOR as MASTODON
from platforms.registry import platforms
from sandbox.authorization import PLAY_SECRET

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


X, YOUTUBE, BUSINESS = (platforms()[name] for name in ("twitter", "youtube", "googlebusiness"))


def apps(**settings: object) -> RegisteredApps:
    return RegisteredApps.parse(json.dumps(settings))


def test_without_any_there_is_none() -> None:
    for text in ("", "{}"):
        assert RegisteredApps.parse(text).workspace_app(X, "ws_1") is None


def test_one_app_of_google_serves_both_platforms_unless_one_has_its_own() -> None:
    registered = apps(google={"clientId": "g", "clientSecret": "s3cret"}, youtube={"clientId": "y"})
    assert [
        getattr(registered.workspace_app(platform, "ws_1"), "client_id", None) for platform in (YOUTUBE, BUSINESS)
    ] == ["y", "g"]


def test_a_workspace_uses_its_own_app_and_the_others_the_shared_one() -> None:
    registered = apps(twitter=[{"clientId": "own", "workspaces": ["ws_1"]}, {"clientId": "new"}, {"clientId": "old"}])
    used = [registered.workspace_app(X, workspace) for workspace in ("ws_1", "ws_2")]
    assert [app and app.client_id for app in used] == ["own", "new"]


def test_an_account_keeps_the_app_that_it_was_connected_by() -> None:
    registered = apps(twitter=[{"clientId": "new"}, {"clientId": "old", "clientSecret": "s3cret"}])
    old = registered.by_client(X, "old", "ws_1")
    assert old is not None
    assert old.secret == "s3cret"
    assert registered.by_client(X, "unknown", "ws_1") is None


def test_an_app_is_found_by_its_client_id_for_its_workspaces_alone() -> None:
    registered = apps(twitter=[{"clientId": "own", "workspaces": ["ws_1"]}, {"clientId": "shared"}])
    assert [bool(registered.by_client(X, "own", workspace)) for workspace in ("ws_1", "ws_2")] == [True, False]
    assert [registered.is_of_others(X, "own", workspace) for workspace in ("ws_1", "ws_2")] == [False, True]
    assert not any(registered.is_of_others(X, client_id, "ws_2") for client_id in ("shared", "unknown", ""))
    assert not registered.is_of_others(YOUTUBE, "own", "ws_2"), "ids belong to a platform"


def test_an_app_asks_for_no_permission_that_it_is_not_approved_for() -> None:
    threads = oauth_connector("threads")
    asked = set()
    for left_out in ([], ["threads_delete", "threads_read_replies"]):
        app = apps(threads={"clientId": "x", "withoutScopes": left_out}).workspace_app(threads.platform, "ws_1")
        assert app is not None
        asked.add(frozenset(threads.requested_scopes(app, {})))
    assert asked == {
        threads.unneeded_scopes.union(threads.scopes),
        threads.unneeded_scopes.union(threads.scopes) - {"threads_delete", "threads_read_replies"},
    }


def test_tiktok_calls_it_a_client_key() -> None:
    registered = apps(tiktok={"clientKey": "k", "clientSecret": "s3cret"}).workspace_app(platforms()["tiktok"], "ws_1")
    assert registered is not None
    assert registered.client_id == "k"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "JSON object by platform"),
        ('{"twitter"', "JSON object by platform"),
        ('{"myspace": {"clientId": "x"}}', "'myspace' is no platform"),
        ('{"twitter": {"clientSecret": "s3cret"}}', "clientId is missing"),
        ('{"twitter": {"clientId": "x", "clientSecrets": "s3cret"}}', "unknown field 'clientSecrets'"),
        ('{"twitter": {"clientId": "x", "clientSecret": 5}}', "clientSecret is not what it must be"),
        ('{"twitter": "s3cret"}', "an app is not what it must be"),
        ('{"twitter": {"clientId": "x", "withoutScopes": "s3cret"}}', "withoutScopes is not what it must be"),
        ('{"twitter": {"clientId": "x", "withoutScopes": ["tweet.write"]}}', "withoutScopes may name offline.access, "),
        ('{"linkedin": {"clientId": "x", "withoutScopes": ["profile"]}}', "withoutScopes may name nothing"),
    ],
)
def test_an_invalid_setting_is_named_without_its_value(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        RegisteredApps.parse(text)
    assert "s3cret" not in str(refused.value)


def test_nothing_of_it_shows_in_a_repr() -> None:
    registered = apps(twitter={"clientId": "x", "clientSecret": "s3cret"})
    assert "s3cret" not in repr(registered) + repr(registered.workspace_app(X, "ws_1"))
    assert registered.secrets() == ["s3cret"]


def test_a_development_stack_has_an_app_at_every_platform_that_needs_one() -> None:
    registered = RegisteredApps.parse(sandbox_apps())
    without = {name for name in connectors() if registered.workspace_app(platforms()[name], "ws_1") is None}
    # Bluesky's authorization server takes an app without a registration, on a loopback address.
    assert without == {name for name in connectors() if platforms()[name].app.registers_itself} | {"bluesky"}
    assert without == {"bluesky", "mastodon"}
    assert registered.secrets()[0] == PLAY_SECRET
