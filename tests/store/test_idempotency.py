"""The rows behind Idempotency-Key."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import new_id
from store.database import Database
from store.idempotency import LIFETIME, KeyedRequest, claim, find_key, forget_expired_answers, keep_response
from store.workspaces import create_workspace
from tests.stack import new_database

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture
async def request_(database: Database) -> KeyedRequest:
    async with database.transaction() as session:
        return KeyedRequest(await create_workspace(session, new_id("w")), "key", b"1" * 32)


async def test_the_first_takes_it_and_it_expires(database: Database, request_: KeyedRequest) -> None:
    async def take(post_id: str, now: datetime) -> int | None:
        async with database.transaction() as session:
            return await claim(session, request_, post_id, now, None)

    assert await take("post_1", NOW) == 1
    assert await take("post_2", NOW + LIFETIME - timedelta(microseconds=1)) is None
    assert await take("post_3", NOW + LIFETIME) == 2
    assert await take("post_4", NOW + 2 * LIFETIME) == 3


async def test_racing_takers_are_one(database: Database, request_: KeyedRequest) -> None:
    async def take(number: int) -> int | None:
        async with database.transaction() as session:
            return await claim(session, request_, f"post_{number}", NOW, None)

    taken = await asyncio.gather(*(take(number) for number in range(10)))
    assert sorted(taken, key=str) == [1, *[None] * 9]


async def test_a_transaction_that_fails_frees_the_key(database: Database, request_: KeyedRequest) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            assert await claim(session, request_, "post_1", NOW, None) == 1
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.transaction() as session:
        assert await find_key(session, request_, NOW) is None
        assert await claim(session, request_, "post_2", NOW, None) == 1


async def test_the_first_answer_is_everybodys(database: Database, request_: KeyedRequest) -> None:
    async with database.transaction() as session:
        await claim(session, request_, "post_1", NOW, None)
        assert await keep_response(session, request_, "post_1", 201, b"one") == (201, b"one")
        assert await keep_response(session, request_, "post_1", 200, b"two") == (201, b"one")


async def test_a_late_answer_does_not_reach_the_keys_next_use(database: Database, request_: KeyedRequest) -> None:
    async with database.transaction() as session:
        await claim(session, request_, "post_1", NOW, None)
        await claim(session, replace(request_, sha256=b"2" * 32), "post_2", NOW + LIFETIME, None)
        assert await keep_response(session, request_, "post_1", 201, b"late") == (201, b"late")
        known = await find_key(session, request_, NOW + LIFETIME)
        assert known is not None
        assert (known.post_id, known.request_sha256, known.response_body) == ("post_2", b"2" * 32, None)


async def test_expired_answers_are_forgotten_and_their_keys_are_not(database: Database, request_: KeyedRequest) -> None:
    async with database.transaction() as session:
        await claim(session, request_, "post_1", NOW, (201, b"content"))
        known = await find_key(session, request_, NOW)
        assert known is not None
        assert known.response_body == b"content"
    async with database.transaction() as session:
        await forget_expired_answers(session, NOW + LIFETIME + timedelta(seconds=1))
    async with database.transaction() as session:
        known = await find_key(session, request_, NOW)
        assert known is not None
        assert (known.generation, known.response_body) == (1, None)
