"""Fetching of media to disk: from public addresses only, with limits, and without trust in the server's headers."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import httpx

from domain.post import Media
from domain.request_limits import Rates
from domain.shares import Shares
from media.admission import MOST_FETCHES
from media.download import Download
from media.local_hosts import LocalHosts, Samples, url_port
from media.refusals import Refusals
from media.sniff import HEAD
from media.spool import Spool, off_the_loop
from media.stored import AnyFile, StoredFile, stored
from platforms.errors import PlatformError
from platforms.http.addresses import AllowedHosts, is_plain_host, parse_url
from platforms.http.guard import AddressForbidden, GuardedTransport, PortForbidden

MAX_BYTES = 4 * 2**30
"""The largest video that a platform here takes in chunks (TikTok's 4 GB)."""
MAX_REDIRECTS = 5
_PROBE_S = 15.0
"""The time limit for the first bytes of a file; our choice."""
_LONGEST_LENGTH = 20
PER_SECOND = 32 * 2**20
"""Bytes of a workspace's files that a worker reads in a second for long, and in a burst after a pause. They take some
2.5 ms of the processor for each MiB, so one workspace can take a twelfth of a core."""
_BATCH = 256 * 1024
"""Bytes that are gathered for one write: a thread is asked once for several reads of the socket."""

_HEADERS = {
    "User-Agent": "socialsyncer (self-hosted Posts API; fetches media that its owner posts)",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}

_TIMEOUT = httpx.Timeout(connect=10, read=20, write=10, pool=30)

Progress = Callable[[int], None]
"""Receive how many bytes have come so far."""


@dataclass(frozen=True, slots=True)
class MinimumSpeed:
    """The time limit of a download: `grace` seconds, and one more for every `slowest` bytes, up to `longest` in all."""

    grace: float = 60
    slowest: int = 256 * 1024
    longest: float = 30 * 60

    def seconds_for(self, received: int) -> float:
        """Return within how many seconds from the start this many bytes must have come."""
        return min(self.grace + received / self.slowest, self.longest)


class MediaFetcher:
    """A platforms.files.MediaSource that fetches media over guarded sockets; one per process.

    `private_hosts` (`host:port`) may have private addresses. With `samples_url`, the sandbox's base URL, media at
    example.com, .net and .org is answered by the sandbox. Proxy variables of the environment are ignored.
    """

    def __init__(
        self,
        *,
        private_hosts: Collection[str] = (),
        samples_url: str | None = None,
        max_bytes: int = MAX_BYTES,
        speed: MinimumSpeed = MinimumSpeed(),
        bandwidth: Rates | None = None,
        transport: Callable[[AllowedHosts], httpx.AsyncBaseTransport] = GuardedTransport,
    ) -> None:
        self._samples = Samples(samples_url) if samples_url else None
        self._operator_allows = AllowedHosts(private_hosts)
        self._local = LocalHosts(private_hosts, samples_url)
        self.max_bytes = max_bytes
        self._speed = speed
        self._bandwidth = bandwidth or Rates(PER_SECOND, PER_SECOND)
        self._hosts = Shares(MOST_FETCHES)
        # No client on top: it would keep cookies between owners, follow the environment's proxies and decode bodies.
        self._transport = transport(self._local.allowed)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def open(self, media: Media, progress: Progress | None = None) -> AsyncIterator[StoredFile]:
        """Fetch a media item to disk for the length of the block.

        Raises PlatformError: `rejected` for what its owner must correct, `transient` for what may work a little later.
        An OSError is this machine's own (no room on disk).
        """
        with Spool() as spool:
            yield await self.fetch(media, spool, progress or (lambda _: None))

    async def fetch(
        self,
        media: Media | AnyFile,
        spool: Spool,
        progress: Progress,
        most_bytes: Callable[[], int] | None = None,
        *,
        workspace_id: str = "",
    ) -> StoredFile:
        """Fetch a media item of a workspace into a spool, up to what `most_bytes` returns meanwhile.

        Raises as `open` does, and Exhausted if too many files are fetched from its host or the spool has no more room.
        """
        limit, pause = most_bytes or (lambda: self.max_bytes), partial(self._bandwidth.wait_after, workspace_id)
        content_type = await self._read(
            media,
            self._speed.grace,
            lambda refusals, deadline: _Body(
                spool, refusals, progress, deadline, self._speed, lambda: min(limit(), self.max_bytes), pause
            ),
            workspace_id,
        )
        return stored(spool, content_type)

    async def probe(self, media: Media, most_bytes: int | None, *, workspace_id: str = "") -> str:
        """Fetch the first bytes of a media item only; return what they show it to be.

        Raises PlatformError as `open` does, also if its server says that it has more than `most_bytes`.
        """
        with Spool() as spool:
            return await self._read(
                media, _PROBE_S, lambda refusals, _: _Beginning(spool, refusals, most_bytes), workspace_id
            )

    async def _read(
        self,
        media: Media | AnyFile,
        within_s: float,
        body: Callable[[Refusals, asyncio.Timeout], "_Body | _Beginning"],
        workspace_id: str,
    ) -> str:
        """Read a media item into a body within a time that the body may move. Raises PlatformError as `open` does."""
        refusals = Refusals(media, "")
        try:
            url = parse_url(media.url)
        except httpx.InvalidURL as error:
            raise refusals.unreachable("the URL is not valid") from error
        refusals = Refusals(media, url.host)
        try:
            async with asyncio.timeout(within_s) as deadline:
                return await self._follow(url, media, body(refusals, deadline), workspace_id)
        except TimeoutError as error:
            raise refusals.too_slow() from error
        except httpx.HTTPError as error:
            raise _meaning(error, refusals) from error

    async def _follow(
        self, url: httpx.URL, media: Media | AnyFile, body: "_Body | _Beginning", workspace_id: str
    ) -> str:
        hosts: list[str] = []
        extensions = {"timeout": _TIMEOUT.as_dict(), "workspace": workspace_id}
        for _ in range(MAX_REDIRECTS + 1):
            if self._samples:
                url = self._samples.sample_url(url, media.type)
            hosts.append(url.host)
            self._check(url, body.refusals)
            request = httpx.Request("GET", url, headers={**_HEADERS, **body.headers}, extensions=extensions)
            # A host that many workspaces use may be slow for all of them: it holds up at most half of the fetches.
            with self._hosts.take(url.host):
                response = await self._transport.handle_async_request(request)
                try:
                    if not response.has_redirect_location:
                        if response.status_code not in body.statuses:
                            raise body.refusals.of_status(response.status_code)
                        encoding = response.headers.get("content-encoding", "").strip().lower()
                        most = body.most_bytes
                        download = Download(body.spool, media.type, encoding, most, body.refusals, tuple(hosts))
                        return await body.take(response, download)
                    url = _redirected(url, response.headers["location"], body.refusals)
                finally:
                    await response.aclose()
        raise body.refusals.unreachable(f"it is redirected more than {MAX_REDIRECTS} times")

    def _check(self, url: httpx.URL, refusals: Refusals) -> None:
        if url.scheme not in {"http", "https"} or not url.host:
            raise refusals.forbidden("only http and https addresses are")
        if url.userinfo:
            raise refusals.forbidden("it holds a user name or password")
        if not is_plain_host(url.raw_host.decode()):
            raise refusals.forbidden("its host is an address in an unusual spelling")
        if self._local.refuses(url):
            raise refusals.forbidden(f"{url.host} is not on the public internet")
        if self._samples and self._samples.hides(url) and not self._operator_allows.allows(url.host, url_port(url)):
            raise refusals.forbidden(_NOT_PUBLIC)


@dataclass(slots=True)
class _Body:
    headers: ClassVar[Mapping[str, str]] = {}
    statuses: ClassVar[Collection[int]] = (httpx.codes.OK,)

    spool: Spool
    refusals: Refusals
    progress: Progress
    deadline: asyncio.Timeout
    speed: MinimumSpeed
    most_bytes: Callable[[], int]
    pause: Callable[[int], float]
    """Return for how many seconds nothing is read after so many bytes."""

    async def take(self, response: httpx.Response, download: Download) -> str:
        length = response.headers.get("content-length", "")
        if length.isdecimal():
            download.announce(int(length))
        loop = asyncio.get_running_loop()
        started, received, batch = loop.time(), 0, bytearray()
        async for data in response.aiter_raw():
            batch += data
            received += len(data)
            if not self.deadline.expired():
                self.deadline.reschedule(started + self.speed.seconds_for(received))
            if len(batch) >= _BATCH:
                await asyncio.to_thread(download.feed, bytes(batch))
                self.progress(received)
                if wait := self.pause(len(batch)):
                    await asyncio.sleep(wait)
                batch.clear()
        await off_the_loop(download.most_decoded(received), download.feed, bytes(batch))
        self.progress(received)
        return download.finish()


@dataclass(slots=True)
class _Beginning:
    """The first bytes of a file. The connection is closed after them, whatever the server would still send."""

    headers: ClassVar[Mapping[str, str]] = {"Range": f"bytes=0-{HEAD - 1}"}
    statuses: ClassVar[Collection[int]] = (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT)

    spool: Spool
    refusals: Refusals
    most: int | None

    def most_bytes(self) -> int:
        return MAX_BYTES if self.most is None else self.most

    async def take(self, response: httpx.Response, download: Download) -> str:
        whole = response.headers.get("content-range", "").rpartition("/")[2]
        if response.status_code == httpx.codes.OK and not response.headers.get("content-encoding"):
            whole = response.headers.get("content-length", "")
        if whole.isdecimal() and len(whole) < _LONGEST_LENGTH and int(whole) > download.limit:
            raise self.refusals.too_large(download.limit)
        async for data in response.aiter_raw():
            await asyncio.to_thread(download.feed, data[:HEAD])
            if self.spool.size >= HEAD:
                break
        return download.beginning()


def _redirected(url: httpx.URL, location: str, refusals: Refusals) -> httpx.URL:
    try:
        target = parse_url(location, url)
    except httpx.InvalidURL as error:
        raise refusals.unreachable("it is redirected to a URL that is not valid") from error
    if (url.scheme, target.scheme) == ("https", "http"):
        raise refusals.unreachable("it is redirected from https to plain http")
    return target


_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_NOT_PUBLIC = "its host does not exist, is not on the public internet, or is this service's own machine"
"""One sentence for all: otherwise clients could find out which internal names exist."""


def _meaning(error: httpx.HTTPError, refusals: Refusals) -> PlatformError:
    causes = list(_causes(error))
    if port := next((cause for cause in causes if isinstance(cause, PortForbidden)), None):
        return refusals.forbidden(str(port))
    if any(isinstance(cause, AddressForbidden) or _is_unknown_host(cause) for cause in causes):
        return refusals.forbidden(_NOT_PUBLIC)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return refusals.unreachable("its server has no valid certificate")
    if isinstance(error, httpx.TimeoutException):
        return refusals.too_slow()
    if isinstance(error, httpx.ConnectError):
        return refusals.no_answer()
    return refusals.broken_off()


def _is_unknown_host(cause: BaseException) -> bool:
    return isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_HOST


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
