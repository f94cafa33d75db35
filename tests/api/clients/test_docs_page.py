"""The pages /docs and /connect, and those of the sandbox, in a browser: for a phone, and without barriers."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from litestar import Litestar

from tests.api.clients.barriers import check, fits, read_axe
from tests.api.clients.tools import npm_packages, run
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
        await page.open(url)
        await page.shows("Calendar", "API reference")
        await check(page, axe)
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


_READER = """
const { JSDOM } = require("jsdom");
const [url, key] = process.argv.slice(2);
const failed = (error) => { console.error(error); process.exit(1); };
const later = async (what) => {
  for (let tries = 0; tries < 600; tries += 1) {
    if (what()) return what();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("not shown in time");
};
(async () => {
  const { window } = await JSDOM.fromURL(`${url}/docs`, {
    runScripts: "dangerously",
    beforeParse: (window) => {
      window.fetch = (path, options) => fetch(new URL(path, url), options);
      Object.assign(window, { AbortSignal, URLSearchParams });
    },
  });
  const page = window.document;
  const create = await later(() => page.getElementById("createPost"));
  const shown = [...create.querySelectorAll("td .soft")].map((each) => each.textContent);
  for (const limit of ["at most 100,000 characters", "at most 100 items", "at least 60, at most 2,592,000"]) {
    if (!shown.some((each) => each.includes(limit))) throw new Error(`${limit} is not shown`);
  }
  const list = page.getElementById("listPosts").textContent;
  if (!list.includes("at least 1, at most 100, default 20")) throw new Error("the limit of a page is not shown");
  const many = JSON.parse(page.querySelector("#createPosts textarea").value);
  const ahead = many.posts.every((post) => new Date(post.scheduledFor) > new Date());
  if (!ahead) throw new Error("an example is in the past");
  create.querySelector("textarea").value = "of the reader";
  page.getElementById("key").value = key;
  page.getElementById("key").onchange();
  await later(() => page.getElementById("key-note").textContent.includes("accounts stand"));
  if (create.querySelector("textarea").value !== "of the reader") throw new Error("the reader's text is lost");
  const check = page.getElementById("validatePost");
  check.querySelector("button").onclick();
  const verdict = JSON.parse((await later(() => check.querySelector("[role=status] pre"))).textContent);
  if (!verdict.valid) throw new Error(`the first example is refused: ${JSON.stringify(verdict)}`);
  if (page.getElementById("getAccountHealth-platform").value === "") throw new Error("no account is filled in");
  create.querySelector("textarea").value = JSON.stringify({ content: "Tried on the page", isDraft: true });
  create.querySelector("button").onclick();
  const answer = await later(() => create.querySelector("[role=status] pre"));
  console.log(create.querySelector("[role=status] code").textContent, JSON.parse(answer.textContent).content);
  window.close();
})().catch(failed);
"""


@pytest.mark.timeout(400)
@pytest.mark.thorough
async def test_the_page_shows_limits_and_sends_requests(app: Litestar, stack: Stack, tmp_path: Path) -> None:
    packages = await npm_packages()
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    (tmp_path / "reader.js").write_text(_READER)
    async with listening(app) as url:
        output = await run(tmp_path, "node", "reader.js", url, stack.api_key)
    assert output.strip() == "201 Tried on the page"


@pytest.mark.timeout(120)
@pytest.mark.thorough
@pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)")
async def test_the_page_works_under_its_policy_and_in_no_frame(app: Litestar, stack: Stack, tmp_path: Path) -> None:
    send = f"""
      document.getElementById("key").value = {json.dumps(stack.api_key)};
      document.querySelector("#createPost textarea").value = '{{"content": "Tried in a browser", "isDraft": true}}';
      document.querySelector("#createPost button").click();
    """
    async with listening(app) as url, browser(tmp_path) as page:
        await page.open(f"{url}/docs")
        await page.shows("API key for the requests that you try here")
        await page.evaluate(send)
        for _ in range(100):
            answer = await page.evaluate('document.querySelector("#createPost [role=status]").textContent')
            if "Tried in a browser" in answer:
                break
            await asyncio.sleep(0.1)
        assert answer.startswith("201")
        # A style of the page applies, and a script that is added later does not run.
        assert await page.evaluate("getComputedStyle(document.querySelector('pre')).borderRadius") == "8px"
        await page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.bad = 1'}))"
        )
        assert await page.evaluate("typeof window.bad") == "undefined"
