"""Uploads in steps of platforms that fetch pictures themselves, on the real database, sandbox and API."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from runtime.parts import WorkerParts, open_parts
from store.models import Post
from tests.activities.test_media_of_steps import opened, public_url, published, read_target
from tests.media import files
from tests.stack import Stack
from tests.uploads import add_upload, address

__all__ = ["public_url"]

SETTINGS: dict[str, dict[str, Any]] = {
    "googlebusiness": {},
    "pinterest": {"boardId": "5"},
    "tiktok": {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"},
}


@pytest.fixture
async def parts(stack: Stack, public_url: str, tmp_path: Path) -> AsyncIterator[WorkerParts]:
    """Yield a worker that stores uploads, and may not fetch from the private address of its own API."""
    settings = stack.settings.model_copy(update={"public_url": public_url, "storage": f"file:{tmp_path}"})
    async with open_parts(settings, stack.worker_database) as parts:
        assert parts.storage is not None
        await parts.storage.prepare()
        yield parts


async def save(stack: Stack, parts: WorkerParts, platform: str, words: str, content: bytes) -> Post:
    """Save a post with an uploaded picture."""
    upload = await add_upload(stack.database, stack.workspace_id, content, storage=parts.storage)
    account = await stack.connect(platform)
    return await stack.save(words, [account], media=[address(upload)], settings=SETTINGS.get(platform))


@pytest.mark.parametrize("platform", SETTINGS)
async def test_a_converted_file_is_not_fetched_here_from_its_new_address(
    stack: Stack, parts: WorkerParts, public_url: str, platform: str
) -> None:
    words = f"a scan for {platform}"
    post = await save(stack, parts, platform, words, files.saved(files.photo(900, 900), "TIFF"))
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    assert item.url.startswith(f"{public_url}/media/")
    await published(step)
    assert len(await stack.public(words)) == 1


@pytest.mark.parametrize("platform", SETTINGS)
async def test_place_and_camera_are_removed_from_a_picture_that_the_platform_fetches(
    stack: Stack, parts: WorkerParts, public_url: str, platform: str
) -> None:
    words = f"at home, for {platform}"
    photo = files.saved(files.photo(900, 900), "JPEG", exif=files.exif(), comment=b"taken with SecretCam")
    post = await save(stack, parts, platform, words, photo)
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    async with httpx.AsyncClient() as client:
        content = (await client.get(item.url)).content
    assert content[:3] == b"\xff\xd8\xff"
    assert not [secret for secret in files.SECRETS if secret in content]
    assert [change["what"] for change in (await read_target(stack, post)).media_changes] == ["metadata_removed"]


async def test_a_picture_that_the_platform_encodes_again_is_fetched_as_it_was_uploaded(
    stack: Stack, parts: WorkerParts, public_url: str
) -> None:
    post = await save(
        stack, parts, "instagram", "for Instagram", files.saved(files.photo(), "JPEG", exif=files.exif(1))
    )
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    assert item.url.startswith(f"{public_url}/media/u/")
    assert (await read_target(stack, post)).media_changes == []


async def test_mastodon_gets_pictures_that_its_servers_take(stack: Stack, parts: WorkerParts, tmp_path: Path) -> None:
    huge = files.saved(Image.new("RGB", (6200, 5400)), "JPEG")
    for words, content in (("from a phone", files.heic(tmp_path)), ("of 33 megapixels", huge)):
        post = await save(stack, parts, "mastodon", words, content)
        await published(await opened(stack, parts, post))
        assert len(await stack.public(words)) == 1


async def test_a_picture_on_its_side_reaches_instagram_with_the_shape_that_people_see(
    stack: Stack, parts: WorkerParts
) -> None:
    photo = files.saved(files.photo(600, 900), "JPEG", exif=files.exif(6))
    post = await save(stack, parts, "instagram", "on its side", photo)
    step = await opened(stack, parts, post)
    await step.check_media()
    [item] = step.context.draft.media
    async with httpx.AsyncClient() as client:
        content = (await client.get(item.url)).content
    assert Image.open(io.BytesIO(content)).size == (900, 600)
    await published(step)
    assert len(await stack.public("on its side")) == 1
