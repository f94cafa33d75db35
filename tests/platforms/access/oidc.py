"""oidc-provider, an independent authorization server, run for tests at X's paths.

It is installed from npm into the user's cache. Source: github.com/panva/node-oidc-provider.
"""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.stack.ports import free_port
from tests.api.clients.tools import installed_from_npm
from tests.platforms.programs import serving

PACKAGES = {"oidc-provider": "9.13.3"}
CLIENT_ID, SECRET = "app", "a secret of the app"
STARTS_WITHIN_S = 60.0
_PROGRAM = Path(__file__).with_name("oidc.cjs")
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')


@dataclass(slots=True)
class Oidc:
    """A running server."""

    url: str
    client: httpx.AsyncClient

    async def consent(self, address: str, login: str) -> httpx.URL:
        """Sign in and allow what is requested; returns the address to which the person is sent back."""
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            answer = await browser.get(address)
            for _ in range(12):
                if answer.is_redirect:
                    target = answer.url.join(answer.headers["location"])
                    if not str(target).startswith(self.url):
                        return target
                    answer = await browser.get(target)
                    continue
                assert answer.status_code == 200, answer.text
                [action] = _FORM.findall(answer.text)[:1]
                prompt = "login" if 'name="login"' in answer.text else "consent"
                form = (
                    {"prompt": prompt, "login": login, "password": "any"} if prompt == "login" else {"prompt": prompt}
                )
                answer = await browser.post(answer.url.join(action), data=form)
        raise AssertionError("the person was not sent back")


@asynccontextmanager
async def running_oidc(redirect_uri: str) -> AsyncIterator[Oidc]:
    """Run a server for the length of the block; skips the test if it cannot be installed."""
    folder, port = await installed_from_npm(PACKAGES), free_port()
    root = Path(tempfile.mkdtemp(prefix="posts-test-oidc-"))
    app = {
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    try:
        url = f"http://127.0.0.1:{port}"
        command = ["node", str(_PROGRAM), str(folder), str(port), json.dumps(app)]
        known = f"{url}/.well-known/openid-configuration"
        async with serving(command, known, root / "log", STARTS_WITHIN_S) as client:
            yield Oidc(url, client)
    finally:
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
