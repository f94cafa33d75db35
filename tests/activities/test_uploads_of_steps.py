"""Uploads in steps of platforms that fetch pictures themselves, on the real database, sandbox and API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runtime.parts import WorkerParts, open_parts
from store.models import Post
from tests.activities.test_media_of_steps import opened, public_url, published
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
    return await stack.save(words, [account], media=[address(upload)], settings=SETTINGS[platform])


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
