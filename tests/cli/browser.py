"""Headless Chromium, controlled over its DevTools protocol."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.cli.parts import until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    "--headless=new",
    # Root has no sandbox of its own to give; the only pages that are opened are this test's.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


_TEXT = """
[document, ...[...document.querySelectorAll("iframe")].map(frame => frame.contentDocument)]
  .map(each => each?.body?.innerText ?? "").join("\\n")
"""


_KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}


def program() -> str | None:
    """Return Chromium's path; None if it is not installed."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Page:
    """A tab of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self._do("Page.navigate", url=url)

    async def text(self) -> str:
        """Return the text that a person sees, that of frames of the same origin at the end."""
        return str(await self.evaluate(_TEXT) or "")

    async def shows(self, *words: str, seconds: float = 60) -> str:
        """Wait until the page shows all of the words, and return its text."""
        shown = ""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    shown = await self.text()
                    if all(word in shown for word in words):
                        return shown
                    await asyncio.sleep(0.2)
        except TimeoutError:
            missing = [word for word in words if word not in shown]
            raise AssertionError(f"the page does not show {missing}, but:\n{shown}") from None

    async def evaluate(self, script: str) -> Any:
        """Return the value of an expression of JavaScript."""
        answer = await self._do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page a window of this size, in CSS pixels, for a person who prefers light or dark pages."""
        await self._do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._do("Emulation.setEmulatedMedia", features=[scheme])
        # Two frames later the page has its size.
        await self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    async def press(self, key: str) -> None:
        """Press and release a key: a letter, or Tab, Enter, Escape, ArrowLeft, ArrowRight."""
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        code = _KEY_CODES.get(key) or ord(key.upper())
        pressed = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        await self._do("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
        await self._do("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def prefer(self, **features: str) -> None:
        """Emulate a person's preferences, such as prefers_reduced_motion="reduce"."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self._do("Emulation.setEmulatedMedia", features=named)

    async def picture(self, width: int, height: int, *, dark: bool = False) -> bytes:
        """Return a PNG of the page in a window of this size, in CSS pixels, light or dark."""
        await self.resize(width, height, dark=dark)
        return base64.b64decode((await self._do("Page.captureScreenshot", format="png"))["data"])

    async def _do(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer: dict[str, Any] = json.loads(await self._connection.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """Run Chromium with a profile in `folder`, and open a tab."""
    chromium = program()
    assert chromium
    profile = folder / "profile"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 it ends with the block
            [chromium, *_SWITCHES, f"--user-data-dir={profile}", "about:blank"], stdout=log, stderr=log
        )
    try:
        active = profile / "DevToolsActivePort"
        await until(lambda: active.exists() and active.read_text().count("\n") > 0, 60)
        port = active.read_text().splitlines()[0]
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            targets = (await client.get(f"http://127.0.0.1:{port}/json/list")).json()
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        async with connect(address, max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
