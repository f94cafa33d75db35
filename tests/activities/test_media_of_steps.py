"""Media of a post in its steps, on the real database, sandbox and API."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from activities.step_context import StepContext
from api.dependencies import Dependencies
from api.posts.answers.rendering import render_post
from platforms.base import Published
from platforms.errors import ErrorKind, PlatformError
from runtime.parts import WorkerParts, open_parts
from store.media import delete_expired_files, keep_file, open_file
from store.models import Post, Target
from store.publishing.targets import load
from tests.media.files import photo
from tests.serving import app_over, listening
from tests.stack import Stack


@pytest.fixture
async def public_url(stack: Stack) -> AsyncIterator[str]:
    async with (
        app_over(Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)) as app,
        listening(app) as url,
    ):
        yield url


@pytest.fixture
async def parts(stack: Stack, public_url: str) -> AsyncIterator[WorkerParts]:
    settings = stack.settings.model_copy(update={"public_url": public_url})
    async with open_parts(settings, stack.worker_database) as parts:
        yield parts


async def opened(stack: Stack, parts: WorkerParts, post: Post) -> StepContext:
    async with stack.database.transaction() as session:
        loaded = await load(session, post.targets[0].id)
    assert loaded is not None
    return parts.contexts.create(loaded)


async def published(step: StepContext) -> Published:
    platform: Any = step.platform
    await platform.prepare(step.connection, step.context)
    done: Published = await platform.publish(step.connection, step.context)
    return done


async def read_target(stack: Stack, post: Post) -> Target:
    return (await stack.read(post.id)).targets[0]


async def test_a_png_reaches_instagram_as_a_jpeg_at_our_own_address(
    stack: Stack, parts: WorkerParts, public_url: str
) -> None:
    post = await stack.save("converted on the way", [stack.accounts["instagram"]], media=["https://example.com/x.png"])
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    assert item.url.startswith(f"{public_url}/media/")
    assert item.url.endswith(".jpg")
    async with httpx.AsyncClient() as client:
        answer = await client.get(item.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content[:3] == b"\xff\xd8\xff"
    await published(step)
    assert len(await stack.public("converted on the way")) == 1
    [target] = render_post(await stack.read(post.id))["platforms"]
    assert target["mediaChanges"] == [
        {
            "url": "https://example.com/x.png",
            "what": "converted",
            "detail": "Converted from image/png to image/jpeg",
        },
        {"url": "https://example.com/x.png", "what": "compressed", "detail": "Compressed as JPEG of quality 90"},
    ]


async def test_next_try_examines_no_file_again(stack: Stack, parts: WorkerParts) -> None:
    media = ["https://example.com/y.png", "https://example.com/y.jpg"]
    post = await stack.save("looked at once", [stack.accounts["instagram"]], media=media)
    first = await opened(stack, parts, post)
    await first.check_media()
    await first.keeper.flush()
    again = await opened(stack, parts, post)
    assert [item.url for item in again.context.draft.media] == [item.url for item in first.context.draft.media]
    assert again.context.draft.media[1].url == media[1]
    assert again.context.handles == {}
    before = (await read_target(stack, post)).handles
    await again.check_media()
    await again.keeper.flush()
    assert (await read_target(stack, post)).handles == before


async def test_post_fails_without_a_public_address_and_names_the_setting(stack: Stack) -> None:
    post = await stack.publish("not a jpeg", [stack.accounts["instagram"]], media=["https://example.com/z.png"])
    [target] = post.targets
    assert (target.status, target.error_category, target.error_code) == ("failed", "rejected", "media_type")
    assert target.error == (
        "Instagram takes image/jpeg for an image; this is image/png. Give the URL of a file of that type."
    )
    assert await stack.public("not a jpeg") == []
    assert "mediaChanges" not in render_post(post)["platforms"][0]


async def test_file_that_instagram_cannot_show_is_refused_before_a_request(stack: Stack, parts: WorkerParts) -> None:
    media = [f"{stack.sandbox_url}/_/health"]
    post = await stack.save("no picture", [stack.accounts["instagram"]], media=media)
    step = await opened(stack, parts, post)
    with pytest.raises(PlatformError) as caught:
        await step.check_media()
    assert caught.value.kind is ErrorKind.REJECTED
    assert step.exchanges == []


COVERS = [
    ("instagram", "reelCover", {}),
    ("instagram", "instagramThumbnail", {}),
    ("pinterest", "coverImageUrl", {"boardId": "1", "title": "A video"}),
    ("youtube", "thumbnail", {"title": "A video"}),
]


@pytest.mark.parametrize(("platform", "name", "settings"), COVERS)
async def test_a_cover_that_is_no_picture_is_refused_before_anything_is_sent(
    stack: Stack, parts: WorkerParts, platform: str, name: str, settings: dict[str, Any]
) -> None:
    settings = {**settings, name: f"{stack.sandbox_url}/_/health"}
    post = await stack.save(
        "no cover", [await stack.connect(platform)], media=["https://example.com/a.mp4"], settings=settings
    )
    step = await opened(stack, parts, post)
    with pytest.raises(PlatformError) as caught:
        await step.check_media()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "media_unsupported")
    assert step.exchanges == []


async def test_captions_are_checked_before_anything_is_sent(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("youtube")
    for name, code in (("waves.vtt", None), ("waves.pdf", "media_type"), ("waves.jpg", "media_type_mismatch")):
        captions = [{"language": "en", "url": f"https://example.com/{name}"}]
        post = await stack.save(
            "captioned", [account], media=["https://example.com/a.mp4"], settings={"captions": captions}
        )
        step = await opened(stack, parts, post)
        if code is None:
            await step.check_media()
        else:
            with pytest.raises(PlatformError) as caught:
                await step.check_media()
            assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, code)
        assert step.exchanges == []


@pytest.mark.parametrize(("platform", "name", "settings"), COVERS)
async def test_fitting_cover_is_checked_once_and_not_converted(
    stack: Stack, parts: WorkerParts, platform: str, name: str, settings: dict[str, Any]
) -> None:
    cover = "https://example.com/cover.jpg"
    media = ["https://example.com/a.mp4"]
    post = await stack.save("covered", [await stack.connect(platform)], media=media, settings={**settings, name: cover})
    step = await opened(stack, parts, post)
    await step.check_media()
    assert step.keeper.addresses[cover] == cover
    await step.keeper.flush()
    again = await opened(stack, parts, post)
    parts.media.files.forget(post.id)
    assert again.context.draft == step.context.draft
    assert again.keeper.addresses == step.keeper.addresses


async def test_tiktoks_photos_are_always_served_from_our_own_address(
    stack: Stack, parts: WorkerParts, public_url: str
) -> None:
    settings = {
        "contentPreviewConfirmed": True,
        "expressConsentGiven": True,
        "privacyLevel": "PUBLIC_TO_EVERYONE",
    }
    account = await stack.connect("tiktok")
    post = await stack.save("verified", [account], media=["https://example.com/photo.jpg"], settings=settings)
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    assert item.url.startswith(f"{public_url}/media/")


async def test_tiktoks_photos_wait_for_an_operator_who_names_no_public_address(stack: Stack) -> None:
    settings = {
        "contentPreviewConfirmed": True,
        "expressConsentGiven": True,
        "privacyLevel": "PUBLIC_TO_EVERYONE",
    }
    account = await stack.connect("tiktok")
    post = await stack.save("no address", [account], media=["https://example.com/photo.jpg"], settings=settings)
    async with open_parts(stack.settings, stack.worker_database) as parts:
        step = await opened(stack, parts, post)
        with pytest.raises(PlatformError) as caught:
            await step.check_media()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.OPERATOR, "no_public_url")
    assert "SOCIALSYNCER_PUBLIC_URL" in caught.value.message


async def test_a_cover_that_instagram_could_not_show_is_converted(
    stack: Stack, parts: WorkerParts, public_url: str
) -> None:
    cover = "https://example.com/cover.png"
    post = await stack.save(
        "a cover", [stack.accounts["instagram"]], media=["https://example.com/a.mp4"], settings={"reelCover": cover}
    )
    step = await opened(stack, parts, post)
    await step.check_media()
    assert step.context.draft.settings.reel_cover.startswith(f"{public_url}/media/")
    assert [change["what"] for change in (await read_target(stack, post)).media_changes] == ["converted", "compressed"]
    await published(step)
    assert len(await stack.public("a cover")) == 1


async def test_video_metadata_are_removed_and_reported(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await stack.save("a clip", [stack.accounts["twitter"]], media=["https://example.com/clip.mp4"])
    step = await opened(stack, parts, post)
    monkeypatch.setattr(type(step.platform), "strips_metadata", False)
    async with step.context.media.open(step.context.draft.media[0]) as file:
        assert (file.width, file.height) == (540, 960)
    assert [change["what"] for change in (await read_target(stack, post)).media_changes] == ["metadata_removed"]


async def test_files_are_served_until_they_expire(stack: Stack, public_url: str) -> None:
    now = datetime.now(UTC)
    workspace_id, _ = await stack.new_workspace()
    async with stack.database.transaction() as session:
        live = await keep_file(session, workspace_id, "image/jpeg", b"live", now + timedelta(hours=1))
        dead = await keep_file(session, workspace_id, "image/jpeg", b"dead", now - timedelta(seconds=1))
    async with httpx.AsyncClient(base_url=public_url) as client:
        assert (await client.get(f"/media/{live}.jpg")).content == b"live"
        for name in (f"{dead}.jpg", "unknown.jpg", "%00.jpg", "%C3%A9"):
            answer = await client.get(f"/media/{name}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    async with stack.database.transaction() as session:
        assert await delete_expired_files(session, now, 1000) >= 1
    past = now - timedelta(days=1)
    assert await open_file(stack.database, live, past, 10) is not None
    assert await open_file(stack.database, dead, past, 10) is None


@pytest.fixture
async def carousels(stack: Stack, public_url: str) -> AsyncIterator[WorkerParts]:
    hosts = [*stack.settings.private_media_hosts, public_url.removeprefix("http://")]
    settings = stack.settings.model_copy(update={"public_url": public_url, "private_media_hosts": hosts})
    async with open_parts(settings, stack.worker_database) as parts:
        yield parts


async def save_pin(stack: Stack, public_url: str, words: str, *sizes: tuple[int, int]) -> Post:
    """Save a pin of JPEGs with these sides, each at its own address."""
    expires_at, urls = datetime.now(UTC) + timedelta(hours=1), []
    for size in sizes:
        content = io.BytesIO()
        photo(*size).save(content, "JPEG")
        async with stack.database.transaction() as session:
            token = await keep_file(session, stack.workspace_id, "image/jpeg", content.getvalue(), expires_at)
        urls.append(f"{public_url}/media/{token}.jpg")
    return await stack.save(words, [await stack.connect("pinterest")], media=urls, settings={"boardId": "5"})


async def measure_sides(step: StepContext) -> list[tuple[int, int]]:
    async with httpx.AsyncClient() as client:
        contents = [(await client.get(item.url)).content for item in step.context.draft.media]
    return [Image.open(io.BytesIO(content)).size for content in contents]


@pytest.mark.parametrize(
    ("sizes", "common"),
    [
        ([(600, 900), (600, 900)], (600, 900)),
        ([(1000, 1500), (600, 900), (1200, 1800)], (600, 900)),
        ([(600, 900), (667, 1000)], (600, 900)),
    ],
)
async def test_images_of_one_pin_get_the_same_sides(
    stack: Stack, carousels: WorkerParts, public_url: str, sizes: list[tuple[int, int]], common: tuple[int, int]
) -> None:
    words = f"alike {sizes}"
    post = await save_pin(stack, public_url, words, *sizes)
    before = [item["url"] for item in post.media_items]
    step = await opened(stack, carousels, post)
    await step.check_media()
    assert await measure_sides(step) == [common] * len(sizes)
    unchanged = [item.url in before for item in step.context.draft.media]
    assert unchanged == [size == common for size in sizes], "a file of the right size is not scaled"
    scaled = [change for change in (await read_target(stack, post)).media_changes if change["what"] == "scaled"]
    assert len(scaled) == sum(size != common for size in sizes)
    await published(step)
    assert len(await stack.public(words)) == 1


async def test_images_of_different_shapes_are_refused_before_a_request_to_pinterest(
    stack: Stack, carousels: WorkerParts, public_url: str
) -> None:
    post = await save_pin(stack, public_url, "unlike", (600, 900), (800, 800))
    step = await opened(stack, carousels, post)
    with pytest.raises(PlatformError) as caught:
        await step.check_media()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "media_shapes_differ")
    assert "600 x 900" in caught.value.message
    assert "800 x 800" in caught.value.message
    assert step.exchanges == []


async def test_one_image_of_a_pin_keeps_its_sides(stack: Stack, carousels: WorkerParts, public_url: str) -> None:
    post = await save_pin(stack, public_url, "alone", (640, 480))
    step = await opened(stack, carousels, post)
    await step.check_media()
    assert [item.url for item in step.context.draft.media] == [item["url"] for item in post.media_items]


async def test_images_of_one_shape_need_no_public_address(
    stack: Stack, carousels: WorkerParts, public_url: str
) -> None:
    post = await save_pin(stack, public_url, "as they are", (600, 900), (1000, 1500))
    hosts = [*stack.settings.private_media_hosts, public_url.removeprefix("http://")]
    async with open_parts(
        stack.settings.model_copy(update={"private_media_hosts": hosts}), stack.worker_database
    ) as parts:
        step = await opened(stack, parts, post)
        await step.check_media()
    assert [item.url for item in step.context.draft.media] == [item["url"] for item in post.media_items]
