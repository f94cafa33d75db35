"""Requests to a platform; every failure says whether the request can have had an effect."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from domain.request_limits import Quota
from platforms.errors import ANSWER_TOO_LARGE, LONGEST_CODE, ErrorKind, PlatformError
from platforms.http import answers, timeouts
from platforms.http.addresses import is_within, parse_url
from platforms.http.body import Fenced
from platforms.http.refusals import NO_REFUSALS, Refusals

T = TypeVar("T")


class ServerMemory:
    """Objects that outlive a step, one of each type. A process has one memory, and its wires refer to it."""

    def __init__(self) -> None:
        self._objects: dict[type[Any], Any] = {}

    def get(self, kind: type[T]) -> T:
        """Return the object of a type; it is made when it is first needed."""
        if kind not in self._objects:
            self._objects[kind] = kind()
        known: T = self._objects[kind]
        return known


OF_OPERATOR = "operators_host"
"""The extension of a request that says whether the operator has set the host that it goes to."""

UNREACHABLE = "unreachable"
"""The code of a request for which no connection was made."""
TIMED_OUT = "timed_out"
"""The code of a request that was not answered in time."""

_FIRST_BYTE = "send_request_headers.started"
"""The event of httpcore's trace extension after connecting, before anything of the request is written."""
_ALL_SENT = "receive_response_headers.started"
"""The event when the whole request has been written."""
_TOKEN_HEADER = re.compile(r"[!-~]+(?: [!-~]+)*")
"""A scheme and a token in printable ASCII characters, as HTTP allows them in a header (RFC 9110, 11.6.2)."""

