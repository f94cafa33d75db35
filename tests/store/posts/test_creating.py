"""Posts are created, read and answered by one statement each, and many by few statements."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from domain.content import PostContent, TargetContent
from domain.ids import new_id, workflow_id
from domain.post import PostStatus
from store.accounts.connected import find_accounts, save_account
from store.database import Database
from store.models import Base, ConnectedAccount, IdempotencyKey, Post, Target
from store.posts.contents import NewPost, new_columns, post_content
from store.posts.creating import ExternalIdTakenError, create_post, create_posts, read_accounts, read_post
from store.posts.idempotency import LIFETIME, KeyedRequest, acquire_key, find_key
from store.posts.queries import find_post
from store.rows import columns
from store.secrets.vault import Vault, new_key
from tests.store.posts.test_contents import MOMENT, TEXTS

LATER = MOMENT + timedelta(days=10_000)


def new_row(workspace: str, content: PostContent, status: PostStatus = PostStatus.SCHEDULED) -> NewPost:
    post_id = new_id("post")
    due_at = None if status is PostStatus.DRAFT else LATER
    return new_columns(post_id, workspace, post_id, content, status=status, due_at=due_at, now=MOMENT)


async def insert(database: Database, *posts: NewPost) -> None:
    async with database.transaction() as session:
        await create_posts(session, posts)


async def test_rows_of_many_are_those_of_one(database: Database, workspace: str) -> None:
    alone = new(workspace)
    await create_post(database, alone)
    many = [new_row(workspace, TEXTS), new_row(workspace, TEXTS.model_copy(update={"targets": []}))]
    await insert(database, *many)
    expected = await read_post(database, workspace, alone.id)
    stored = await read_post(database, workspace, many[0].columns["id"])
    assert expected is not None
    assert stored is not None
    assert post_content(stored) == TEXTS
    differing = {"id", "workflow_id", "status", "due_at", "next_delivery_at", "created_at"}
    assert {name: value for name, value in values(stored).items() if name not in differing} == {
        name: value for name, value in values(expected).items() if name not in differing
    }
    for mine, other in zip(stored.targets, expected.targets, strict=True):
        own = {"id", "post_id", "due_at"}
        assert {name: value for name, value in values(mine).items() if name not in own} == {
            name: value for name, value in values(other).items() if name not in own
        }
    assert (await read_post(database, workspace, many[1].columns["id"]) or alone).targets == []


async def test_a_post_that_is_not_due_soon_waits_for_the_pace_of_bulk_operations(
    database: Database, workspace: str
) -> None:
    later, draft = new_row(workspace, TEXTS), new_row(workspace, TEXTS, PostStatus.DRAFT)
    soon = new_row(workspace, TEXTS)
    soon.columns["due_at"] = MOMENT
    await insert(database, later, draft, soon)
    stored = [await read_post(database, workspace, post.columns["id"]) for post in (later, draft, soon)]
    assert [post.next_delivery_at for post in stored if post] == [LATER - timedelta(minutes=1), None, None]


async def test_posts_and_targets_of_several_statements_are_all_inserted(
    database: Database, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.posts.creating.POSTS_OF_A_STATEMENT", 3)
    targets = [TargetContent(platform="twitter", account_id=f"tw_{number}") for number in range(2)]
    posts = [new_row(workspace, PostContent(content=f"{number}", targets=targets)) for number in range(10)]
    await insert(database, *posts)
    ids = [post.columns["id"] for post in posts]
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).where(Post.id.in_(ids))) == 10
        assert await session.scalar(select(func.count()).where(Target.post_id.in_(ids))) == 20


PLAIN = PostContent(content=None, targets=[])


def new(workspace: str, content: PostContent = TEXTS, status: PostStatus = PostStatus.PUBLISHING) -> Post:
    post_id = new_id("post")
    due = None if status is PostStatus.DRAFT else MOMENT
    return new_columns(post_id, workspace, post_id, content, status=status, due_at=due, now=MOMENT).as_post()


def keyed(workspace: str, key: str) -> KeyedRequest:
    return KeyedRequest(workspace, key, b"\x00digest")


def values(row: Base) -> dict[str, object]:
    return {name: getattr(row, name) for name in columns(type(row))}


async def find(database: Database, post: Post) -> Post | None:
    async with database.transaction() as session:
        return await find_post(session, post.workspace_id, post.id)


async def read_key(database: Database, request: KeyedRequest) -> IdempotencyKey | None:
    async with database.transaction() as session:
        return await find_key(session, request, MOMENT)


@pytest.mark.parametrize("content", [TEXTS, PLAIN])
async def test_stored_posts_are_read_back_unchanged(database: Database, workspace: str, content: PostContent) -> None:
    post = new(workspace, content)
    assert await create_post(database, post)
    for stored in (await find(database, post), await read_post(database, workspace, post.id)):
        assert stored is not None
        assert post_content(stored) == content
        assert values(stored) == values(post)
        assert [values(target) for target in stored.targets] == [values(target) for target in post.targets]


@pytest.mark.parametrize("key", ["again", "é" * 200])
async def test_an_expired_key_gives_its_next_generation(database: Database, workspace: str, key: str) -> None:
    request = keyed(workspace, key)
    for generation in (1, 2, 3):
        post = new(workspace)
        post.workflow_id = workflow_id(workspace, post.id, key)
        assert await create_post(database, post, request, MOMENT + generation * LIFETIME)
        stored = await find(database, post)
        assert stored is not None
        assert stored.workflow_id == post.workflow_id == workflow_id(workspace, post.id, key, generation)


async def test_a_taken_external_id_leaves_the_key_free(database: Database, workspace: str) -> None:
    first, second, third, request = *(new(workspace) for _ in range(3)), keyed(workspace, "external")
    first.external_id = second.external_id = "one of ours"
    assert await create_post(database, first)
    with pytest.raises(ExternalIdTakenError):
        await create_post(database, second, request, MOMENT)
    assert await create_post(database, third, request, MOMENT)


async def test_one_of_many_requests_gets_the_key(database: Database, workspace: str) -> None:
    for number in range(10):
        posts, request = [new(workspace) for _ in range(6)], keyed(workspace, f"crowd {number}")
        results = await asyncio.gather(*(create_post(database, post, request, MOMENT, None) for post in posts))
        assert sum(results) == 1
        assert [await find(database, post) is not None for post in posts] == results
        key = await read_key(database, request)
        assert key is not None
        assert key.post_id == posts[results.index(True)].id


async def test_a_key_in_use_is_not_taken_twice(database: Database, workspace: str) -> None:
    first, second, request = new(workspace), new(workspace), keyed(workspace, "under way")
    async with database.transaction() as session:
        await acquire_key(session, request, first.id, MOMENT, None)
        creating = asyncio.create_task(create_post(database, second, request, MOMENT, None))
        await asyncio.sleep(0.1)
        assert not creating.done()
    assert not await creating


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
    accounts = await read_accounts(database, workspace, ["tw_1", "tw_3", "tw_9"])
    assert {name: values(account) for name, account in accounts.items()} == {
        name: values(account) for name, account in expected.items()
    }
    assert values(accounts["tw_1"]) == {name: getattr(saved[0], name) for name in columns(ConnectedAccount)}
    assert values(accounts["tw_1"]).keys() == values(saved[0]).keys() - {"credentials"}
    assert await read_accounts(database, "ws_other", ["tw_1"]) == {}
    assert await read_accounts(database, workspace, []) == {}
