"""The pages that people see: they fit a phone, and axe finds no barrier in them, in light and in dark."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from litestar import Litestar

from tests.api.clients.barriers import check, fits, read_axe
from tests.api.conftest import make_client
from tests.cli.browser import browser, program
from tests.serving import listening
from tests.stack import Stack

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.thorough,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)"),
]


@pytest.fixture
async def axe() -> str:
    return await read_axe()


async def test_pages_fit_a_phone_and_have_no_barriers(app: Litestar, stack: Stack, tmp_path: Path, axe: str) -> None:
    async with listening(app) as url, browser(tmp_path) as page:
        await page.open(f"{url}/docs")
        await page.shows("API key for the requests that you try here")
        await check(page, axe)
        # The first operation with all of its fields; axe takes minutes for the whole page.
        await page.evaluate("document.querySelectorAll('#createPost details').forEach((each) => { each.open = true; })")
        await fits(page)
        await page.open(f"{url}/connect")
        await page.shows("API key")
        await page.evaluate(f"sessionStorage.setItem('key', {json.dumps(stack.api_key)})")
        await page.open(f"{url}/connect?again")
        await page.shows("Connect Bluesky")
        await check(page, axe)
        async with make_client(app, stack.api_key) as client:
            begun = await client.get("/v1/connect/twitter", params={"hosted": "true"})
        await page.open(f"{url}{urlsplit(begun.json()['authUrl']).path}")
        await page.shows("asks to publish to your X account")
        await check(page, axe)


async def test_sandbox_fits_a_phone_and_has_no_barriers(app: Litestar, stack: Stack, tmp_path: Path, axe: str) -> None:
    mastodon, twitter = (
        await stack.connect("mastodon", instance="https://mastodon.social"),
        await stack.connect("twitter", premium=True),
    )
    post = await stack.publish(f"Seen by axe {tmp_path.name}", [mastodon, twitter])
    async with make_client(app, stack.api_key) as client, browser(tmp_path) as page:
        edited = await client.post(f"/v1/posts/{post.id}/edit", json={"content": f"Edited for axe {tmp_path.name}"})
        assert edited.status_code == 200, edited.text
        await page.open(stack.sandbox_url)
        await page.shows("Edited for axe")
        await check(page, axe)
        begun = await client.get("/v1/connect/twitter", params={"redirect_url": "http://127.0.0.1:9/back"})
        await page.open(begun.json()["authUrl"])
        await page.shows("asks for these permissions")
        await check(page, axe)
        await page.open(f"{stack.sandbox_url}/telegram/sandbox_bot?startchannel&admin=post_messages")
        await page.shows("Post in the channel")
        await check(page, axe)
