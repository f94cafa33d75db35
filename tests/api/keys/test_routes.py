"""Keys over HTTP: issued only to who may, replaced with an overlap, revoked, and held to their scopes."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.auth import required_scope
from api.http.operation import operations_served
from api.keys import actions
from api.openapi.components import CONTROLLERS, OPERATIONS
from domain.api_keys import ALL_SCOPES, Scope
from domain.request_limits import posts_policy, requests_policy
from domain.schedule import rfc3339
from store.workspaces.keys import KeyWish, create_key, digest, issue_key
from tests.api.conftest import Client, limited_app, make_client, problems, read_answer
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


async def owner(stack: Stack, scopes: Collection[Scope] = ALL_SCOPES, days: int | None = None) -> str:
    """Return a key of a new workspace."""
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        valid_for = None if days is None else timedelta(days=days)
        return (await create_key(session, workspace_id, "owner", valid_for, scopes)).key


async def create(client: Client, status: int = 201, **body: Any) -> Any:
    return read_answer(await client.post("/v1/api-keys", json={"name": "Newsroom", **body}), status)


async def test_a_key_is_created_used_listed_and_revoked(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack)) as client:
        created = await create(client, scopes=["write", "read"])
        assert created["scopes"] == ["read", "write"]
        async with make_client(app, created["key"]) as narrow:
            assert (await narrow.get("/v1/posts")).status_code == 200
            assert (await narrow.get("/v1/api-keys")).status_code == 403
            me = (await narrow.get("/v1/me")).json()
            assert me["key"]["scopes"] == ["read", "write"]
            assert me["usage"]["openPosts"]["used"] == me["usage"]["media"]["used"] == 0
            keys = (await client.get("/v1/api-keys", params={"limit": 1})).json()
            assert [key["id"] for key in keys["keys"]] == [created["id"]]
            assert created["key"] not in str(keys)
            assert keys["keys"][0]["prefix"] == created["key"][:9]
            older = (await client.get("/v1/api-keys", params={"cursor": keys["cursor"]})).json()
            assert {key["name"] for key in older["keys"]} >= {"owner"}
            revoked = await client.delete(f"/v1/api-keys/{created['id']}")
            assert revoked.json()["revokedAt"] is not None
            again = await client.delete(f"/v1/api-keys/{created['id']}")
            assert again.json()["revokedAt"] == revoked.json()["revokedAt"]
            await asyncio.sleep(1.1)
            assert (await narrow.get("/v1/posts")).status_code == 401


async def test_a_key_gives_no_scope_that_it_lacks(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack, [Scope.READ, Scope.KEYS])) as client:
        assert (await create(client, 403, scopes=["read", "accounts"]))["param"] == "scopes"
        # Without a choice it would be read and write.
        assert (await create(client, 403))["code"] == "insufficient_scope"
        assert (await create(client, scopes=["read"]))["scopes"] == ["read"]


async def test_a_key_ends_no_later_than_its_creator(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack, days=10)) as client:
        assert (await create(client, 422, expiresInDays=11))["param"] == "expiresAt"
        assert (await create(client))["expiresAt"] == (await client.get("/v1/me")).json()["key"]["expiresAt"]
        assert (await create(client, expiresInDays=9))["expiresAt"] is not None


async def test_a_key_may_end_after_an_hour(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack, days=10)) as client:
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        for text in (end.isoformat(), end.replace(tzinfo=None).isoformat()):
            assert (await create(client, expiresAt=text))["expiresAt"] == rfc3339(end)
        assert (await create(client, 422, expiresAt=rfc3339(end + timedelta(days=11))))["param"] == "expiresAt"
        for wrong in (
            {"expiresAt": rfc3339(end), "expiresInDays": 1},
            {"expiresAt": rfc3339(end - timedelta(hours=2))},
            {"expiresAt": rfc3339(end + timedelta(days=4000))},
            {"expiresAt": "tomorrow"},
        ):
            refused = await create(client, 400, **wrong)
            assert (refused["code"], refused["param"]) == ("invalid_field_value", "expiresAt"), wrong


async def test_a_key_ends_and_replaces_none_that_may_do_more(app: Any, stack: Stack) -> None:
    key = await owner(stack)
    async with make_client(app, key) as client:
        scopes = [["keys"], ["keys", "read"], list(ALL_SCOPES)]
        weak, middle, strong = [await create(client, scopes=chosen) for chosen in scopes]
    keys = [weak, middle, strong]
    for number, caller in enumerate(keys):
        async with make_client(app, caller["key"]) as client:
            for stronger in keys[number + 1 :]:
                path = f"/v1/api-keys/{stronger['id']}"
                for refused in (await client.delete(path), await client.post(f"{path}/rotate")):
                    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
            for other in keys[: number + 1]:
                assert (await client.post(f"/v1/api-keys/{other['id']}/rotate")).status_code in {201, 409}
    for number in reversed(range(3)):
        async with make_client(app, keys[number]["key"]) as client:
            assert (await client.delete(f"/v1/api-keys/{keys[number]['id']}")).status_code == 200


async def test_a_key_is_replaced_with_an_overlap(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack)) as client:
        old = await create(client, scopes=["read"])
        answer = await client.post(f"/v1/api-keys/{old['id']}/rotate", json={"overlapHours": 1})
        new = answer.json()
        assert (answer.status_code, new["scopes"], new["name"]) == (201, ["read"], "Newsroom")
        for key in old["key"], new["key"]:
            async with make_client(app, key) as narrow:
                assert (await narrow.get("/v1/posts")).status_code == 200
        rows = {key["id"]: key for key in (await client.get("/v1/api-keys")).json()["keys"]}
        assert rows[old["id"]]["replacedBy"] == new["id"]
        assert rows[old["id"]]["expiresAt"] is not None
        assert rows[new["id"]]["expiresAt"] is None
        assert (await client.post(f"/v1/api-keys/{old['id']}/rotate")).status_code == 409


async def test_a_key_that_is_replaced_without_an_overlap_ends_at_once(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack)) as client:
        old = await create(client, scopes=["read"])
        assert (await client.post(f"/v1/api-keys/{old['id']}/rotate", json={"overlapHours": 0})).status_code == 201
        async with make_client(app, old["key"]) as narrow:
            assert (await narrow.get("/v1/posts")).status_code == 401


async def test_two_replacements_at_the_same_time_make_one_key(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack)) as client:
        old = await create(client)
        answers = await asyncio.gather(*(client.post(f"/v1/api-keys/{old['id']}/rotate") for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_key_makes_no_more_requests_than_its_creator(app: Any, stack: Stack) -> None:
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        slow = await create_key(session, workspace_id, "slow", rate_per_minute=100)
        usual = await create_key(session, workspace_id, "usual")
    async with limited_app(stack, requests=requests_policy(600)) as limited, make_client(limited, slow.key) as client:
        assert (await create(client))["ratePerMinute"] == 100
        assert (await create(client, 422, ratePerMinute=101))["param"] == "ratePerMinute"
        assert (await create(client, ratePerMinute=99))["ratePerMinute"] == 99
        refused = await client.post(f"/v1/api-keys/{usual.id}/rotate")
        assert (refused.status_code, problems(refused)[0]["param"]) == (422, "ratePerMinute")
    async with limited_app(stack, requests=requests_policy(600)) as limited, make_client(limited, usual.key) as client:
        assert (await create(client))["ratePerMinute"] is None
        assert (await create(client, 422, ratePerMinute=601))["param"] == "ratePerMinute"
        assert (await client.post(f"/v1/api-keys/{slow.id}/rotate")).json()["ratePerMinute"] == 100
        listed = {key["name"]: key["ratePerMinute"] for key in (await client.get("/v1/api-keys")).json()["keys"]}
        assert (listed["slow"], listed["usual"]) == (100, None)
    # A fast key that replaces a usual one gives it the usual number: the database does not know that.
    async with stack.database.transaction() as session:
        fast = await create_key(session, workspace_id, "fast", rate_per_minute=5_000)
        free = await create_key(session, workspace_id, "free", rate_per_minute=0)
    async with limited_app(stack, requests=requests_policy(600)) as limited, make_client(limited, fast.key) as client:
        assert (await client.post(f"/v1/api-keys/{usual.id}/rotate")).json()["ratePerMinute"] == 600
        assert (await client.post(f"/v1/api-keys/{free.id}/rotate")).status_code == 422
    async with make_client(app, free.key) as client:
        assert (await create(client))["ratePerMinute"] == 0


async def test_a_key_sees_what_is_left_of_its_limits(app: Any, stack: Stack) -> None:
    key = await owner(stack)
    async with make_client(app, key) as client:
        assert (await client.get("/v1/me")).json()["limits"] == {"requests": None, "posts": None}
    async with limited_app(stack, requests_policy(600), posts_policy()) as limited, make_client(limited, key) as client:
        await client.delete("/v1/posts/post_unknown")
        limits = (await client.get("/v1/me")).json()["limits"]
    assert {
        name: (limit["limit"], limit["burst"], limit["burst"] >= limit["remaining"] >= least)
        for (name, limit), least in zip(limits.items(), (598, 9_980), strict=True)
    } == {
        "requests": (600, 600, True),
        "posts": (6_000, 10_000, True),
    }


async def test_keys_of_other_workspaces_do_not_exist(app: Any, stack: Stack) -> None:
    async with make_client(app, await owner(stack)) as client, make_client(app, await owner(stack)) as other:
        key = await create(client)
        assert (await other.delete(f"/v1/api-keys/{key['id']}")).status_code == 404
        assert (await other.post(f"/v1/api-keys/{key['id']}/rotate")).status_code == 404
        assert (await other.delete("/v1/api-keys/key_%00")).status_code == 404


async def test_the_number_of_keys_is_bounded(app: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_KEYS", 3)
    async with make_client(app, await owner(stack)) as client:
        before = len((await client.get("/v1/api-keys")).json()["keys"])
        for _ in range(3 - before):
            await create(client)
        assert (await create(client, 422))["code"] == "too_many_keys"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["admin"]},
        {"name": "x", "expiresInDays": 0},
        {"name": "x", "key": "sk_mine"},
    ],
)
async def test_wrong_bodies_get_clear_errors(app: Any, stack: Stack, body: dict[str, Any]) -> None:
    async with make_client(app, await owner(stack)) as client:
        answer = await client.post("/v1/api-keys", json=body)
    assert answer.status_code == 400
    assert problems(answer)[0]["param"]


class TestRole:
    """An attacker in the API, who has its role and all that it may read."""

    async def test_a_digest_issues_no_key(self, stack: Stack) -> None:
        key = await owner(stack)
        async with stack.api_database.transaction() as session:
            for sent in digest(key).hex(), str(digest(key)), "", "sk_" + "a" * 43:
                assert await issue_key(session, sent, KeyWish("x", [Scope.READ], None)) is None
            assert await issue_key(session, key, KeyWish("x", [Scope.READ], None)) is not None
            # 0 is any number.
            assert await issue_key(session, key, KeyWish("x", [Scope.READ], None, 0)) is None

    async def test_a_key_without_the_scope_keys_issues_and_revokes_none(self, stack: Stack) -> None:
        key = await owner(stack, [Scope.READ, Scope.WRITE])
        async with stack.api_database.transaction() as session:
            assert await issue_key(session, key, KeyWish("x", [Scope.READ], None)) is None
            own = await session.scalar(text("SELECT id FROM api_keys WHERE sha256 = :sha256"), {"sha256": digest(key)})
            assert not await session.scalar(text("SELECT revoke_key_v1(:key, :id)"), {"key": key, "id": own})
