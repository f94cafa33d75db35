"""Posts in Temporal's Web UI as an operator sees them, in a real browser.

`SCREENSHOTS=docs/images uv run pytest -n 0 --thorough tests/cli/test_web_ui_pages.py` takes the pictures in docs/images
again.
"""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cli.browser import Page, browser, program
from tests.cli.stacks import DevStack

pytestmark = [
    pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)"),
    # A whole stack and a browser run in parallel with three other test processes.
    pytest.mark.timeout(300),
    pytest.mark.thorough,
]
WIDTH, HEIGHT = 1440, 800
MENU = 256
"""Pixels of the Web UI's menu on the left, without which the rest is larger on a page."""
COLOURS = 48
LARGEST_PICTURE = 100_000
"""Bytes; small, because the pictures are kept in the repository."""


@pytest.fixture(scope="module")
async def dev(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path_factory.mktemp("pages")).running() as stack:
        yield stack


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path) as opened:
        yield opened


async def fault(dev: DevStack, **fault: Any) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        (await client.post(f"{dev.dev['sandboxUrl']}/_/faults", json=fault)).raise_for_status()


async def publish(dev: DevStack, text: str, *platforms: str, status: str) -> str:
    """Publish a post, wait until a target of it has this status, and return its id."""

    def stands(target: dict[str, Any]) -> bool:
        return target["status"] == status and (status != "publishing" or "error" in target)

    accounts = {account["platform"]: account["accountId"] for account in reversed(dev.dev["accounts"])}
    targets = [{"platform": platform, "accountId": accounts[platform]} for platform in platforms]
    key = {"Authorization": f"Bearer {dev.dev['apiKey']}"}
    async with httpx.AsyncClient(trust_env=False, timeout=40, base_url=dev.dev["apiUrl"], headers=key) as client:
        body = {"content": text, "platforms": targets, "publishNow": True}
        post = (await client.post("/v1/posts", json=body, headers={"Prefer": "wait=0"})).json()
        async with asyncio.timeout(40):
            while not any(map(stands, post["platforms"])):
                await asyncio.sleep(0.2)
                post = (await client.get(f"/v1/posts/{post['id']}")).json()
    post_id: str = post["id"]
    return post_id


async def keep(picture: bytes, name: str, folder: Path, cut_off: int = MENU, colours: int = COLOURS) -> None:
    """Write a picture without its first `cut_off` columns; into the documentation only if SCREENSHOTS names it."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.crop((cut_off, 0, image.width, image.height))
    assert len(image.getcolors(2**24) or ()) > 10, "the page is blank"
    small = image.quantize(colours, dither=Image.Dither.NONE)
    to = Path(os.environ.get("SCREENSHOTS") or folder) / f"{name}.png"
    small.save(to, optimize=True)
    assert to.stat().st_size < LARGEST_PICTURE


async def opened(dev: DevStack, page: Page, post_id: str, tab: str, *words: str) -> str:
    """Open a tab of the Web UI's page of a post's workflow, and wait for some words."""
    list_of_it = f"{dev.dev['temporalUiUrl']}/namespaces/default/workflows?query=WorkflowId%3D%22{post_id}%22"
    await page.open(list_of_it)
    find = f"[...document.querySelectorAll('a')].map(a => a.href).find(h => h.includes('/{post_id}/'))"
    async with asyncio.timeout(60):
        while not (link := await page.evaluate(find)):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.2)
    await page.open(f"{link.rpartition('/')[0]}/{tab}")
    return await page.shows(post_id, *words)


async def test_pages_describe_the_state_of_posts(dev: DevStack, page: Page, tmp_path: Path) -> None:
    await fault(dev, platform="discord", fault="rate_limited", operation="publish", seconds=900)
    await fault(dev, platform="facebook", fault="reject", operation="publish")
    waits = await publish(dev, "We open on Monday", "discord", "twitter", status="publishing")
    failed = await publish(dev, "Lunch is served", "facebook", "mastodon", status="failed")
    published = await publish(dev, "See you tomorrow", "twitter", "linkedin", status="published")

    shown = await opened(
        dev, page, waits, "user-metadata", "Refused for now by its platform", "refused for now", "tried again at"
    )
    assert "discord @socialsyncer: refused for now: the platform asks to wait (http_429), tried again at" in shown
    assert f"{waits} of default" in shown
    await keep(await page.picture(WIDTH, HEIGHT), "web-ui-waiting", tmp_path)
    shown = await opened(dev, page, failed, "user-metadata", "partial", "Open for")
    assert "facebook @socialsyncer: failed: the platform refuses the content or its settings (100)" in shown
    await keep(await page.picture(WIDTH, HEIGHT), "web-ui-failed", tmp_path)
    shown = await opened(dev, page, published, "user-metadata", "published", "Open for edits until")
    assert "twitter @socialsyncer: published as" in shown
    await keep(await page.picture(WIDTH, HEIGHT), "web-ui-published", tmp_path)
    # Each target has a line of its own, which names its account.
    await opened(
        dev, page, published, "history", "Local Activity", "twitter `@socialsyncer`", "linkedin `@socialsyncer`"
    )

    line = next(line for line in dev.terminal.splitlines() if line.strip().startswith("wait for their platform"))
    await page.open(line.split()[-1])
    shown = await page.shows(waits, "WaitsFor")
    assert failed not in shown
    assert published not in shown
    await keep(await page.picture(WIDTH, HEIGHT), "web-ui-list", tmp_path)
    # On the sandbox's own page nothing is public on Discord and Facebook, which have refused.
    await page.open(dev.dev["sandboxUrl"])
    await page.shows("We open on Monday", "Lunch is served", "See you tomorrow")
    await keep(await page.picture(900, 640), "sandbox", tmp_path, cut_off=0)
