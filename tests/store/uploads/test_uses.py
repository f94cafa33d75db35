"""One process at a time writes an upload, and triggers keep which posts and series name it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.content import PostContent, TargetContent
from domain.ids import new_id, workflow_id
from domain.post import Media, MediaType, PostStatus
from domain.recurrence.expansion import Pattern
from domain.uploads import LARGEST_UPLOAD
from store.database import Database
from store.models import Series, Upload
from store.posts.contents import new_columns, rewrite
from store.posts.creating import create_post, create_posts
from store.posts.queries import find_post
from store.rows import lock_row
from store.series.rows import write_pattern
from store.uploads.claims import claim_upload
from store.uploads.rows import (
    NewUpload,
    TooManyUploads,
    begin_upload,
    find_pending,
    find_uploads_by_token,
    lock_quota,
    mark_deleted,
    posts_naming,
    read_uses,
)
from tests.databases import add_workspace
from tests.stack import CLIENT
from tests.store.series.samples import add_series, segment, tomorrow
from tests.uploads import add_upload, address


async def begin(database: Database, workspace_id: str, size: int = 10, quota: int = 1000, **values: Any) -> Upload:
    now = datetime.now(UTC)
    fields = {
        "key": new_id("key"),
        "filename": "a.jpg",
        "content_type": "image/jpeg",
        "sha256": None,
        "created_by": None,
    } | values
    async with database.transaction() as session:
        assert await lock_quota(session, workspace_id, quota) >= size
        new = NewUpload(
            workspace_id=workspace_id, size=size, reserved=size, expires_at=now + timedelta(hours=1), **fields
        )
        return await begin_upload(session, new)


async def claim(database: Database, upload_id: str, key: str) -> str | None:
    async with database.transaction() as session:
        return await claim_upload(session, upload_id, key, 10)


async def test_one_writer_at_a_time(database: Database, workspace: str) -> None:
    upload = await begin(database, workspace)
    claims = await asyncio.gather(*(claim(database, upload.id, f"writer {n}") for n in range(5)))
    assert [older_key for older_key in claims if older_key] == [upload.key]


async def test_the_quota_holds_for_concurrent_requests(
    database: Database, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await asyncio.gather(
        *(begin(database, workspace, size=10, quota=35) for _ in range(6)), return_exceptions=True
    )
    assert [type(result) for result in begun].count(Upload) == 3
    assert [type(result) for result in begun].count(AssertionError) == 3
    upload = next(result for result in begun if isinstance(result, Upload))
    async with database.transaction() as session:
        # Its own reservation does not count against an upload.
        assert await lock_quota(session, workspace, 35) == 5
        assert await lock_quota(session, workspace, 35, upload_id=upload.id) == 15
        assert await lock_quota(session, workspace, 0) == LARGEST_UPLOAD
        await mark_deleted(session, upload.id, datetime.now(UTC))
    await begin(database, workspace, size=10, quota=35)
    monkeypatch.setattr("store.uploads.rows.MOST_UPLOADS", 3)
    with pytest.raises(TooManyUploads):
        await begin(database, workspace, size=0, quota=35)


NOW = datetime.now(UTC)


def image(url: str) -> Media:
    return Media(type=MediaType.IMAGE, url=url)


def content(post_media: list[str] = [], *targets: dict[str, Any], **more: Any) -> PostContent:  # noqa: B006 - not changed
    return PostContent(
        media_items=[image(url) for url in post_media],
        targets=[
            TargetContent(platform="twitter", account_id=f"tw_{number}", **target)
            for number, target in enumerate(targets)
        ],
        **more,
    )


async def add_post(database: Database, workspace: str, named: PostContent, status: str = "scheduled") -> str:
    post_id = new_id("post")
    post = new_columns(
        post_id,
        workspace,
        workflow_id(workspace, post_id, None),
        named,
        status=PostStatus(status),
        due_at=NOW,
        now=NOW,
    ).as_post()
    await create_post(database, post)
    return post_id


async def change(database: Database, workspace: str, post_id: str, named: PostContent) -> None:
    async with database.transaction() as session:
        post = await find_post(session, workspace, post_id)
        assert post is not None
        rewrite(post, named, CLIENT, status=PostStatus.SCHEDULED, due_at=NOW, now=NOW)


async def naming(database: Database, *upload_ids: str) -> list[list[str]]:
    async with database.reading() as session:
        posts = await posts_naming(session, upload_ids)
    return [posts[upload_id] for upload_id in upload_ids]


async def test_every_field_that_names_an_upload_holds_it(database: Database, workspace: str) -> None:
    uploads = [await add_upload(database, workspace) for _ in range(5)]
    shared, own, cover, root, unused = map(address, uploads)
    thread = {"threadItems": [{"content": "2", "mediaItems": [{"type": "image", "url": cover}]}]}
    named = content(
        [shared], {"custom_media": [image(own)]}, {"settings": thread}, tiktok_settings={"cover": f"{root}?v=1"}
    )
    post_id = await add_post(database, workspace, named)
    ids = [upload.id for upload in uploads]
    assert await naming(database, *ids) == [[post_id]] * 4 + [[]]
    # Each change of each row counts, also if it removes a target.
    await change(database, workspace, post_id, content([unused], {"custom_media": [image(shared)]}))
    assert await naming(database, *ids) == [[post_id], [], [], [], [post_id]]
    await change(database, workspace, post_id, content(["https://example.com/a.jpg"], {}))
    assert await naming(database, *ids) == [[]] * 5


async def test_many_posts_and_sql_typed_by_hand_are_seen(database: Database, workspace: str) -> None:
    upload = await add_upload(database, workspace)
    named = content([address(upload)], {"custom_media": [image(address(upload))]})
    new = [
        new_columns(
            post_id,
            workspace,
            workflow_id(workspace, post_id, None),
            named,
            status=PostStatus.DRAFT,
            due_at=None,
            now=NOW,
        )
        for post_id in (new_id("post"), new_id("post"))
    ]
    async with database.transaction() as session:
        await create_posts(session, new)
    ids = sorted((post.columns["id"] for post in new), reverse=True)
    assert await naming(database, upload.id) == [ids]
    async with database.transaction() as session:
        await session.execute(text("UPDATE posts SET media_items = '[]' WHERE id = :id"), {"id": ids[0]})
        await session.execute(text("DELETE FROM targets WHERE post_id = :id"), {"id": ids[0]})
        await session.execute(text("DELETE FROM posts WHERE id = :id"), {"id": ids[1]})
    assert await naming(database, upload.id) == [[]]


async def test_only_uploads_of_the_own_workspace_are_held(database: Database, workspace: str) -> None:
    ready, deleted = [await add_upload(database, workspace, state=state) for state in ("ready", "deleted")]
    stranger = await add_workspace(database)
    await add_post(database, stranger, content([address(ready)], {}))
    await add_post(database, workspace, content([address(deleted)], {}))
    assert await naming(database, ready.id, deleted.id) == [[], []]


async def test_more_tokens_are_looked_up_than_a_statement_has_parameters(database: Database, workspace: str) -> None:
    upload = await add_upload(database, workspace, state="pending")
    tokens = {upload.token, *map(str, range(40_000))}
    async with database.reading() as session:
        named = await find_uploads_by_token(session, workspace, tokens)
        pending = await find_pending(session, workspace, tokens, None, 10)
    assert [row.id for row in (*named, *pending)] == [upload.id] * 2


async def test_a_series_holds_what_its_posts_to_come_name(database: Database, workspace: str) -> None:
    upload = await add_upload(database, workspace)
    rules = segment(tomorrow())
    rules.content.contents[0].media_items = [image(address(upload))]
    series_id = await add_series(database, workspace, Pattern([rules]))

    async def is_held() -> bool:
        async with database.reading() as session:
            return (await read_uses(session, [upload.id]))[upload.id].is_held

    assert await is_held()
    async with database.transaction() as session:
        series = await lock_row(session, Series, workspace, series_id)
        assert series is not None
        assert series.upload_ids == [upload.id]
        write_pattern(series, Pattern([segment(tomorrow())]))
    assert not await is_held()


async def test_drafts_and_unsettled_posts_hold_an_upload_and_others_only_used_it(
    database: Database, workspace: str
) -> None:
    upload = await add_upload(database, workspace)
    rested = NOW - timedelta(days=3)
    post_id = await add_post(database, workspace, content([address(upload)], {}))
    for status, is_held in {status: status in ("draft", "scheduled", "publishing") for status in PostStatus}.items():
        async with database.transaction() as session:
            values = {"status": status.value, "at": rested, "id": post_id}
            await session.execute(text("UPDATE posts SET status = :status, updated_at = :at WHERE id = :id"), values)
            uses = (await read_uses(session, [upload.id]))[upload.id]
        assert (uses.is_held, uses.rested_at) == (is_held, rested), status


async def test_a_deletion_and_a_new_use_see_each_other(database: Database, workspace: str) -> None:
    """The second one waits for the row's lock: a file is deleted or held, and never both."""
    upload = await add_upload(database, workspace)
    async with database.transaction() as session:
        await session.execute(text("SELECT FROM uploads WHERE id = :id FOR UPDATE"), {"id": upload.id})
        creating = asyncio.create_task(add_post(database, workspace, content([address(upload)], {})))
        await waits_for_a_lock(database)
        assert not (await read_uses(session, [upload.id]))[upload.id].is_held
        await mark_deleted(session, upload.id, NOW)
    await creating
    assert await naming(database, upload.id) == [[]]


async def waits_for_a_lock(database: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(60):
        while True:
            async with database.reading() as session:
                if (await session.execute(waiting)).scalar_one():
                    return
            await asyncio.sleep(0.01)
