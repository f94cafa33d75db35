"""Rows of posts: they are stored without a loss, and only allowed changes are made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import Media, MediaType, PostStatus
from store.database import Database
from store.models import Post, Target
from store.posts.contents import new_columns, post_content, rewrite
from store.posts.creating import create_post
from store.posts.delivery import record_delivered
from store.posts.list_filters import Filter, Position
from store.posts.lists import Page, list_posts
from store.posts.queries import find_post, is_moving
from store.workspaces.keys import create_workspace
from tests.stack import CLIENT
from tests.store.publishing.sends import read

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
IMAGE = Media(type=MediaType.IMAGE, url="https://example.com/a.jpg", alt_text="A")
CONTENT = PostContent(
    content="text",
    media_items=[IMAGE],
    targets=[
        TargetContent(
            platform="twitter", account_id="tw_1", custom_content="own", settings={"replySettings": "following"}
        ),
        TargetContent(platform="instagram", account_id="ig_1", custom_media=[]),
    ],
    tags=["a", "b"],
    timezone="Europe/Paris",
    scheduled_for=NOW + timedelta(days=1),
    scheduled_wall="2026-11-02T13:00:00",
    tiktok_settings={"privacyLevel": "SELF_ONLY"},
    facebook_settings={"x": [1, None, {"y": "é"}]},
)


async def save(database: Database, workspace: str, content: PostContent = CONTENT, **more: Any) -> Post:
    post_id = new_id("post")
    values = {"status": PostStatus.SCHEDULED, "due_at": content.scheduled_for, "now": NOW, **more}
    post = new_columns(post_id, workspace, post_id, content, **values).as_post()
    await create_post(database, post)
    return post


def columns(row: Post | Target) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__mapper__.column_attrs.keys()}  # noqa: SIM118


async def test_stored_posts_are_read_back_unchanged(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    stored = await read(database, post)
    assert post_content(stored) == CONTENT
    assert columns(stored) == columns(post)
    assert [columns(target) for target in stored.targets] == [columns(target) for target in post.targets]


async def test_a_post_belongs_to_its_workspace(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    async with database.transaction() as session:
        other = await create_workspace(session, new_id("w"))
        assert await find_post(session, other, post.id) is None
    assert await list_posts(database, other, Filter(), 10) == Page([], last=None)


async def test_unsettled_post_has_a_next_step(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    async with database.transaction() as session:
        assert await is_moving(session, post.id)
        assert not await is_moving(session, "post_none")


class TestRewrite:
    async def test_keeps_matching_rows_and_drops_outdated_handles(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace)
        twitter, instagram = post.targets
        async with database.transaction() as session:
            await session.execute(update(Target).where(Target.post_id == post.id).values(handles={"mediaId": "1"}))
        newer = CONTENT.model_copy(
            update={
                "targets": [
                    CONTENT.targets[1],
                    TargetContent(platform="twitter", account_id="tw_2"),
                    CONTENT.targets[0].model_copy(update={"custom_media": [IMAGE]}),
                ]
            }
        )
        async with database.transaction() as session:
            locked = await find_post(session, workspace, post.id, lock=True)
            assert locked is not None
            rewrite(locked, newer, CLIENT, status=PostStatus.SCHEDULED, due_at=NOW, now=NOW + timedelta(seconds=1))
        stored = await read(database, post)
        assert post_content(stored) == newer
        assert (stored.due_at, stored.updated_at, stored.created_at) == (NOW, NOW + timedelta(seconds=1), NOW)
        first, second, third = stored.targets
        assert (first.id, third.id) == (instagram.id, twitter.id)
        assert second.account_id == "tw_2"
        assert third.handles == {"earlier": {"mediaId": "1"}}

    async def test_a_changed_post_must_be_notified_again(self, database: Database, workspace: str) -> None:
        post = await save(database, workspace, status=PostStatus.DRAFT, due_at=None)
        async with database.transaction() as session:
            await record_delivered(session, {post.id: 1})
        assert (await read(database, post)).is_delivered
        async with database.transaction() as session:
            locked = await find_post(session, workspace, post.id, lock=True)
            assert locked is not None
            rewrite(locked, CONTENT, CLIENT, status=PostStatus.SCHEDULED, due_at=NOW, now=NOW)
        stored = await read(database, post)
        assert (stored.version, stored.delivered_version, stored.is_delivered) == (2, 1, False)


async def test_pages_are_cut_by_id(database: Database, workspace: str) -> None:
    ids = [(await save(database, workspace)).id for _ in range(5)]
    page = await list_posts(database, workspace, Filter(), 2)
    rest = await list_posts(database, workspace, Filter(after=Position(page.posts[-1].id)), 10)
    assert [post.id for post in (*page.posts, *rest.posts)] == ids[::-1]
    assert (page.more, rest.more) == (True, False)
