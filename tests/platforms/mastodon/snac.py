"""A snac server for tests, with as many accounts as they need: a small server of Mastodon's API in C.

Source: snac(8); Debian has it as the package snac2.
"""

import asyncio
import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.stack.ports import free_port
from platforms.base import AccountFacts
from platforms.mastodon import PLATFORM
from tests.platforms.programs import serving
from tests.platforms.rig import Rig, Sandbox
from tests.platforms.sources import MediaFromUrl

STARTS_WITHIN_S = 30.0
SETTINGS = {
    # The server's addresses have no TLS.
    "protocol": "http",
    # Otherwise it sends each post to its own accounts over HTTP, and its few threads wait for each other.
    "disable_inbox_collection": True,
    "num_threads": 16,
    "queue_timeout": 1,
    "queue_timeout_2": 1,
}
PROGRAM = shutil.which("snac")


@dataclass(slots=True)
class Snac:
    """A running server."""

    folder: Path
    url: str
    client: httpx.AsyncClient

    async def open_account(self, sandbox: Sandbox) -> Rig:
        """Create an account; the sandbox serves the files of its posts."""
        name, password = await self.add_person()
        # A page for people, whose response contains only the token.
        answer = await self.client.post(f"{self.url}/oauth/x-snac-get-token", data={"login": name, "passwd": password})
        credentials = PLATFORM.credentials.model_validate({"instance": self.url, "accessToken": answer.text.strip()})
        source = MediaFromUrl(sandbox.client)
        rig = Rig(PLATFORM, sandbox, AccountFacts("", "", ""), credentials, source, self.url, self.client)
        identity = await PLATFORM.whoami(rig.connection())
        rig.account = AccountFacts(f"ma_{name}", identity.user_id, identity.username, limits=identity.limits)
        return rig

    async def add_person(self) -> tuple[str, str]:
        """Create an account; returns its name and its password."""
        name = f"u{secrets.token_hex(4)}"
        output = await asyncio.to_thread(_run, ["adduser", str(self.folder), name])
        return name, output.partition("User password is ")[2].split()[0]

    async def ask(self, rig: Rig, method: str, path: str, **options: Any) -> Any:
        """Send the server a request as the account."""
        headers = {"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"}
        answer = await self.client.request(method, f"{self.url}{path}", headers=headers, **options)
        answer.raise_for_status()
        return answer.json()

    async def own(self, rig: Rig) -> list[dict[str, Any]]:
        """Return everything that the account has published, newest first, including private statuses."""
        listed = await self.ask(rig, "GET", "/api/v1/timelines/home?limit=200")
        author = rig.account.user_id.partition("@")[0]
        return [status for status in listed if status["account"]["id"] == author]


@asynccontextmanager
async def running_snac() -> AsyncIterator[Snac]:
    """Run a server for the length of the block."""
    root = Path(tempfile.mkdtemp(prefix="posts-test-snac-"))
    folder, port = root / "data", free_port()
    try:
        await asyncio.to_thread(_run, ["init", str(folder)], f"127.0.0.1\n{port}\nlocalhost:{port}\n\n\n")
        settings = json.loads((folder / "server.json").read_text())
        (folder / "server.json").write_text(json.dumps(settings | SETTINGS))
        url, command = f"http://127.0.0.1:{port}", [PROGRAM or "snac", "httpd", str(folder)]
        async with serving(command, f"{url}/api/v1/instance", root / "log", STARTS_WITHIN_S) as client:
            yield Snac(folder, url, client)
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


def _run(words: list[str], stdin: str = "") -> str:
    done = subprocess.run(
        [PROGRAM or "snac", *words], input=stdin, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout + done.stderr
