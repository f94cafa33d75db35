"""Bluesky's reference server (PDS), run for tests, with as many accounts as they need.

`.ci/pds` installs it into the user's cache. Source: github.com/bluesky-social/atproto packages/pds.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.stack.ports import free_port
from platforms.base import AccountFacts
from platforms.bluesky import PLATFORM
from platforms.bluesky.identity import INDEX, PLC
from tests.platforms.programs import serving
from tests.platforms.rig import EACH_ITS_CONNECTION, Rig, Sandbox
from tests.platforms.sources import MediaFromUrl

STARTS_WITHIN_S = 90.0
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("SOCIALSYNCER_TEST_PDS") or _CACHE / "socialsyncer-pds")
PASSWORD = "only-for-tests"
_PROGRAM = Path(__file__).with_name("pds.cjs")


def reason_to_skip() -> str | None:
    """Return why the server cannot be run here, or None."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    return None if (FOLDER / "ready").exists() else "Bluesky's server is not installed: run .ci/pds"


@dataclass(slots=True)
class Pds:
    """A running server."""

    url: str
    directory: str
    """The address of its accounts' DID documents, in place of plc.directory; no posts are there."""
    secret: str
    """The key with which it signs its tokens."""
    client: httpx.AsyncClient

    async def open_account(self, sandbox: Sandbox) -> Rig:
        """Create an account with an app password; the sandbox serves the files of its posts."""
        handle = f"u{secrets.token_hex(4)}.test"
        created = await self.call("createAccount", handle=handle, email=f"{handle}@mail.test", password=PASSWORD)
        token = created["accessJwt"]
        app = await self.call("createAppPassword", token=token, name="tests")
        credentials = PLATFORM.credentials.model_validate(
            {"service": self.url, "identifier": handle, "password": app["password"]}
        )
        account = AccountFacts(PLATFORM.account_id(created["did"]), created["did"], handle)
        elsewhere = {PLC: self.directory, INDEX: self.directory}
        source = MediaFromUrl(sandbox.client)
        return Rig(PLATFORM, sandbox, account, credentials, source, self.url, self.client, elsewhere)

    async def publish_app(self, path: str, document: dict[str, Any]) -> str:
        """Let the server find the metadata of an app; returns the id of the app."""
        (await self.client.post(f"{self.directory}/apps{path}", json=document)).raise_for_status()
        return f"https://posts.socialsyncer.app{path}"

    async def consent(self, address: str, username: str) -> httpx.URL:
        """Allow what an app requests, as a person in a browser; returns the address that the person is sent back to."""
        pages = f"{self.url}/@atproto/oauth-provider/~api"
        cookies: dict[str, str] = {}
        async with httpx.AsyncClient(limits=EACH_ITS_CONNECTION) as browser:

            async def ask(method: str, url: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
                # The cookies are marked for https only, which browsers do not require of localhost.
                browser.cookies.clear()
                cookie_header = "; ".join(f"{name}={value}" for name, value in cookies.items())
                answer = await browser.request(method, url, headers=headers | {"cookie": cookie_header}, json=body)
                for cookie in answer.headers.get_list("set-cookie"):
                    name, _, value = cookie.partition(";")[0].partition("=")
                    cookies[name] = value
                return answer

            opens = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
            page = await ask("GET", address, opens | {"sec-fetch-site": "cross-site", "accept": "text/html"})
            assert page.status_code == 200, page.text
            headers = {
                "origin": self.url,
                "referer": address,
                "sec-fetch-mode": "same-origin",
                "sec-fetch-dest": "empty",
                "sec-fetch-site": "same-origin",
                "x-csrf-token": cookies["csrf-token"],
            }
            who = {"locale": "en", "username": username, "password": PASSWORD, "remember": False}
            signed_in = await ask("POST", f"{pages}/sign-in", headers, who)
            assert signed_in.is_success, signed_in.text
            session = signed_in.json()
            headers["authorization"] = f"Bearer {session['ephemeralToken']}"
            allowed = await ask("POST", f"{pages}/consent", headers, {"sub": session["account"]["sub"]})
            assert allowed.is_success, allowed.text
            leaves = opens | {"sec-fetch-site": "same-origin", "referer": address}
            back = await ask("GET", allowed.json()["url"], leaves)
            assert back.is_redirect, back.text
            return httpx.URL(back.headers["location"])

    async def call(self, procedure: str, /, *, token: str = "", **body: Any) -> dict[str, Any]:
        """Call one of the server's own procedures."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.client.post(f"{self.url}/xrpc/com.atproto.server.{procedure}", json=body, headers=headers)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    async def posts(self, rig: Rig) -> list[dict[str, Any]]:
        """Return the records of the account's posts with their names, newest first."""
        answer = await self.client.get(
            f"{self.url}/xrpc/com.atproto.repo.listRecords",
            params={"repo": rig.account.user_id, "collection": "app.bsky.feed.post", "limit": 100},
        )
        answer.raise_for_status()
        return list(answer.json()["records"])


@asynccontextmanager
async def running_pds() -> AsyncIterator[Pds]:
    """Run a server for the length of the block."""
    root = Path(tempfile.mkdtemp(prefix="posts-test-pds-"))
    port, directory, secret = free_port(), free_port(), secrets.token_hex(32)
    try:
        await asyncio.to_thread((root / "data").mkdir)
        command = ["node", str(_PROGRAM), str(FOLDER), str(root / "data"), str(port), str(directory), secret]
        # The server's own name, which it writes into the documents of its accounts.
        url = f"http://localhost:{port}"
        async with serving(command, f"{url}/xrpc/_health", root / "log", STARTS_WITHIN_S) as client:
            yield Pds(url, f"http://127.0.0.1:{directory}", secret, client)
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
