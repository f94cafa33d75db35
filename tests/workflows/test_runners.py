"""The same workflow under other conditions than production's: in Temporal's sandbox, and replayed at every step."""

import pytest

from tests.stack import Stack
from tests.workflows import lives
from tests.workflows.workers import SANDBOXED, UNCACHED, posts_worker


@pytest.mark.parametrize(
    "life", [lives.published_now, lives.partial_and_retried_by_signal, lives.amended], ids=lambda life: life.__name__
)
async def test_it_lives_in_temporals_sandbox(stack: Stack, monkeypatch: pytest.MonkeyPatch, life: lives.Life) -> None:
    async with posts_worker(stack, monkeypatch, "posts-sandboxed", **SANDBOXED):
        handle = await life(stack)
        assert (await handle.query("status"))["status"] == "published"


@pytest.mark.parametrize(
    "life",
    [lives.scheduled_with_media_soon, lives.unclear_and_found, lives.failed_and_retried_by_update, lives.edited],
    ids=lambda life: life.__name__,
)
async def test_it_lives_without_a_cache(stack: Stack, monkeypatch: pytest.MonkeyPatch, life: lives.Life) -> None:
    async with posts_worker(stack, monkeypatch, "posts-uncached", **UNCACHED):
        handle = await life(stack)
        assert (await handle.query("status"))["status"] == "published"
