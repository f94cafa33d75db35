"""The rows behind Idempotency-Key."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select

from domain.content import PostContent
from domain.ids import new_id, workflow_id
from domain.post import PostStatus
from store.database import Database
from store.models import IdempotencyKey, Post
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.posts.idempotency import (
    KEPT,
    LIFETIME,
    KeyedRequest,
    acquire_key,
    delete_expired_keys,
    find_key,
    keep_response,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def request_(workspace: str) -> KeyedRequest:
    return KeyedRequest(workspace, "key", b"1" * 32)


async def test_the_first_takes_it_and_it_expires(database: Database, request_: KeyedRequest) -> None:
    async def take(post_id: str, now: datetime) -> int | None:
        async with database.transaction() as session:
            return await acquire_key(session, request_, post_id, now, None)

    assert await take("post_1", NOW) == 1
    assert await take("post_2", NOW + LIFETIME - timedelta(microseconds=1)) is None
    assert await take("post_3", NOW + LIFETIME) == 2
    assert await take("post_4", NOW + 2 * LIFETIME) == 3


async def test_one_of_concurrent_requests_takes_the_key(database: Database, request_: KeyedRequest) -> None:
    async def take(number: int) -> int | None:
        async with database.transaction() as session:
            return await acquire_key(session, request_, f"post_{number}", NOW, None)

    taken = await asyncio.gather(*(take(number) for number in range(10)))
    assert sorted(taken, key=str) == [1, *[None] * 9]


async def test_a_transaction_that_fails_frees_the_key(database: Database, request_: KeyedRequest) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            assert await acquire_key(session, request_, "post_1", NOW, None) == 1
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.transaction() as session:
        assert await find_key(session, request_, NOW) is None
        assert await acquire_key(session, request_, "post_2", NOW, None) == 1


async def test_a_late_answer_does_not_reach_the_keys_next_use(database: Database, request_: KeyedRequest) -> None:
    async with database.transaction() as session:
        await acquire_key(session, request_, "post_1", NOW, None)
        await acquire_key(session, replace(request_, sha256=b"2" * 32), "post_2", NOW + LIFETIME, None)
    assert await keep_response(database, request_, "post_1", 201, b"late") == (201, b"late")
    async with database.transaction() as session:
        known = await find_key(session, request_, NOW + LIFETIME)
        assert known is not None
        assert (known.post_id, known.request_sha256, known.response_body) == ("post_2", b"2" * 32, None)


async def use(database: Database, request: KeyedRequest, post_id: str, now: datetime) -> int:
    async with database.transaction() as session:
        generation = await acquire_key(session, request, post_id, now, (201, b"content"))
        assert generation is not None
        return generation


async def delete(database: Database, now: datetime) -> int:
    async with database.transaction() as session:
        return await delete_expired_keys(session, now, 1000)


async def read_key(database: Database, request: KeyedRequest) -> IdempotencyKey | None:
    async with database.transaction() as session:
        return await session.get(IdempotencyKey, (request.workspace_id, request.key))


async def save(database: Database, request: KeyedRequest, generation: int) -> str:
    """Insert a post of the key; returns its id."""
    post_id = new_id("post")
    content = PostContent(
        content="a", media_items=[], targets=[], tags=[], timezone="UTC", scheduled_for=None, scheduled_wall=None
    )
    workflow = workflow_id(request.workspace_id, post_id, request.key, generation)
    post = new_columns(
        post_id, request.workspace_id, workflow, content, status=PostStatus.PUBLISHED, due_at=NOW, now=NOW
    ).as_post()
    await create_post(database, post)
    return post_id


async def test_an_answer_is_deleted_when_its_key_expires_and_the_row_stays(
    database: Database, request_: KeyedRequest
) -> None:
    await use(database, request_, "post_1", NOW)
    await delete(database, NOW + LIFETIME - timedelta(seconds=1))
    known = await read_key(database, request_)
    assert known is not None
    assert known.response_body == b"content"
    await delete(database, NOW + LIFETIME)
    known = await read_key(database, request_)
    assert known is not None
    assert (known.generation, known.response_body, known.response_status) == (1, None, None)
    assert await use(database, request_, "post_2", NOW + LIFETIME) == 2


@pytest.mark.parametrize("key", ["key", "k" * 255])
@pytest.mark.parametrize("generation", [1, 2, 3])
async def test_a_key_is_deleted_once_no_post_needs_its_generation(
    database: Database, request_: KeyedRequest, generation: int, key: str
) -> None:
    request = replace(request_, key=key)
    for number in range(3):
        assert await use(database, request, f"post_{number}", NOW + number * LIFETIME) == number + 1
    post_id = await save(database, request, generation)
    late = NOW + 3 * LIFETIME + KEPT
    await delete(database, late - timedelta(seconds=1))
    await delete(database, late)
    assert await read_key(database, request) is not None
    async with database.transaction() as session:
        await session.execute(sql_delete(Post).where(Post.id == post_id))
    await delete(database, late + KEPT - timedelta(seconds=1))
    assert await read_key(database, request) is not None
    await delete(database, late + KEPT)
    assert await read_key(database, request) is None
    assert await use(database, request, "post_9", late + KEPT) == 1


async def test_a_key_that_is_used_again_is_kept(database: Database, request_: KeyedRequest) -> None:
    await use(database, request_, "post_1", NOW)
    again = NOW + LIFETIME + KEPT
    assert await use(database, request_, "post_2", again) == 2
    await delete(database, again + timedelta(seconds=1))
    known = await read_key(database, request_)
    assert known is not None
    assert (known.post_id, known.response_body, known.check_at) == ("post_2", b"content", again + LIFETIME)


async def test_keys_are_deleted_in_batches(database: Database, request_: KeyedRequest) -> None:
    for number in range(5):
        await use(database, replace(request_, key=f"{number}"), f"post_{number}", NOW - timedelta(days=900))
    async with database.transaction() as session:
        assert await delete_expired_keys(session, NOW, 2) == 2
    async with database.transaction() as session:
        remaining = await session.scalar(
            select(func.count()).where(IdempotencyKey.workspace_id == request_.workspace_id)
        )
    assert remaining == 3
