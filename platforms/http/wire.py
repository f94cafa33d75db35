"""Send requests to a network and say of every failure whether the request can have had an effect."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from domain.rate_limits import Quota
from platforms.errors import LONGEST_CODE, ErrorKind, PlatformError
from platforms.http import answers, timeouts
from platforms.http.body import Fenced
from platforms.http.domains import is_within
from platforms.http.urls import url_of

TIMED_OUT = "timed_out"
"""The code of a request that was not answered in time."""

_FIRST_BYTE = "send_request_headers.started"
"""What httpcore's trace extension says when a connection is there and nothing of the request has been written to it."""
_ALL_SENT = "receive_response_headers.started"
"""What it says when the whole request has been written."""

_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": answers.ENCODING,
    "User-Agent": "socialsyncer (self-hosted Posts API)",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """Note one request for the attempt log: no URL (some carry tokens), no bodies."""

    method: str
    status: int | None
    request_id: str | None
    took: timedelta
    quota: Quota | None = None
    """The quota that the response to a public request reports."""


@dataclass(slots=True)
class Wire:
    """Speak HTTP to one network under its base URL.

    `error_of` maps the network's refusals to a PlatformError; `label` names the network in sentences. There is no
    client over the transport: it would keep one account's cookies and send them with another's requests.
    """

    transport: httpx.AsyncBaseTransport
    base_url: str
    label: str
    error_of: Callable[[httpx.Response], PlatformError]
    request_id_header: str = "x-request-id"
    on_exchange: Callable[[Exchange], None] = lambda _: None
    quota_in: Callable[[httpx.Response], Quota | None] = lambda _: None
    workspace: str = ""
    """Whose requests these are; hosts that only an answer names are looked up in its share."""
    fence: Callable[[], Awaitable[None]] | None = None
    """Awaited once the connection is made, right before the first byte of a public request, and again before the last
    piece of a body that is read while it goes out.

    It raises PlatformError if the request must not leave.
    """
    fences_all: bool = False
    """Whether the fence is awaited before every request, public or not."""
    waits: bool = False
    """Whether answers are waited for without end, because the caller has an end of its own."""
    domains: Collection[str] = ()
    """Hosts, with all below them, that may be sent the account's token at an address which an answer has named."""
    has_gone_public: bool = False
    """Whether a public request was sent, so that it may have had its effect."""
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
        error_of: Callable[[httpx.Response], PlatformError] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return the network's answer to one request, successful by status or with one of those in `accept`.

        `error_of` maps refusals of this request instead of the wire's own. `public` marks the one request that makes a
        post public (or changes it): wherever it may have had its effect the error is of kind `unconfirmed`.

        Raises PlatformError.
        """
        sent, fence = _HEADERS | dict(headers or {}), self.fence if public or self.fences_all else None
        if fence and hasattr(options.get("content"), "__aiter__"):
            options["content"] = Fenced(options["content"], fence)
        try:
            url = self._address(path, sent)
            request = httpx.Request(method, url, headers=sent, extensions={"workspace": self.workspace}, **options)
        except httpx.InvalidURL as error:
            # Part of it is what a person or the network named, a control character in it for one. Nothing is sent.
            message = f"{self.label} cannot be asked about what is named in this post."
            raise PlatformError(ErrorKind.REJECTED, message, code="invalid_address") from error
        started = time.monotonic()
        self.has_gone_public |= public
        try:
            response = await self._answer(request, fence)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            self._note(method, None, started)
            raise PlatformError(
                ErrorKind.TRANSIENT, f"{self.label} could not be reached.", code="unreachable"
            ) from error
        except (httpx.HTTPError, TimeoutError) as error:
            self._note(method, None, started)
            kind = ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT
            raise PlatformError(kind, f"{self.label} did not answer.", code=_code_of(error)) from error
        self._note(method, response, started, public=public)
        if response.is_success or response.status_code in accept:
            return response
        refusal = (error_of or self.error_of)(response)
        if public and response.status_code >= 500 and refusal.kind in {ErrorKind.TRANSIENT, ErrorKind.NOT_READY}:
            raise refusal.as_unconfirmed()
        raise refusal

    def _address(self, path: str, headers: Mapping[str, str]) -> httpx.URL:
        """Return where a request goes. Raises httpx.InvalidURL, PlatformError.

        Most addresses are paths of ours. One that is whole comes from an answer, so it may lead anywhere: it must be
        https, and is sent the token only within the network's own domains. Where the account is reached already,
        anything goes: that is how a sandbox on http can name addresses, and no other host can.
        """
        if path.startswith("/"):
            if {".", ".."}.intersection(path.partition("?")[0].split("/")):
                raise httpx.InvalidURL("an id climbs up the path")
            return url_of(self.base_url + path)
        url = url_of(path)
        if _origin(url) in {_origin(httpx.URL(known)) for known in (self.base_url, *self.elsewhere.values())}:
            return url
        carries_token = any(name.lower() == "authorization" for name in headers)
        if url.scheme != "https" or url.userinfo or (carries_token and not is_within(url.host, self.domains)):
            message = f"{self.label} named an address that is not called: it is not https, or not {self.label}'s own."
            raise PlatformError(ErrorKind.REJECTED, message, code="address_refused")
        return url

    async def _answer(
        self, request: httpx.Request, fence: Callable[[], Awaitable[None]] | None = None
    ) -> httpx.Response:
        """Return a whole answer. httpcore names each moment that a request goes through; two of them count."""
        size = int(request.headers.get("content-length", 0))
        request.extensions["timeout"] = (timeouts.WAITING if self.waits else timeouts.for_body(size)).as_dict()
        async with asyncio.timeout(None) as deadline:

            async def follow(event: str, _: object) -> None:
                if event.endswith(_FIRST_BYTE) and fence:
                    await fence()
                if event.endswith(_ALL_SENT) and not self.waits:
                    deadline.reschedule(asyncio.get_running_loop().time() + timeouts.answer_within(size))
                    # httpcore looks for it before each moment, and no later one counts.
                    request.extensions.pop("trace", None)

            request.extensions["trace"] = follow
            return await answers.read(await self.transport.handle_async_request(request), request)

    def _note(self, method: str, response: httpx.Response | None, started: float, *, public: bool = False) -> None:
        self.on_exchange(
            Exchange(
                method,
                response.status_code if response else None,
                response.headers.get(self.request_id_header, "")[:LONGEST_CODE] or None if response else None,
                timedelta(seconds=time.monotonic() - started),
                self.quota_in(response) if response and public else None,
            )
        )


def json_of(response: httpx.Response) -> dict[str, Any]:
    """Return an answer's JSON object; an empty one where it is none (gateways answer in HTML)."""
    body = answers.parse(response)
    return body if isinstance(body, dict) else {}


def segment(value: object) -> str:
    """Return an id from outside as one segment of a path, whatever it holds."""
    return quote(str(value), safe="")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _code_of(error: Exception) -> str:
    if isinstance(error, answers.AnswerTooLarge):
        return "answer_too_large"
    return TIMED_OUT if isinstance(error, httpx.TimeoutException | TimeoutError) else "connection_lost"
