"""API keys: what they give access to, until when, and the record of their use."""

import asyncio
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from litestar import Litestar
from sqlalchemy import update
from structlog.testing import capture_logs

from api.auth import API_KEYS, TokenCache
from api.errors import Unauthorized
from store.models import ApiKey
from store.workspaces.keys import Caller, create_key, list_keys, revoke_key
from tests.api.conftest import make_client
from tests.stack import Stack
from tests.statements import Statement

WITHIN_S = 2.0
"""Every process must refuse a revoked key after this time."""


async def new_key(stack: Stack, valid_for: timedelta | None = None) -> tuple[str, str]:
    """Return the id and the key of a new workspace."""
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        created = await create_key(session, workspace_id, "test", valid_for)
    return created.id, created.key


async def change(stack: Stack, key_id: str, **values: Any) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(**values))


async def last_used(stack: Stack, key_id: str) -> datetime | None:
    async with stack.database.transaction() as session:
        return next(key.last_used_at for key, _ in await list_keys(session) if key.id == key_id)


async def test_revoked_key_is_refused_within_two_seconds(app: Any, stack: Stack) -> None:
    key_id, key = await new_key(stack)
    async with make_client(app, key) as client:
        assert (await client.get("/v1/posts")).status_code == 200
        async with stack.database.transaction() as session:
            assert await revoke_key(session, key_id)
        revoked = asyncio.get_running_loop().time()
        while (await client.get("/v1/posts")).status_code == 200:
            assert asyncio.get_running_loop().time() < revoked + WITHIN_S, "the key still works"
            await asyncio.sleep(0.05)
        assert (await client.get("/v1/posts")).json()["code"] == "invalid_credentials"


async def test_requests_with_one_key_share_a_look_up(app: Any, stack: Stack, statements: list[Statement]) -> None:
    _, key = await new_key(stack)
    async with make_client(app, key) as client:
        await client.get("/v1/posts")
        await asyncio.sleep(1.1)
        statements.clear()
        await asyncio.gather(*(client.get("/v1/posts") for _ in range(50)))
    assert len([statement for statement in statements if "api_keys" in statement.text]) == 1


async def test_a_key_that_is_cut_off_or_mistyped_costs_no_query(
    app: Any, stack: Stack, statements: list[Statement]
) -> None:
    _, key = await new_key(stack)
    other = "a" if key[20] != "a" else "b"
    wrong = (
        *(key[:length] for length in (0, 3, 9, 45, len(key) - 1)),
        key[:20] + other + key[21:],
        key[:20] + key[21] + key[20] + key[22:] if key[20] != key[21] else key[1:],
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        key.upper(),
        f"{key}a",
        f"{key},{key}",
        f"{key}\u00e9",
    )
    statements.clear()
    async with make_client(app, None) as client:
        for text in wrong:
            answer = await client.get("/v1/me", headers={b"Authorization": f"Bearer {text}".encode("latin-1")})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials"), len(text)
            assert not text or text not in answer.text
        assert [statement for statement in statements if "api_keys" in statement.text] == []
        assert (await client.get("/v1/me", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_an_expired_key_is_refused(app: Any, stack: Stack) -> None:
    _, key = await new_key(stack, timedelta(seconds=-1))
    async with make_client(app, key) as client:
        assert (await client.get("/v1/posts")).status_code == 401


async def test_a_key_that_expires_later_works(app: Any, stack: Stack) -> None:
    _, key = await new_key(stack, timedelta(minutes=1))
    async with make_client(app, key) as client:
        assert (await client.get("/v1/posts")).status_code == 200


class TestLastUse:
    async def test_last_use_is_written_at_most_once_a_minute(self, stack: Stack) -> None:
        key_id, key = await new_key(stack)
        assert await last_used(stack, key_id) is None
        await TokenCache(stack.api_database, API_KEYS).find(key)
        first = await last_used(stack, key_id)
        assert first is not None
        await TokenCache(stack.api_database, API_KEYS).find(key)
        assert await last_used(stack, key_id) == first
        await change(stack, key_id, last_used_at=first - timedelta(seconds=61))
        await TokenCache(stack.api_database, API_KEYS).find(key)
        again = await last_used(stack, key_id)
        assert again is not None
        assert again >= first

    async def test_a_refused_key_is_not_used(self, app: Any, stack: Stack) -> None:
        key_id, key = await new_key(stack)
        await change(stack, key_id, revoked_at=datetime.now(UTC))
        async with make_client(app, key) as client:
            assert (await client.get("/v1/posts")).status_code == 401
        assert await last_used(stack, key_id) is None

    async def test_no_request_waits_for_a_row_that_is_locked(self, stack: Stack) -> None:
        key_id, key = await new_key(stack)
        async with stack.database.transaction() as session:
            await session.execute(update(ApiKey).where(ApiKey.id == key_id).values(name="being renamed"))
            async with asyncio.timeout(60):
                caller = await TokenCache(stack.api_database, API_KEYS).find(key)
        assert caller.key_id == key_id


async def test_log_lines_name_the_key_by_its_id(app: Any, stack: Stack) -> None:
    key_id, key = await new_key(stack)
    # A test of a command may have left structlog with errors only, and past the standard library's logging.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    with capture_logs() as lines:
        async with make_client(app, key) as client:
            await client.get("/v1/posts")
            await client.get("/healthz")
    posts, health = (line for line in lines if line["event"] == "request")
    assert posts["key_id"] == key_id
    assert posts["workspace_id"].startswith("ws_")
    assert key not in str(posts)
    assert key_id not in str(health)
    assert "workspace_id" not in health


async def test_wrong_keys_cost_little(app: Litestar, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    at_once = most = 0

    async def recognize(_session: Any, key: str) -> Caller | None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        asked.append(hashlib.sha256(key.encode()).hexdigest())
        return None

    monkeypatch.setattr("api.auth.recognize_key", recognize)
    keys = TokenCache(stack.api_database, API_KEYS)

    async def refused(key: str) -> None:
        with pytest.raises(Unauthorized):
            await keys.find(key)

    for key in ("sk_", "sk_" + "a" * 42, "sk_" + "a" * 44, "pk_" + "a" * 43, "sk_" + "a" * 42 + "!"):
        await refused(key)
    assert asked == []
    same = "sk_" + secrets.token_urlsafe(32)
    await asyncio.gather(*(refused(same) for _ in range(50)))
    await refused(same)
    assert len(asked) <= 4
    await asyncio.gather(*(refused("sk_" + secrets.token_urlsafe(32)) for _ in range(40)))
    assert most <= 4
