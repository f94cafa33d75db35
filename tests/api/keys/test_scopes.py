"""Scopes: every operation demands one, and a key without it is refused before anything happens."""

from collections.abc import Collection
from typing import Any

import pytest

from api.http.operation import operations_served
from api.openapi.operations import CONTROLLERS, OPERATIONS
from api.shared.scopes import required_scope
from domain.api_keys import Scope
from store.workspaces.keys import create_key
from tests.api.conftest import Client, make_client
from tests.stack import Stack

ROUTES = [operation.route for _, _, operation in OPERATIONS]


async def client_with(app: Any, stack: Stack, scopes: Collection[Scope]) -> Client:
    # A workspace of its own: other tests take the first key of the stack's workspace for theirs.
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        key = await create_key(session, workspace_id, "narrow", scopes=scopes)
    return make_client(app, key.key)


def test_every_route_that_takes_a_key_has_an_operation() -> None:
    for controller in CONTROLLERS:
        handlers = [value for value in vars(controller).values() if hasattr(value, "http_methods")]
        assert len(handlers) == len(list(operations_served(controller))), controller


def test_scopes_are_as_documented() -> None:
    scopes = {route: required_scope(route) for route in ROUTES}
    assert scopes["GET /v1/me"] is None
    assert scopes["POST /v1/posts"] == scopes["POST /v1/pauses"] == scopes["DELETE /v1/posts/{postId}"] == Scope.WRITE
    assert scopes["GET /v1/posts"] == scopes["POST /v1/posts/validate"] == scopes["GET /v1/accounts"] == Scope.READ
    assert scopes["GET /v1/connect/{platform}"] == Scope.ACCOUNTS
    assert scopes["DELETE /v1/accounts/{platform}/{accountId}"] == Scope.ACCOUNTS
    assert scopes["GET /v1/api-keys"] == scopes["DELETE /v1/api-keys/{keyId}"] == Scope.KEYS
    for route, scope in scopes.items():
        if not route.startswith("GET ") and route.split("/")[2] not in {"accounts", "connect", "webhooks", "api-keys"}:
            assert scope in {Scope.WRITE, Scope.READ}, route


def routes_of_scope(scope: Scope | None) -> list[tuple[str, str]]:
    """Return the method and the path of each route that demands a scope, or none."""
    routes = [route.replace("{platform}", "twitter") for route in ROUTES if required_scope(route) == scope]
    return [(method, path) for method, _, path in (route.partition(" ") for route in routes)]


async def test_a_route_without_a_scope_takes_every_key(app: Any, stack: Stack) -> None:
    async with await client_with(app, stack, list(Scope)) as client:
        for method, path in routes_of_scope(None):
            assert (await client.request(method, path)).status_code == 200, path


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_without_the_scope_is_refused(app: Any, stack: Stack, scope: Scope) -> None:
    async with await client_with(app, stack, [other for other in Scope if other != scope]) as client:
        for method, path in routes_of_scope(scope):
            answer = await client.request(method, path)
            assert answer.status_code == 403, (method, path)
            assert (answer.json()["code"], answer.json()["type"]) == ("insufficient_scope", "permission_error")
            assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_with_the_scope_is_not_refused_for_it(app: Any, stack: Stack, scope: Scope) -> None:
    async with await client_with(app, stack, [scope]) as client:
        for method, path in routes_of_scope(scope):
            answer = await client.request(method, f"{path}?no=1", json=[])
            assert answer.status_code != 403, (method, path)
