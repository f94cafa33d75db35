"""People connect accounts: on the page of a development stack, in a real browser, and from a terminal.

`SCREENSHOTS=docs/images uv run pytest -n 0 --thorough tests/cli/test_connect.py` takes the pictures in docs/images
again.
"""

import asyncio
import html
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.browser import Page, browser, program
from tests.cli.stacks import SOCIALSYNCER, DevStack
from tests.cli.test_web_ui_pages import keep

pytestmark = [pytest.mark.timeout(300), pytest.mark.thorough]
needs_chromium = pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)")
WIDTH, HEIGHT = 900, 640
ALL_WITHIN_S = 120
"""The limit for a person to connect an account of every platform."""
BACK = "Connect accounts"
ONWARDS = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')


@pytest.fixture(scope="module")
async def dev(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    async with DevStack(tmp_path_factory.mktemp("connect")).running() as stack:
        yield stack


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with browser(tmp_path) as opened:
        yield opened


async def switch_on(dev: DevStack, platform: str, condition: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        body = {"platform": platform, "condition": condition}
        (await client.post(f"{dev.dev['sandboxUrl']}/_/conditions", json=body)).raise_for_status()


async def see(page: Page, *words: str, seconds: float = 30) -> str:
    """Wait until a page shows these words, whatever pages the browser opens before it."""
    shown, until = "", time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            shown = await page.text()
        except AssertionError:  # the browser is between two pages
            shown = ""
        if all(word in shown for word in words):
            return shown
        await asyncio.sleep(0.05)
    raise AssertionError(f"the page does not show {words}, but:\n{shown}")


async def click(page: Page, selector: str) -> None:
    was_clicked = await page.evaluate(f"(node => node && (node.click(), true))(document.querySelector({selector!r}))")
    assert was_clicked, f"there is nothing to click: {selector}"


async def fill(page: Page, selector: str, value: str) -> None:
    await page.evaluate(f"document.querySelector({selector!r}).value = {value!r}")


async def result(page: Page, platform: str, seconds: float = 30) -> str:
    """Return the final message of the page about a platform."""
    until = time.monotonic() + seconds
    script = f"document.querySelector('#{platform} .good, #{platform} .bad')?.textContent ?? ''"
    while time.monotonic() < until:
        try:
            if text := str(await page.evaluate(script) or ""):
                return text
        except AssertionError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(await page.text())


class Pictures:
    """A recorder that takes a picture of each page once."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder
        self._taken: set[str] = set()

    async def take(self, name: str) -> None:
        if name not in self._taken:
            self._taken.add(name)
            await keep(await self._page.picture(WIDTH, HEIGHT), name, self._folder)


@needs_chromium
async def test_every_platform_is_connected_on_the_page(dev: DevStack, page: Page, tmp_path: Path) -> None:
    line = next(line for line in dev.terminal.splitlines() if line.strip().startswith("Accounts"))
    address = next(word for word in line.split() if word.startswith("http"))
    await switch_on(dev, "facebook", "several_pages")
    pictures, began = Pictures(page, tmp_path), time.monotonic()
    await page.open(address)
    await see(page, "API key")
    await fill(page, "#key", dev.dev["apiKey"])
    await click(page, "#keyed button")
    await see(page, "Connect YouTube")
    platforms = await page.evaluate("[...document.querySelectorAll('.row')].map(row => row.id)")
    assert len(platforms) == 14
    for platform in platforms:
        await click(page, f"#{platform} form button")
        kind = await page.evaluate(f"document.querySelector('#{platform} .soft').textContent")
        if "credentials" in kind:
            await give_credentials(page, platform)
        elif "code" in kind:
            await post_code(dev, page, platform)
        else:
            await consent(page, pictures, platform)
        shown_result = await result(page, platform)
        assert shown_result.startswith("Connected: "), f"{platform}: {shown_result}"
    assert time.monotonic() - began < ALL_WITHIN_S
    shown = await page.text()
    assert shown.count("Connected: ") == len(platforms)
    assert dev.dev["apiKey"] not in shown
    await pictures.take("connect-page")


async def consent(page: Page, pictures: Pictures, platform: str) -> None:
    """Go from the page to the platform and back, and choose if there is a choice."""
    await see(page, "asks to publish to your")
    if platform == "facebook":
        await pictures.take("connect-start")
    await click(page, "form button")
    await see(page, "asks for these permissions")
    if platform == "facebook":
        await pictures.take("connect-consent")
    await click(page, "button[value=allow]")
    if platform == "facebook":
        await see(page, "Choose which to connect")
        await pictures.take("connect-choose")
        await click(page, "li:nth-child(2) input")
        await click(page, "form button")
    await see(page, BACK, "Connect YouTube")


async def give_credentials(page: Page, platform: str) -> None:
    await see(page, "Connect with these")
    assert platform == "bluesky"
    await fill(page, "#bluesky .result input[name=identifier]", "newcomer.bsky.social")
    await fill(page, "#bluesky .result input[name=password]", "sandbox-app-password")
    await click(page, "#bluesky .result form button")


async def post_code(dev: DevStack, page: Page, platform: str) -> None:
    await see(page, "post this there")
    code = await page.evaluate(f"document.querySelector('#{platform} code').textContent")
    link = await page.evaluate(f"document.querySelector('#{platform} .result a').href")
    assert link.startswith(dev.dev["sandboxUrl"])
    async with httpx.AsyncClient(trust_env=False, timeout=20) as person:
        form = {"chat": "newcomer", "text": code, "rights": "yes"}
        (await person.post(link, data=form)).raise_for_status()


@needs_chromium
async def test_page_shows_a_declined_consent(dev: DevStack, page: Page) -> None:
    await page.open(f"{dev.dev['apiUrl']}/connect")
    await see(page, "API key")
    await fill(page, "#key", dev.dev["apiKey"])
    await click(page, "#keyed button")
    await see(page, "Connect X")
    await click(page, "#twitter form button")
    await see(page, "asks to publish to your")
    await click(page, "form button")
    await see(page, "asks for these permissions")
    await click(page, "button[value=deny]")
    await see(page, BACK)
    assert "declined" in await result(page, "twitter")


def begun(dev: DevStack, *arguments: str, stdin: Any = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    words = [*SOCIALSYNCER, "accounts", "connect", *arguments, "--no-browser", "--data-dir", str(dev.data)]
    return subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def wait_for_line(process: "subprocess.Popen[str]", start: str) -> str:
    """Return the first line on stderr that begins with this."""
    assert process.stderr is not None
    output = ""
    while line := await asyncio.to_thread(process.stderr.readline):
        output += line
        if line.startswith(start):
            return line.strip()
    raise AssertionError(output)


async def person(address: str, name: str) -> httpx.Response:
    """Consent as a person does in a browser, and return the last page."""
    own = address.partition("/v1/")[0]
    async with httpx.AsyncClient(trust_env=False, timeout=40, follow_redirects=True) as client:
        started = await client.post(address, headers={"Origin": own})
        match = ONWARDS.search(started.text)
        assert match, started.text
        return await client.get(f"{html.unescape(match[1])}&sandbox_as={name}")


async def ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    return await asyncio.to_thread(process.communicate, timeout=60)


async def test_an_account_is_connected_from_a_terminal(dev: DevStack) -> None:
    process = begun(dev, "twitter")
    shown = await person(await wait_for_line(process, "http"), "ada")
    assert "You can close this page" in shown.text
    out, _ = await ended(process)
    account = json.loads(out)
    assert (account["platform"], account["username"]) == ("twitter", "ada")


async def test_several_accounts_are_chosen_in_the_terminal(dev: DevStack) -> None:
    await switch_on(dev, "facebook", "several_pages")
    ours, theirs = pty.openpty()
    process = begun(dev, "facebook", stdin=theirs)
    shown = await person(await wait_for_line(process, "http"), "baker")
    assert "Return to where you began" in shown.text
    assert "baker 2" in await wait_for_line(process, "  2")
    os.write(ours, b"2\n")
    out, errors = await ended(process)
    os.close(ours)
    os.close(theirs)
    assert json.loads(out)["username"] == "baker 2", errors


async def test_several_accounts_are_chosen_by_an_option(dev: DevStack) -> None:
    await switch_on(dev, "facebook", "several_pages")
    process = begun(dev, "facebook", "--choose", "chooser 2")
    await person(await wait_for_line(process, "http"), "chooser")
    out, errors = await ended(process)
    assert json.loads(out)["username"] == "chooser 2", errors


async def test_a_refusal_is_a_sentence_and_exit_code_1(dev: DevStack) -> None:
    process = begun(dev, "mastodon")
    _, errors = await ended(process)
    assert process.returncode == 1
    assert "instance is required" in errors
    process = begun(dev, "twitter")
    address = await wait_for_line(process, "http")
    await person(address, "ada&sandbox_decline=all")
    _, errors = await ended(process)
    assert process.returncode == 1
    assert "declined at X" in errors


async def test_a_code_is_waited_for(dev: DevStack) -> None:
    process = begun(dev, "telegram")
    link = await wait_for_line(process, "http")
    assert process.stderr is not None
    await wait_for_line(process, "Then post")
    code = (await asyncio.to_thread(process.stderr.readline)).strip()
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        form = {"chat": "terminal_channel", "text": code, "rights": "yes"}
        (await client.post(link, data=form)).raise_for_status()
    out, errors = await ended(process)
    assert json.loads(out)["username"] == "terminal_channel", errors


async def test_another_api_is_used_with_its_key(dev: DevStack) -> None:
    words = [*SOCIALSYNCER, "accounts", "connect", "twitter", "--no-browser"]
    named = {"SOCIALSYNCER_API_URL": dev.dev["apiUrl"], "SOCIALSYNCER_API_KEY": dev.dev["apiKey"]}
    process = subprocess.Popen(  # noqa: ASYNC220 it is waited for in a thread
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **named}
    )
    await person(await wait_for_line(process, "http"), "grace")
    out, _ = await ended(process)
    assert json.loads(out)["username"] == "grace"
    for url, message in (("http://api.example", "must begin with https://"), ("", "SOCIALSYNCER_API_URL")):
        refused = subprocess.run(  # noqa: ASYNC221 it ends immediately
            words, capture_output=True, text=True, env={**os.environ, **named, "SOCIALSYNCER_API_URL": url}, check=False
        )
        assert refused.returncode == 1
        assert message in refused.stderr
