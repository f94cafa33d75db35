"""Look-ups of host names in threads of their own, so that a slow name delays few others.

The event loop's own look-ups share a few threads with everything else: a handful of slow names would stop them all.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from threading import Thread
from weakref import WeakValueDictionary

from platforms.http.addresses import is_within

Lookup = Callable[[str], Sequence[str]]
"""Returns the addresses of a host. It blocks its thread. Raises OSError, or UnicodeError for an invalid host name."""

Found = Sequence[str] | OSError

SLOW_AFTER_S = 8.0
"""Seconds after which a look-up counts as failed for those who wait for it; less than the connect timeouts."""
_MOST_HOSTS = 4096
"""Most hosts that are remembered; some hundred bytes each."""

workspace: ContextVar[str] = ContextVar("workspace", default="")
"""The workspace of the current connection. httpcore does not pass the request on to the resolver, so this must."""


def ask_system(host: str) -> Sequence[str]:
    """Ask the system's resolver; the addresses come in the order in which it would try them."""
    records = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in records))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one resolver: threads in all and per workspace, and seconds that results and failures are kept."""

    threads: int
    threads_each: int
    keep_s: float
    keep_failure_s: float


OWN_NAMES = Bounds(threads=8, threads_each=8, keep_s=300, keep_failure_s=1)
"""For hosts that the platforms and the operator name: few, and needed by everyone."""
STRANGE_NAMES = Bounds(threads=64, threads_each=4, keep_s=60, keep_failure_s=60)
"""For hosts that come from clients and from servers' responses. Each may take a name server minutes to fail."""


class Resolver:
    """The addresses of hosts, for one event loop. One thread at a time looks up a host."""

    def __init__(self, bounds: Bounds = STRANGE_NAMES, lookup: Lookup = ask_system) -> None:
        self._bounds = bounds
        self._lookup = lookup
        self._threads = asyncio.Semaphore(bounds.threads)
        self._threads_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running: dict[str, _Running] = {}
        self._known: OrderedDict[str, tuple[float, Found]] = OrderedDict()

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the addresses of a host, for the current `workspace`.

        Raises OSError, immediately if the host failed shortly before or its look-up takes long. It may wait for a free
        thread, so callers set a timeout. A look-up continues without them and is remembered.
        """
        if (result := self._remembered(host)) is None and host not in self._running:
            key = workspace.get()
            own = self._threads_of.setdefault(key, asyncio.Semaphore(self._bounds.threads_each))
            await own.acquire()
            try:
                await self._threads.acquire()
            except BaseException:
                own.release()
                raise
            # Another request may have asked for the same host in the meantime.
            if (result := self._remembered(host)) is None and host not in self._running:
                self._running[host] = self._begin(host, own)
            else:
                self._release(own)
        if result is None:
            result = await self._running[host].wait()
        if isinstance(result, OSError):
            # A copy, because each traceback would be added to the remembered error.
            raise type(result)(*result.args)
        return result

    def forget(self, host: str) -> None:
        """Forget a host whose addresses do not respond, so that the next request looks it up again."""
        self._known.pop(host, None)

    def _remembered(self, host: str) -> Found | None:
        until, result = self._known.get(host, (0.0, None))
        return result if time.monotonic() < until else None

    def _begin(self, host: str, own: asyncio.Semaphore) -> "_Running":
        loop = asyncio.get_running_loop()
        running = _Running(loop.create_future(), time.monotonic())

        def work() -> None:
            result = _outcome(self._lookup, host)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(partial(self._end, host, running, own, result))

        # A daemon thread: the system's resolver cannot be interrupted, and a worker that ends must not wait for it.
        Thread(target=work, name="resolver", daemon=True).start()
        return running

    def _end(self, host: str, running: "_Running", own: asyncio.Semaphore, result: Found) -> None:
        del self._running[host]
        self._release(own)
        lifetime = self._bounds.keep_failure_s if isinstance(result, OSError) else self._bounds.keep_s
        self._known[host] = (time.monotonic() + lifetime, result)
        self._known.move_to_end(host)
        while len(self._known) > _MOST_HOSTS:
            self._known.popitem(last=False)
        running.future.set_result(result)

    def _release(self, own: asyncio.Semaphore) -> None:
        self._threads.release()
        own.release()


class PlatformNames:
    """The hosts of one platform. Its own are looked up apart from those that only its responses name."""

    def __init__(self, own: Collection[str], own_names: Resolver, strange_names: Resolver) -> None:
        self._own = frozenset(own)
        self._own_names = own_names
        self._strange_names = strange_names

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError."""
        return await self._resolver(host).resolve(host)

    def forget(self, host: str) -> None:
        """Forget a host whose addresses do not respond."""
        self._resolver(host).forget(host)

    def _resolver(self, host: str) -> Resolver:
        return self._own_names if is_within(host, self._own) else self._strange_names


@dataclass(frozen=True, slots=True)
class _Running:
    future: "asyncio.Future[Found]"
    since: float

    async def wait(self) -> Found:
        remaining = self.since + SLOW_AFTER_S - time.monotonic()
        done, _ = await asyncio.wait([self.future], timeout=max(remaining, 0))
        return self.future.result() if done else TimeoutError("its name server takes too long")


def _outcome(lookup: Lookup, host: str) -> Found:
    try:
        return lookup(host)
    except OSError as error:
        return error
    except UnicodeError:
        return socket.gaierror(socket.EAI_NONAME, "it is no host name")
    except Exception as error:  # noqa: BLE001 - the callers that wait must get it, whatever it is
        return OSError(repr(error))
