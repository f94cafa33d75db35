"""Send requests to a network and say of every failure whether the request can have had an effect."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from domain.pace import Allowance
from platforms.errors import Kind, NetworkError

TIMEOUT = httpx.Timeout(connect=10, read=30, write=30, pool=10)
"""Seconds; their sum stays below the publish activity's start-to-close timeout, so no attempt outlives its activity."""

_FIRST_BYTE = "send_request_headers.started"
"""What httpcore's trace extension says when a connection is there and nothing of the request has been written to it."""

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "socialsyncer (self-hosted Posts API)"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """Note one request for the attempt log: no URL (some carry tokens), no bodies."""

    method: str
    status: int | None
    request_id: str | None
    took: timedelta
    allowance: Allowance | None = None
    """What the answer to a public request told of how many more may follow."""


@dataclass(slots=True)
class Wire:
    """Speak HTTP to one network under its base URL.

    `error_of` maps the network's refusals to a NetworkError; `label` names the network in sentences. There is no client
    over the transport: it would keep one account's cookies and send them with another's requests.
    """

    transport: httpx.AsyncBaseTransport
    base_url: str
    label: str
    error_of: Callable[[httpx.Response], NetworkError]
    request_id_header: str = "x-request-id"
    on_exchange: Callable[[Exchange], None] = lambda _: None
    allowance_in: Callable[[httpx.Response], Allowance | None] = lambda _: None
    workspace: str = ""
    """Whose requests these are; hosts that only an answer names are looked up in its share."""
    fence: Callable[[], Awaitable[None]] | None = None
    """Awaited once the connection is made, right before the first byte of a public request.

    It raises NetworkError if the request must not leave.
    """
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Other base URLs for hosts that the network has beside this one, by their usual ones."""

    def host(self, usual: str) -> str:
        """Return the base URL of a host that the network has beside its main one."""
        return self.elsewhere.get(usual, usual)

    async def send(
        self,
        method: str,
        path: str,
        *,
        public: bool = False,
        accept: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return the network's answer to one request, successful by status or with one of those in `accept`.

        `public` marks the one request that makes a post public (or changes it): wherever it may have had its effect
        the error is of kind `unclear`. Raises NetworkError.
        """
        url = path if path.startswith(("http://", "https://")) else self.base_url + path
        sent = _HEADERS | dict(headers or {})
        extensions: dict[str, Any] = {"timeout": TIMEOUT.as_dict(), "workspace": self.workspace}
        if public and self.fence:
            extensions["trace"] = self._heed_fence
        try:
            request = httpx.Request(method, url, headers=sent, extensions=extensions, **options)
        except httpx.InvalidURL as error:
            # Part of it is what a person or the network named, a control character in it for one. Nothing is sent.
            message = f"{self.label} cannot be asked about what is named in this post."
            raise NetworkError(Kind.REJECTED, message, code="invalid_address") from error
        started = time.monotonic()
        try:
            response = await self._answer(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            self._note(method, None, started)
            raise NetworkError(Kind.TRANSIENT, f"{self.label} could not be reached.", code="unreachable") from error
        except httpx.HTTPError as error:
            self._note(method, None, started)
            kind = Kind.UNCLEAR if public else Kind.TRANSIENT
            code = "timed_out" if isinstance(error, httpx.TimeoutException) else "connection_lost"
            raise NetworkError(kind, f"{self.label} did not answer.", code=code) from error
        self._note(method, response, started, public=public)
        if response.is_success or response.status_code in accept:
            return response
        refusal = self.error_of(response)
        if public and response.status_code >= 500 and refusal.kind in {Kind.TRANSIENT, Kind.NOT_READY}:
            raise refusal.as_unclear()
        raise refusal

    async def _heed_fence(self, event: str, _: object) -> None:
        """Wait for the fence at the one moment that counts; httpcore names each that a request goes through."""
        if self.fence and event.endswith(_FIRST_BYTE):
            await self.fence()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self.transport.handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response

    def _note(self, method: str, response: httpx.Response | None, started: float, *, public: bool = False) -> None:
        self.on_exchange(
            Exchange(
                method,
                response.status_code if response else None,
                response.headers.get(self.request_id_header) if response else None,
                timedelta(seconds=time.monotonic() - started),
                self.allowance_in(response) if response and public else None,
            )
        )


def json_of(response: httpx.Response) -> dict[str, Any]:
    """Return an answer's JSON object; an empty one where it is none (gateways answer in HTML)."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
