"""Many posts are inserted by a few statements, as one post is by its own."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import PostStatus
from store.database import Database
from store.models import Post, Target
from store.posts.contents import NewPost, new_columns, post_content
from store.posts.creating import create_post, create_posts, read_post
from tests.store.posts.test_creating import new, values
from tests.store.posts.test_queries import CONTENT, NOW

LATER = NOW + timedelta(days=10_000)


def new_row(workspace: str, content: PostContent, status: PostStatus = PostStatus.SCHEDULED) -> NewPost:
    post_id = new_id("post")
    due_at = None if status is PostStatus.DRAFT else LATER
    return new_columns(post_id, workspace, post_id, content, status=status, due_at=due_at, now=NOW)


async def insert(database: Database, *posts: NewPost) -> None:
    async with database.transaction() as session:
        await create_posts(session, posts)


async def test_rows_of_many_are_those_of_one(database: Database, workspace: str) -> None:
    alone = new(workspace)
    await create_post(database, alone)
    many = [new_row(workspace, CONTENT), new_row(workspace, CONTENT.model_copy(update={"targets": []}))]
    await insert(database, *many)
    expected = await read_post(database, workspace, alone.id)
    stored = await read_post(database, workspace, many[0].columns["id"])
    assert expected is not None
    assert stored is not None
    assert post_content(stored) == CONTENT
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
    later, draft = new_row(workspace, CONTENT), new_row(workspace, CONTENT, PostStatus.DRAFT)
    soon = new_row(workspace, CONTENT)
    soon.columns["due_at"] = NOW
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
