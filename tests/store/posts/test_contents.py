"""A post's content goes through its rows without loss, and changes keep the rows that stay."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.audit import changes_between
from domain.content import PostContent, TargetContent, answer_bytes
from domain.ids import new_id
from domain.post import Media, MediaType, PostStatus
from store.database import Database
from store.models import Post
from store.posts.contents import new_columns, post_content
from store.posts.creating import create_post
from store.posts.queries import is_moving

MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PICTURE = Media(type=MediaType.IMAGE, url="https://example.com/a.jpg", alt_text="A")
TEXTS = PostContent(
    content="text",
    media_items=[PICTURE],
    targets=[
        TargetContent(
            platform="twitter", account_id="tw_1", custom_content="own", settings={"replySettings": "following"}
        ),
        TargetContent(platform="instagram", account_id="ig_1", custom_media=[]),
    ],
    tags=["a", "b"],
    timezone="Europe/Paris",
    scheduled_for=MOMENT + timedelta(days=1),
    scheduled_wall="2026-11-02T13:00:00",
    tiktok_settings={"privacyLevel": "SELF_ONLY"},
    facebook_settings={"x": [1, None, {"y": "é"}]},
)


async def save(database: Database, workspace: str, content: PostContent = TEXTS, **more: Any) -> Post:
    post_id = new_id("post")
    values = {"status": PostStatus.SCHEDULED, "due_at": content.scheduled_for, "now": MOMENT, **more}
    post = new_columns(post_id, workspace, post_id, content, **values).as_post()
    await create_post(database, post)
    return post


async def test_unsettled_post_has_a_next_step(database: Database, workspace: str) -> None:
    post = await save(database, workspace)
    async with database.transaction() as session:
        assert await is_moving(session, post.id)
        assert not await is_moving(session, "post_none")


NOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
PHOTO = Media(type=MediaType.IMAGE, url="https://example.com/photo.jpg", alt_text="A lighthouse")
EVERYTHING = PostContent(
    content="words",
    media_items=[PHOTO],
    targets=[
        TargetContent(
            platform="tiktok", account_id="tt_1", custom_content="own", custom_media=[PHOTO], settings={"draft": True}
        )
    ],
    tags=["spring"],
    timezone="Europe/Berlin",
    scheduled_for=NOW,
    scheduled_wall="2026-01-15T11:00:00",
    external_id="row-1",
    campaign_id="cmp_1",
    after_post_id="post_0",
    after_delay="PT2H",
    after_on_failure="skip",
    planned_for=NOW,
    tiktok_settings={"privacyLevel": "SELF_ONLY"},
    facebook_settings={"pageId": "1"},
    publish_within=60,
)


def test_every_field_is_set_in_these_tests() -> None:
    empty = PostContent()
    assert [name for name in PostContent.model_fields if getattr(EVERYTHING, name) == getattr(empty, name)] == []


def test_rows_keep_every_field() -> None:
    post = new_columns(
        "post_1", "ws_1", "ws_1/key", EVERYTHING, status=PostStatus.SCHEDULED, due_at=NOW, now=NOW
    ).as_post()
    assert post_content(post) == EVERYTHING


def test_every_field_that_a_client_writes_is_counted_and_named_in_the_trail() -> None:
    empty = PostContent()
    size = answer_bytes(empty)
    for name in PostContent.model_fields.keys() - {"targets"}:
        with_field = empty.model_copy(update={name: getattr(EVERYTHING, name)})
        assert answer_bytes(with_field) > size or name == "publish_within", name
        assert len(changes_between(empty, with_field)) == (name not in {"scheduled_wall", "planned_for"}), name
