"""Names whose DNS servers are slow delay only the workspace that uses them."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from domain.post import Media, MediaType
from media.fetch import MediaFetcher
from media.spool import Spool
from platforms.errors import PlatformError
from platforms.http import resolver
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from platforms.http.resolver import OWN_NAMES, Bounds, Resolver, workspace
from platforms.http.wire import Wire
from platforms.registry import platforms
from platforms.servers.outgoing import Outgoing
from platforms.servers.reach import Servers
from tests.media.hostile import JPEG, HostileServer, answer
from tests.platforms.http.loops import Run

SLOW = 60


@dataclass
class NameServers:
    """The system's resolver: names that begin with "slow" block their thread, all others resolve to this machine."""

    over: threading.Event = field(default_factory=threading.Event)
    asked: Counter[str] = field(default_factory=Counter)
    blocked: int = 0
    most_blocked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def getaddrinfo(self, host: str, port: object = None, *_: object, **__: object) -> list[tuple[object, ...]]:
        with self.lock:
            self.asked[host] += 1
        if host.startswith("slow"):
            with self.lock:
                self.blocked += 1
                self.most_blocked = max(self.blocked, self.most_blocked)
            self.over.wait(SLOW)
            with self.lock:
                self.blocked -= 1
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port or 0))]


@pytest.fixture
def name_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServers]:
    servers = NameServers()
    monkeypatch.setattr(socket, "getaddrinfo", servers.getaddrinfo)
    yield servers
    servers.over.set()


def test_slow_names_of_one_workspace_hold_up_no_other_and_no_platform(run: Run, name_servers: NameServers) -> None:
    async def scenario() -> tuple[list[float], int]:
        async with HostileServer().running() as server:
            server.routes["/a.jpg"] = answer(JPEG)
            server.routes["/me"] = answer(b"{}")
            platform, hosts = platforms()["linkedin"], [f"cdn.test:{server.port}"]
            outgoing = Outgoing(Servers({"linkedin": f"http://api.linkedin.test:{server.port}"}))
            fetcher = MediaFetcher(private_hosts=hosts, transport=outgoing.to_named_hosts)
            wire = Wire(
                outgoing.to_platform(platform),
                f"http://api.linkedin.test:{server.port}",
                "LinkedIn",
                platform.read_error,
            )

            async def fetch(url: str, workspace_id: str) -> None:
                with Spool() as spool:
                    media = Media(type=MediaType.IMAGE, url=url)
                    await fetcher.fetch(media, spool, lambda _: None, workspace_id=workspace_id)

            async def fetch_slow(number: int) -> None:
                with suppress(PlatformError):
                    await fetch(f"http://slow{number}.test/a.jpg", "ws_hostile")

            hostile = [asyncio.create_task(fetch_slow(number)) for number in range(50)]
            await asyncio.sleep(0.3)
            took = []
            for request in (fetch(f"http://cdn.test:{server.port}/a.jpg", "ws_other"), wire.send("GET", "/me")):
                started = time.monotonic()
                await request
                took.append(time.monotonic() - started)
            for task in hostile:
                task.cancel()
            await asyncio.gather(*hostile, return_exceptions=True)
            await fetcher.close()
            await wire.transport.aclose()
            return took, name_servers.most_blocked

    took, blocked = run(scenario())
    assert max(took) < 2
    assert blocked <= 4


class Lookup:
    """A lookup with answers by host, each given once; the last one is repeated."""

    def __init__(self, **answers: Sequence[Sequence[str] | OSError]) -> None:
        self.answers = {host: list(addresses) for host, addresses in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self.answers[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


async def test_addresses_are_remembered_until_they_do_not_answer() -> None:
    lookup = Lookup(cdn=[["192.0.2.1"], ["192.0.2.2"]])
    names = Resolver(OWN_NAMES, lookup)
    assert [await names.resolve("cdn") for _ in range(3)] == [["192.0.2.1"]] * 3
    names.forget("cdn")
    assert await names.resolve("cdn") == ["192.0.2.2"]
    assert lookup.asked == ["cdn"] * 2


async def test_addresses_are_looked_up_again_after_a_while() -> None:
    lookup = Lookup(cdn=[["192.0.2.1"], ["192.0.2.2"]])
    names = Resolver(Bounds(threads=2, threads_each=2, keep_s=0.05, keep_failure_s=0), lookup)
    await names.resolve("cdn")
    await asyncio.sleep(0.1)
    assert await names.resolve("cdn") == ["192.0.2.2"]


async def test_failures_are_remembered() -> None:
    lookup = Lookup(gone=[socket.gaierror(socket.EAI_NONAME, "unknown"), ["192.0.2.1"]])
    names = Resolver(lookup=lookup)
    for _ in range(3):
        with pytest.raises(socket.gaierror) as caught:
            await names.resolve("gone")
        assert caught.value.errno == socket.EAI_NONAME
    assert lookup.asked == ["gone"]


async def test_a_host_is_looked_up_by_one_thread_at_a_time(name_servers: NameServers) -> None:
    names = Resolver()
    asking = [asyncio.create_task(names.resolve("slow.test")) for _ in range(20)]
    await asyncio.sleep(0.1)
    name_servers.over.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, socket.gaierror) for outcome in outcomes)
    assert name_servers.asked == {"slow.test": 1}


async def test_a_slow_name_fails_at_once_while_it_is_still_looked_up(
    name_servers: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "SLOW_AFTER_S", 2)
    names = Resolver()
    with pytest.raises(TimeoutError):
        await names.resolve("slow.test")
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await names.resolve("slow.test")
    assert time.monotonic() - started < 1
    assert name_servers.asked == {"slow.test": 1}


async def test_a_workspace_that_waits_for_a_thread_gives_nothing_back_twice(name_servers: NameServers) -> None:
    names = Resolver(Bounds(threads=3, threads_each=1, keep_s=60, keep_failure_s=60))
    asking = [asyncio.create_task(names.resolve(f"slow{number}.test")) for number in range(3)]
    await asyncio.sleep(0.1)
    for task in asking[1:]:
        task.cancel()
    token = workspace.set("ws_other")
    assert await names.resolve("cdn.test") == ["127.0.0.1"]
    workspace.reset(token)
    name_servers.over.set()
    await asyncio.gather(*asking, return_exceptions=True)
    assert name_servers.most_blocked == 1
    async with asyncio.timeout(60):
        assert await names.resolve("late.test") == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "a..b"])
async def test_an_invalid_host_name_does_not_resolve(host: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        await Resolver().resolve(host)


async def test_a_platform_whose_addresses_fail_is_looked_up_again(name_servers: NameServers) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with GuardedTransport(AllowedHosts([f"api.test:{port}"]), names=Resolver(OWN_NAMES)) as transport:
            for _ in range(2):
                with pytest.raises(httpx.ConnectError):
                    await transport.handle_async_request(httpx.Request("GET", f"http://api.test:{port}/"))
    assert name_servers.asked["api.test"] == 2
