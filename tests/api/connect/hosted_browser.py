"""A person's browser that connects an account on the pages of this service."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from litestar import Litestar

from tests.api.conftest import PUBLIC_URL, Client, make_client, read_answer
from tests.stack import Stack

BACK = "https://app.example.com/connected?from=us"
ONWARDS = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')


class Browser:
    """A person's browser: it keeps cookies, sends forms from the page it is on, and goes where pages send it."""

    def __init__(self, app: Litestar, stack: Stack) -> None:
        self.own = make_client(app, None)
        self.platform = stack.http
        self.seen: list[str] = []

    async def open(self, url: str) -> httpx.Response:
        self.seen.append(url)
        client = self.own if url.startswith(PUBLIC_URL) else self.platform
        return await client.get(url, headers={"User-Agent": "Mozilla/5.0"}, follow_redirects=False)

    async def send(self, url: str, origin: str = PUBLIC_URL, **form: Any) -> httpx.Response:
        return await self.own.post(url, data=form, headers={"Origin": origin}, follow_redirects=False)

    async def consent(self, begun: dict[str, Any], person: str = "jane", **more: str) -> str:
        """Go from the address that the caller received to the callback; returns the callback's address."""
        assert (await self.open(begun["authUrl"])).status_code == 200
        started = await self.send(begun["authUrl"])
        assert started.status_code == 200, started.text
        asked = onwards(started)
        query = "&".join(f"{name}={value}" for name, value in {"sandbox_as": person, **more}.items())
        response = await self.open(f"{asked}&{query}")
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    async def come_back(self, callback: str) -> httpx.Response:
        """Open the callback and continue to the page that it leads to."""
        response = await self.open(callback)
        assert response.status_code == 303, response.text
        assert "code" not in response.headers["location"]
        return await self.open(response.headers["location"])


def onwards(response: httpx.Response) -> str:
    """Return the address to which a page sends the browser."""
    match = ONWARDS.search(response.text)
    assert match, response.text
    return html.unescape(match[1])


def returned(response: httpx.Response, back: str = BACK) -> dict[str, list[str]]:
    """Return the parameters of the caller's address to which a page sends the browser."""
    url = onwards(response)
    assert url.startswith(back), url
    return parse_qs(urlsplit(url).query)


async def begin(api: Client, platform: str = "twitter", **query: str | None) -> dict[str, Any]:
    parameters = {"hosted": "true", "redirect_url": BACK, **query}
    begun = read_answer(
        await api.get(f"/v1/connect/{platform}", params={name: value for name, value in parameters.items() if value})
    )
    assert (begun["method"], begun["state"]) == ("oauth", None)
    return begun


async def progress(api: Client, begun: dict[str, Any], platform: str = "twitter") -> dict[str, Any]:
    return read_answer(await api.get(f"/v1/connect/{platform}/{begun['connectionId']}"))
