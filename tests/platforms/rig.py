"""Helpers for the tests of platforms: the control side of the sandbox, and any account's connection and drafts."""

import asyncio
import itertools
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import httpx

from domain.post import Media, MediaType
from platforms.access.renewal import Renews
from platforms.base import AccountFacts, AnyPlatform, Connection, Draft, Handles, PublishContext
from platforms.http.wire import Exchange, ServerMemory, Wire
from platforms.registry import platforms
from tests.platforms.sources import MediaFromUrl

EACH_ITS_CONNECTION = httpx.Limits(max_keepalive_connections=0)
"""For servers that close a connection after a response without announcing it; in production they run behind a proxy."""

_numbers = itertools.count(1)


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of servers without TLS: loading the certificates takes longer than a step."""


class Through(httpx.AsyncBaseTransport):
    """A client as a transport: its hooks see every request and response; `sent` collects the requests."""

    def __init__(self, client: httpx.AsyncClient, sent: list[httpx.Request] | None = None) -> None:
        self._client = client
        self._sent = [] if sent is None else sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._sent.append(request)
        return await self._client.send(request, stream=True)


@dataclass(slots=True)
class Sandbox:
    """The sandbox as a test sees it."""

    url: str
    client: httpx.AsyncClient
    controls: httpx.AsyncClient
    """A client of its control side."""
    programmed: bool = False
    """Whether faults or conditions may be left."""

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        self.programmed |= method == "POST" and path in {"faults", "conditions"}
        response = await self.controls.request(method, f"{self.url}/_/{path}", json=body)
        response.raise_for_status()
        return response.json()

    async def fault(self, platform: str, fault: str, operation: str | None = None, **more: Any) -> None:
        body = {"platform": platform, "fault": fault, **({"operation": operation} if operation else {}), **more}
        await self.control("POST", "faults", body)

    async def switch_on(self, platform: str, condition: str, account_id: str | None = None) -> None:
        named = {"accountId": account_id} if account_id else {}
        await self.control("POST", "conditions", {"platform": platform, "condition": condition, **named})

    async def clear_conditions(self, platform: str | None = None) -> None:
        await self.control("DELETE", f"conditions?platform={platform}" if platform else "conditions")

    async def forget(self) -> None:
        """Forget the faults and conditions of a test."""
        if self.programmed:
            await self.control("DELETE", "faults")
            await self.control("DELETE", "conditions")
            self.programmed = False

    def media(self, name: str, alt_text: str | None = None) -> Media:
        """Return a sample; the file ending decides its type."""
        kinds = {"gif": MediaType.GIF, "mp4": MediaType.VIDEO, "pdf": MediaType.DOCUMENT}
        kind = kinds.get(name.rpartition(".")[2], MediaType.IMAGE)
        return Media(type=kind, url=f"{self.url}/_/media/{name}", alt_text=alt_text)


class Clock:
    """The clock of a sandbox, which a test can move forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.ahead


class Stop:
    """A request hook that breaks off before the nth request."""

    def __init__(self, at: int) -> None:
        self._remaining = at

    async def __call__(self, _: httpx.Request) -> None:
        self._remaining -= 1
        if self._remaining == 0:
            raise httpx.ReadError("broken off")


