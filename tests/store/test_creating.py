"""One statement each: created, read and answered as the sessions would."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from domain.content import PostContent
from domain.ids import new_id
from domain.post import PostStatus, TargetStatus
from store.accounts import find_accounts, save_account
from store.contents import content_of, new_post
from store.creating import create_at_once, is_moving, keep_first_response, read_accounts, read_post
from store.database import Database
from store.idempotency import LIFETIME, KeyedRequest, claim, find_key
from store.models import Base, ConnectedAccount, IdempotencyKey, Post, Target
from store.posts import find_post, insert_post
from store.posts import is_moving as is_moving_now
from store.rows import columns
from store.vault import Vault, new_key
from store.workspaces import create_workspace
from tests.stack import new_database
from tests.store.test_posts import CONTENT, NOW

PLAIN = PostContent(content=None, targets=[])


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def workspace(database: Database) -> str:
    async with database.transaction() as session:
        return await create_workspace(session, new_id("w"))


def new(workspace: str, content: PostContent = CONTENT, status: PostStatus = PostStatus.PUBLISHING) -> Post:
    post_id = new_id("post")
    due = None if status is PostStatus.DRAFT else NOW
    return new_post(post_id, workspace, post_id, content, status=status, due_at=due, now=NOW)


def keyed(workspace: str, key: str) -> KeyedRequest:
    return KeyedRequest(workspace, key, b"\x00digest")


def values(row: Base) -> dict[str, object]:
    return {name: getattr(row, name) for name in columns(type(row))}


async def find(database: Database, post: Post) -> Post | None:
    async with database.transaction() as session:
        return await find_post(session, post.workspace_id, post.id)


async def key_of(database: Database, request: KeyedRequest) -> IdempotencyKey | None:
    async with database.transaction() as session:
        return await find_key(session, request, NOW)


@pytest.mark.parametrize("content", [CONTENT, PLAIN])
async def test_what_goes_in_comes_out(database: Database, workspace: str, content: PostContent) -> None:
    post = new(workspace, content)
    assert await create_at_once(database, post, None, NOW, None)
    for found in (await find(database, post), await read_post(database, workspace, post.id)):
        assert found is not None
        assert content_of(found) == content
        assert values(found) == values(post)
        assert [values(target) for target in found.targets] == [values(target) for target in post.targets]


async def test_a_post_belongs_to_its_workspace(database: Database, workspace: str) -> None:
    post = new(workspace)
    await create_at_once(database, post, None, NOW, None)
    assert await read_post(database, "ws_other", post.id) is None
    assert await read_post(database, workspace, "post_none") is None


async def test_a_key_comes_with_its_post(database: Database, workspace: str) -> None:
    post, request = new(workspace, PLAIN, PostStatus.DRAFT), keyed(workspace, "é key")
    assert await create_at_once(database, post, request, NOW, (201, b"\x00body"))
    key = await key_of(database, request)
    assert key is not None
    assert (key.post_id, key.generation, key.request_sha256) == (post.id, 1, b"\x00digest")
    assert (key.response_status, key.response_body, key.expires_at) == (201, b"\x00body", NOW + LIFETIME)


@pytest.mark.parametrize("age", [timedelta(0), 2 * LIFETIME])
async def test_a_key_that_was_ever_used_is_left_to_the_long_way(
    database: Database, workspace: str, age: timedelta
) -> None:
    first, second, request = new(workspace), new(workspace), keyed(workspace, f"used {age}")
    async with database.transaction() as session:
        assert await claim(session, request, first.id, NOW - age, None) == 1
    assert not await create_at_once(database, second, request, NOW, None)
    assert await find(database, second) is None


async def test_only_one_of_many_gets_a_key(database: Database, workspace: str) -> None:
    for number in range(10):
        posts, request = [new(workspace) for _ in range(6)], keyed(workspace, f"crowd {number}")
        made = await asyncio.gather(*(create_at_once(database, post, request, NOW, None) for post in posts))
        assert sum(made) == 1
        assert [await find(database, post) is not None for post in posts] == made
        key = await key_of(database, request)
        assert key is not None
        assert key.post_id == posts[made.index(True)].id


async def test_a_key_is_not_taken_twice_while_the_first_is_still_at_it(database: Database, workspace: str) -> None:
    first, second, request = new(workspace), new(workspace), keyed(workspace, "under way")
    async with database.transaction() as session:
        await claim(session, request, first.id, NOW, None)
        creating = asyncio.create_task(create_at_once(database, second, request, NOW, None))
        await asyncio.sleep(0.1)
        assert not creating.done()
        await insert_post(session, first)
    assert not await creating


async def test_the_first_answer_stays(database: Database, workspace: str) -> None:
    post, request = new(workspace), keyed(workspace, "answer")
    await create_at_once(database, post, request, NOW, None)
    assert not await keep_first_response(database, request, "post_other", 201, b"other")
    assert await keep_first_response(database, request, post.id, 201, b"one")
    assert not await keep_first_response(database, request, post.id, 201, b"two")
    key = await key_of(database, request)
    assert key is not None
    assert (key.response_status, key.response_body) == (201, b"one")


async def test_accounts_are_read_as_a_session_reads_them(database: Database, workspace: str) -> None:
    async with database.transaction() as session:
        saved = [
            await save_account(
                session,
                Vault([SecretStr(new_key())]),
                workspace_id=workspace,
                account_id=account_id,
                platform="twitter",
                user_id="7",
                username="é",
                premium=True,
                credentials={"accessToken": "x"},
            )
            for account_id in ("tw_1", "tw_2", "tw_3")
        ]
        expected = await find_accounts(session, workspace, ["tw_1", "tw_3", "tw_9"])
    found = await read_accounts(database, workspace, ["tw_1", "tw_3", "tw_9"])
    assert {name: values(each) for name, each in found.items()} == {
        name: values(each) for name, each in expected.items()
    }
    assert values(found["tw_1"]) == {name: getattr(saved[0], name) for name in columns(ConnectedAccount)}
    assert values(found["tw_1"]).keys() == values(saved[0]).keys() - {"credentials"}
    assert await read_accounts(database, "ws_other", ["tw_1"]) == {}
    assert await read_accounts(database, workspace, []) == {}


@pytest.mark.parametrize(("status", "looking"), list(product(TargetStatus, [False, True])))
async def test_moving_means_the_same_to_both_ways(
    database: Database, workspace: str, status: TargetStatus, looking: bool
) -> None:
    for post_status in PostStatus:
        post = new(workspace)
        await create_at_once(database, post, None, datetime.now(UTC), None)
        async with database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post.id).values(status=post_status))
            published = update(Target).where(Target.post_id == post.id).values(status=TargetStatus.PUBLISHED)
            await session.execute(published)
            looking = looking and status is TargetStatus.UNCONFIRMED
            changed = update(Target).where(Target.id == post.targets[0].id).values(status=status, looking=looking)
            await session.execute(changed)
        async with database.transaction() as session:
            moving = await is_moving_now(session, post.id)
        found = await read_post(database, workspace, post.id)
        assert found is not None
        assert is_moving(found) == moving
