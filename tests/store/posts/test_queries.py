"""Rows of posts: they are stored without a loss, and only allowed changes are made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import Media, MediaType, PostStatus
from store.database import Database
from store.models import Post
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.posts.queries import is_moving

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


async def test_unsettled_post_has_a_next_step(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    async with database.transaction() as session:
        assert await is_moving(session, post.id)
        assert not await is_moving(session, "post_none")