@dataclass(slots=True)
class Rig:
    """One account on one platform; `stored` is what the credentials' row holds.

    Without an `address` and a `client`, the sandbox plays the platform.
    """

    platform: AnyPlatform
    sandbox: Sandbox
    account: AccountFacts
    stored: Any
    source: MediaFromUrl
    address: str | None = None
    client: httpx.AsyncClient | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """The replacements for addresses of hosts other than the server's."""
    memory: ServerMemory = field(default_factory=ServerMemory)
    saved: list[Handles] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    sent: list[httpx.Request] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connected_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def connection(self, client: httpx.AsyncClient | None = None) -> Connection[Any]:
        """Return a connection as an activity builds it: with the current credentials, renewed under a lock, once."""
        used = self.stored

        async def refresh() -> Any:
            async with self.lock:
                if self.stored is used:
                    connection = self.connection(client)
                    self.stored = (await cast("Renews[Any]", self.platform).renew(connection)).credentials
                return self.stored

        async def keep(change: Callable[[Any], Any]) -> Any:
            async with self.lock:
                self.stored = change(self.stored)
                return self.stored

        played = f"{self.sandbox.url}/{self.platform.name}"
        wire = Wire(
            Through(client or self.client or self.sandbox.client, self.sent),
            self.address or played,
            self.platform.label,
            self.platform.read_error,
            self.platform.refusals,
            self.platform.request_id_header,
            self.exchanges.append,
            domains=self.platform.own_domains,
            memory=self.memory,
            elsewhere=self.elsewhere or dict.fromkeys(self.platform.other_base_urls, played),
        )
        return Connection(wire, self.account, used, refresh, keep)

    def context(
        self,
        text: str,
        media: Sequence[Media] = (),
        *,
        settings: dict[str, Any] | None = None,
        started_at: datetime | None = None,
        handles: Handles | None = None,
    ) -> PublishContext[Any]:
        """Return an attempt at a post; `saved` collects the handles it saves, as the row would hold them."""

        async def save(handles: Handles) -> None:
            self.saved.append(_copy(handles))

        draft = Draft(text, tuple(media), self.platform.settings.model_validate(settings or {}))
        return PublishContext(
            draft, handles if handles is not None else {}, save, self.source, f"target_{next(_numbers)}", started_at
        )

    async def posts(self) -> list[dict[str, Any]]:
        """Return what became public on this account, newest first."""
        query = f"posts?platform={self.platform.name}&accountId={self.account.account_id}"
        posts: list[dict[str, Any]] = (await self.sandbox.control("GET", query))["posts"]
        return posts

    async def cards(self) -> list[dict[str, Any]]:
        """Return the posts of this account as the sandbox's page shows them, newest first."""
        cards = (await self.sandbox.control("GET", f"feed?platform={self.platform.name}"))["cards"]
        return [card for card in cards if card["accountId"] == self.account.account_id]

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests of this account, and those that name no account, since it was connected, oldest first."""
        query = f"requests?platform={self.platform.name}&since={quote(self.connected_at.isoformat())}"
        entries = (await self.sandbox.control("GET", query))["requests"][::-1]
        return [entry for entry in entries if entry["accountId"] in (None, self.account.account_id)]

    async def operations(self) -> list[str]:
        """Return the operations of these requests."""
        return [entry["operation"] for entry in await self.requests()]

    def bodies(self, ending: str) -> list[dict[str, Any]]:
        """Return the JSON bodies that were posted to paths with this ending."""
        posted = [request for request in self.sent if request.method == "POST" and request.url.path.endswith(ending)]
        return [json.loads(request.content) for request in posted]

    async def read(self, path: str, **params: str) -> dict[str, Any]:
        """Return what the platform answers to the account's token at a path."""
        headers = {"Authorization": f"Bearer {self.stored.access_token.get_secret_value()}"}
        url = f"{self.sandbox.url}/{self.platform.name}{path}"
        answer = await self.sandbox.client.get(url, params=params, headers=headers)
        return dict(answer.json())


Connect = Callable[..., Awaitable[Rig]]
"""The function that connects an account of the sandbox: the fixture `connect`."""


@asynccontextmanager
async def noting() -> AsyncIterator[tuple[httpx.AsyncClient, list[httpx.Request]]]:
    """Yield a client with a list of the requests that it sends, with their bodies."""
    requests: list[httpx.Request] = []

    async def record(request: httpx.Request) -> None:
        await request.aread()
        requests.append(request)

    # There is no TLS here, and loading certificates takes longer than a step.
    async with httpx.AsyncClient(event_hooks={"request": [record]}, verify=False, timeout=60) as client:
        yield client, requests


@asynccontextmanager
async def losing_answers(method: str, path: str, *, before: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that loses the responses to requests of a method and path ending; `before`: the requests, too."""

    def is_lost(request: httpx.Request) -> bool:
        return request.method == method and request.url.path.endswith(path)

    async def drop(request: httpx.Request) -> None:
        if before and is_lost(request):
            raise httpx.ReadError("The request is lost.")

    async def lose(response: httpx.Response) -> None:
        if is_lost(response.request):
            # The whole response has arrived, so the server has done what it was asked for.
            await response.aread()
            raise httpx.ReadError("The answer is lost.")

    async with httpx.AsyncClient(
        event_hooks={"request": [drop], "response": [lose]}, limits=EACH_ITS_CONNECTION, verify=NO_TLS
    ) as client:
        yield client


def _copy(handles: Handles) -> Handles:
    copied: Handles = httpx.Response(200, json=handles).json()
    return copied


async def open_account(
    sandbox: Sandbox, name: str, *, premium: bool = False, credentials: dict[str, Any] | None = None
) -> Rig:
    """Create an account on its platform; `credentials` are added to the access token, under the clients' names."""
    number = next(_numbers)
    platform = platforms()[name]
    user_id, username = str(17841400000000000 + number), f"tester{number}"
    account = AccountFacts(platform.account_id(user_id), user_id, username, premium)
    own = {
        "bluesky": {"identifier": f"{username}.bsky.social"},
        "discord": {"channelId": user_id},
        "telegram": {"chatId": user_id},
    }
    fields = {"accessToken": secrets.token_urlsafe(24), **own.get(name, {}), **(credentials or {})}
    known = {
        "platform": name,
        "accountId": account.account_id,
        "userId": user_id,
        "username": username,
        "accessToken": fields["accessToken"],
        "refreshToken": fields.get("refreshToken"),
        "premium": premium,
    }
    await sandbox.control("POST", "accounts", {"accounts": [known]})
    return Rig(platform, sandbox, account, platform.credentials.model_validate(fields), MediaFromUrl(sandbox.client))