_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": answers.ENCODING,
    "User-Agent": "socialsyncer (self-hosted Posts API)",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A record of one request for the attempt log: no URL (some contain tokens), no bodies."""

    method: str
    status: int | None
    request_id: str | None
    took: timedelta
    quota: Quota | None = None
    """The quota that the response to a public request reports."""


@dataclass(slots=True)
class Wire:
    """HTTP to one platform under its base URL.

    `read_error` maps the platform's error responses to a PlatformError; `label` names the platform in messages.
    There is no client over the transport: it would keep one account's cookies and send them with another's requests.
    """

    transport: httpx.AsyncBaseTransport
    base_url: str
    label: str
    read_error: Callable[[httpx.Response], PlatformError]
    refusals: Refusals = NO_REFUSALS
    """The answers that count as the platform's own refusals. Without any, no public request is sent, and every answer
    counts: a person who connects an account learns what its server says."""
    request_id_header: str = "x-request-id"
    on_exchange: Callable[[Exchange], None] = lambda _: None
    quota_in: Callable[[httpx.Response], Quota | None] = lambda _: None
    workspace: str = ""
    """The workspace of these requests. Hosts that only a response names are looked up within its share."""
    fence: Callable[[], Awaitable[None]] | None = None
    """Awaited once the connection is made, right before the first byte of a public request.

    If the body is read while it is sent, it is awaited again before the last piece. It raises PlatformError if the
    request must not be sent.
    """
    fences_all: bool = False
    """Whether the fence is awaited before every request, public or not."""
    without_timeout: bool = False
    """Whether there is no timeout for responses, because the caller has its own."""
    domains: Collection[str] = ()
    """Hosts, including all subdomains, that may be sent the account's token at an address from a response."""
    public_requests: int = 0
    """How many public requests were sent, each of which may have had its effect."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Replacements for the base URLs of the platform's further hosts, by their usual ones."""
    memory: ServerMemory = field(default_factory=ServerMemory)
    """What this process remembers of servers."""

    def host(self, usual: str) -> str:
        """Return the base URL of a further host of the platform."""
        return self.elsewhere.get(usual, usual)

    def address(self, platform_url: str, url: str) -> str:
        """Return an address of a platform, or its path at what replaces the platform's own base URL, such as a sandbox.

        A server in place of `platform_url` plays all hosts of the platform.
        """
        return url if self.base_url == platform_url else self.base_url + urlsplit(url).path

    async def send(
        self,
        method: str,
        path: str,
        *,
        public: bool = False,
        accept: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        read_error: Callable[[httpx.Response], PlatformError] | None = None,
        listed: answers.ListAt | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return the platform's response to one request, if its status means success or is one of `accept`.

        A body that knows its headers, such as a form, adds them.

        `listed` names a list in the response of which the first items are useful if it is too large to be read.
        `read_error` maps error responses of this request instead of the wire's own. `public` marks the one request that
        makes a post public (or changes it): if it may have had its effect, the error is of kind `unconfirmed`.

        Raises PlatformError.
        """
        self._check_token(headers or {})
        sent = {**_HEADERS, **(headers or {}), **getattr(options.get("content"), "headers", {})}
        fence = self.fence if public or self.fences_all else None
        if fence and hasattr(options.get("content"), "__aiter__"):
            options["content"] = Fenced(options["content"], fence)
        try:
            url = self._address(path, sent)
            extensions = {
                "workspace": self.workspace,
                OF_OPERATOR: self._is_elsewhere(url),
                answers.LIST_AT: listed,
            }
            request = httpx.Request(method, url, headers=sent, extensions=extensions, **options)
        except httpx.InvalidURL as error:
            # A part of the URL, named by a person or the platform, is invalid, for example a control character. Nothing
            # is sent.
            message = f"{self.label} cannot be asked about what is named in this post."
            raise PlatformError(ErrorKind.REJECTED, message, code="invalid_address") from error
        started = time.monotonic()
        self.public_requests += public
        try:
            response = await self._answer(request, fence)
        except PlatformError:
            # The fence has stopped it.
            self.public_requests -= public
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            self.public_requests -= public
            self._record(method, None, started)
            raise PlatformError(ErrorKind.TRANSIENT, f"{self.label} could not be reached.", code=UNREACHABLE) from error
        except (httpx.HTTPError, TimeoutError) as error:
            self._record(method, None, started)
            kind = ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT
            is_large = isinstance(error, answers.AnswerTooLarge)
            message = f"{self.label} {'answered with more than is read' if is_large else 'did not answer'}."
            raise PlatformError(kind, message, code=_failure_code(error)) from error
        self._record(method, response, started, public=public)
        if response.is_success or response.status_code in accept:
            return response
        if read_error and not public:
            raise read_error(response)
        raise self.outcome(response, (read_error or self.read_error)(response), public=public)

    def outcome(self, response: httpx.Response, error: PlatformError, *, public: bool) -> PlatformError:
        """Return the error of a response.

        It is `unconfirmed` if it answers a public request and is no trusted refusal, and `transient` if it answers
        another and may be a gateway's. It carries the response's id.
        """
        error.request_id = error.request_id or self._request_id(response)
        if public:
            return self.refusals.outcome(response, error)
        if self.refusals is NO_REFUSALS or not self.refusals.may_pass(response, error):
            return error
        message = f"{self.label} answered with status {response.status_code}, or a gateway before it."
        return PlatformError(
            ErrorKind.TRANSIENT, message, code=error.code, status=error.status, request_id=error.request_id
        )

    def _request_id(self, response: httpx.Response) -> str | None:
        return response.headers.get(self.request_id_header, "")[:LONGEST_CODE] or None

    def _is_elsewhere(self, url: httpx.URL) -> bool:
        """Return whether a URL is on a host that replaces a further one of the platform, and not on the account's."""
        own = _origin(httpx.URL(self.base_url)) if self.elsewhere else None
        return any(_origin(url) == _origin(httpx.URL(known)) != own for known in self.elsewhere.values())

    def _check_token(self, headers: Mapping[str, str]) -> None:
        """Raise PlatformError for a token that no request can carry: it has characters that no header may have."""
        token = next((value for name, value in headers.items() if name.lower() == "authorization"), "-")
        if not _TOKEN_HEADER.fullmatch(token):
            message = (
                f"{self.label} no longer accepts this account's connection: its token is invalid. Connect it again."
            )
            raise PlatformError(ErrorKind.AUTH, message, code="token_invalid")

    def _address(self, path: str, headers: Mapping[str, str]) -> httpx.URL:
        """Return the URL of a request. Raises httpx.InvalidURL, PlatformError.

        Most addresses are paths of ours. A complete address comes from a response, so it may lead anywhere. It must be
        https, and is sent the token only within the platform's own domains.

        An address on a host at which the account is reached already is always accepted. So a sandbox on http can name
        addresses, and no other host can.
        """
        if path.startswith("/"):
            if {".", ".."}.intersection(path.partition("?")[0].split("/")):
                raise httpx.InvalidURL("an id climbs up the path")
            return parse_url(self.base_url + path)
        url = parse_url(path)
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
        """Return a whole response. httpcore's trace names each event of a request; two of them matter here."""
        size = int(request.headers.get("content-length", 0))
        request.extensions["timeout"] = (
            timeouts.WAITING if self.without_timeout else timeouts.for_body(size)
        ).as_dict()
        async with asyncio.timeout(None) as deadline:

            async def follow(event: str, _: object) -> None:
                if event.endswith(_FIRST_BYTE) and fence:
                    await fence()
                if event.endswith(_ALL_SENT) and not self.without_timeout:
                    deadline.reschedule(asyncio.get_running_loop().time() + timeouts.answer_within(size))
                    # httpcore looks for it before each event, and no later one matters.
                    request.extensions.pop("trace", None)

            request.extensions["trace"] = follow
            return await answers.read(await self.transport.handle_async_request(request), request)

    def _record(self, method: str, response: httpx.Response | None, started: float, *, public: bool = False) -> None:
        self.on_exchange(
            Exchange(
                method,
                response.status_code if response else None,
                self._request_id(response) if response else None,
                timedelta(seconds=time.monotonic() - started),
                self.quota_in(response) if response and public else None,
            )
        )


def json_object(response: httpx.Response) -> dict[str, Any]:
    """Return a response's JSON object; an empty one if there is none (gateways answer in HTML)."""
    body = answers.parse(response)
    return body if isinstance(body, dict) else {}


def error_object(response: httpx.Response) -> dict[str, Any]:
    """Return the object that describes the error in a response; an empty one if there is none."""
    error = json_object(response).get("error")
    return error if isinstance(error, dict) else {}


def segment(value: object) -> str:
    """Return an untrusted id as one segment of a path, whatever it contains."""
    return quote(str(value), safe="")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _failure_code(error: Exception) -> str:
    if isinstance(error, answers.AnswerTooLarge):
        return ANSWER_TOO_LARGE
    return TIMED_OUT if isinstance(error, httpx.TimeoutException | TimeoutError) else "connection_lost"
