"""A post in a response is the same, whichever query read its rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api.posts.answers.rendering import render_post
from domain.content import PostContent, TargetContent
from domain.ids import new_id
from domain.post import ErrorCategory, HoldReason, Media, MediaType, PostStatus, TargetStatus
from store.database import Database
from store.models import Post
from store.posts.contents import new_columns
from store.posts.creating import create_post
from store.posts.list_filters import Filter
from store.posts.lists import list_posts, read_shown_post, read_shown_posts
from store.posts.queries import find_post
from tests.databases import add_workspace

NOW = datetime(2026, 11, 1, 12, 0, 0, 5000, tzinfo=UTC)
PICTURE = Media(type=MediaType.IMAGE, url="https://example.com/a.jpg", alt_text="A lighthouse")
BARE = PostContent(targets=[TargetContent(platform="twitter", account_id="tw_1")])
FULL = PostContent(
    content='text \N{SNOWMAN} \N{GRINNING FACE} "quoted"\n',
    media_items=[PICTURE, Media(type=MediaType.VIDEO, url="https://example.com/a.mp4")],
    targets=[
        TargetContent(
            platform="twitter", account_id="tw_1", custom_content="", settings={"replySettings": "following"}
        ),
        TargetContent(platform="instagram", account_id="ig_1", custom_media=[]),
        TargetContent(platform="facebook", account_id="fb_1", custom_media=[PICTURE]),
    ],
    tags=["a", "b"],
    timezone="Europe/Paris",
    scheduled_for=NOW + timedelta(days=1),
    scheduled_wall="2026-11-02T13:00:00",
    external_id="campaign/1",
    tiktok_settings={"privacyLevel": "SELF_ONLY"},
    facebook_settings={"x": [1, None, {"y": 10**30, "z": 1.5}]},
)
TROUBLES: dict[TargetStatus, list[dict[str, Any]]] = {
    TargetStatus.PENDING: [{}, {"warning": "The file is too large."}],
    TargetStatus.PUBLISHING: [
        {},
        {"next_attempt_at": NOW},
        {"next_attempt_at": NOW, "error": "X is busy.", "error_code": "http_503", "error_category": "platform"},
        {"next_attempt_at": NOW, "error": "Wait.", "error_code": "media_busy", "error_category": None},
    ],
    TargetStatus.PUBLISHED: [{"platform_post_id": "1", "platform_post_url": "https://x.com/1", "published_at": NOW}],
    TargetStatus.FAILED: [
        {"error": "No.", "error_code": code, "error_category": category.value, "retryable": again}
        for category in ErrorCategory
        for code, again in ((None, None), ("187", False), ("duplicate_content", True))
    ],
    TargetStatus.UNCONFIRMED: [{"confirming": True, "next_attempt_at": NOW}, {"confirming": False}],
    TargetStatus.HELD: [
        {"hold_reason": reason and reason.value, "error": "Later.", "error_code": "190", "error_category": "auth"}
        for reason in (None, *HoldReason)
    ],
}


def make_post(workspace: str, content: PostContent, status: PostStatus, **fields: Any) -> Post:
    post_id = new_id("post")
    due_at = content.scheduled_for or NOW
    post = new_columns(
        post_id, workspace, post_id, content, status=status, due_at=due_at, now=NOW, created_by="key_1"
    ).as_post()
    for name, value in fields.items():
        setattr(post, name, value)
    return post


def posts(workspace: str) -> list[Post]:
    """Return posts of all statuses, with targets in all states, and with and without every optional field."""
    examples = [make_post(workspace, content, status) for content in (BARE,) for status in PostStatus]
    examples += [
        make_post(workspace, FULL, PostStatus.PARTIAL, planned_for=NOW, published_at=NOW),
        make_post(workspace, BARE.model_copy(update={"scheduled_for": NOW}), PostStatus.DRAFT),
        make_post(workspace, BARE.model_copy(update={"targets": []}), PostStatus.DRAFT),
    ]
    for status, troubles in TROUBLES.items():
        for trouble in troubles:
            post = make_post(workspace, BARE, PostStatus.PUBLISHING)
            for name, value in {"status": status.value, **trouble}.items():
                setattr(post.targets[0], name, value)
            examples.append(post)
    edited = make_post(workspace, BARE, PostStatus.PUBLISHED).targets[0]
    edited.edited_content = "as edited"
    edited.media_changes = [{"url": "https://example.com/a.png", "what": "converted", "detail": "To JPEG"}]
    edited.edit_history = [
        {"platformPostId": "1", "platformPostUrl": None, "content": "before", "editedAt": "2026-11-01T12:00:00Z"}
    ]
    return [*examples, edited.post]


async def test_reading_without_models_shows_the_same(database: Database) -> None:
    workspace = await add_workspace(database)
    examples = posts(workspace)
    for post in examples:
        await create_post(database, post)
        async with database.transaction() as session:
            model = await find_post(session, workspace, post.id)
        assert model is not None
        shown = await read_shown_post(database, workspace, post.id)
        assert shown is not None
        assert render_post(shown) == render_post(model)
        assert shown.workflow_id == post.workflow_id
        assert await read_shown_post(database, "another", post.id) is None
    ids = [post.id for post in examples]
    shown_posts = await read_shown_posts(database, workspace, [*ids, "post_of_another"])
    assert [post.id for post in shown_posts] == ids
    assert await read_shown_posts(database, "another", ids) == []
    assert (await list_posts(database, workspace, Filter(), 100)).posts == shown_posts[::-1]
