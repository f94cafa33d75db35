import asyncio
import gzip
import os
import zlib
from collections.abc import Callable

import httpx
import pytest

from domain.post import Media, MediaType
from domain.request_limits import Rates
from media.fetch import MediaFetcher
from media.local_hosts import Samples
from media.spool import Spool
from platforms.errors import ErrorKind
from tests.media.descriptors import open_files
from tests.media.fetching import Make, refusal
from tests.media.hostile import (
    JPEG,
    MP4_HEAD,
    PUBLIC,
    HostileServer,
    Internet,
    answer,
    endless,
    redirect,
)


@pytest.mark.parametrize(
    ("url", "kind", "path"),
    [
        ("https://example.com/photo.jpg", MediaType.IMAGE, "/_/media/photo.jpg"),
        ("https://cdn.example.com/a/b/Launch.PNG?x=1", MediaType.IMAGE, "/_/media/Launch.png"),
        ("https://example.org/clip.mp4", MediaType.VIDEO, "/_/media/clip.mp4"),
        ("https://example.net/clip.mov", MediaType.VIDEO, "/_/media/clip.mp4"),
        ("https://example.com/photo.webp", MediaType.IMAGE, "/_/media/photo.jpg"),
        ("https://example.com/wave", MediaType.GIF, "/_/media/wave.gif"),
        ("https://example.com/", MediaType.IMAGE, "/_/media/sample.jpg"),
        ("https://example.com", MediaType.IMAGE, "/_/media/sample.jpg"),
        ("https://example.com/..%2f..%2fposts", MediaType.IMAGE, "/_/media/posts.jpg"),
        ("https://example.com/a%20b.jpg", MediaType.IMAGE, "/_/media/a%20b.jpg"),
    ],
)
def test_example_hosts_are_answered_from_samples(url: str, kind: MediaType, path: str) -> None:
    address = Samples("http://127.0.0.1:9/").sample_url(httpx.URL(url), kind)
    assert (address.host, address.port, address.raw_path.decode()) == ("127.0.0.1", 9, path)


@pytest.mark.parametrize(
    "url", ["https://notexample.com/a.jpg", "https://example.com.evil.test/a.jpg", "https://example.co/a"]
)
def test_other_hosts_are_left_alone(url: str) -> None:
    assert Samples("http://127.0.0.1:9").sample_url(httpx.URL(url), MediaType.IMAGE) == httpx.URL(url)


def test_nothing_but_samples_is_open_on_the_sandbox() -> None:
    samples = Samples("http://127.0.0.1:9")
    assert samples.hides(httpx.URL("http://127.0.0.1:9/_/posts"))
    assert samples.hides(httpx.URL("http://127.0.0.1:9/_/media/../posts"))
    assert not samples.hides(httpx.URL("http://127.0.0.1:9/_/media/a.jpg"))
    assert not samples.hides(httpx.URL("http://127.0.0.1:10/_/posts"))


PIECE = 256 * 1024
VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(16 * PIECE)


async def test_a_file_that_comes_too_fast_is_read_with_pauses() -> None:
    class Noting(Rates):
        waits: list[tuple[str, float]] = []  # noqa: RUF012

        def wait_after(self, holder: str, amount: float = 1) -> float:
            self.waits.append((holder, super().wait_after(holder, amount)))
            return self.waits[-1][1] / 1000

    bandwidth = Noting(8 * PIECE, 8 * PIECE, clock=lambda: 100.0)
    server = HostileServer({"/a.mp4": answer(VIDEO)})
    async with server.running():
        fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"], bandwidth=bandwidth)
        media = Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/a.mp4")
        with Spool() as spool:
            file = await fetcher.fetch(media, spool, lambda _: None, workspace_id="ws")
            assert file.size == len(VIDEO)
        await fetcher.close()
    assert {name for name, _ in bandwidth.waits} == {"ws"}
    assert bandwidth.waits[0][1] == 0
    # 16 pieces have arrived, at 8 pieces a second; pieces that arrived together are counted together.
    assert bandwidth.waits[-1][1] > 0.5


async def test_a_file_is_streamed_to_disk_and_gone_afterwards(server: HostileServer, fetcher_with: Make) -> None:
    body = MP4_HEAD + os.urandom(3 * 2**20)
    server.routes["/clip"] = answer(body)
    heard: list[int] = []
    before = open_files()
    async with fetcher_with().open(Media(type=MediaType.VIDEO, url="http://cdn.test/clip"), heard.append) as file:
        assert (file.content_type, file.size) == ("video/mp4", len(body))
        first = [chunk async for chunk in file.chunks(1_000_000)]
        assert [len(chunk) for chunk in first[:-1]] == [1_000_000] * 3
        assert b"".join(first) == body
        assert await file.read() == body
        assert b"".join([chunk async for chunk in file.spool.chunks(2**20, 2**21)]) == body[2**21 :]
    assert heard == sorted(heard)
    assert heard[-1] == len(body)
    with pytest.raises(ValueError, match="closed"):
        file.spool.read_at(0, 1)
    assert open_files() <= before


async def test_requests_carry_no_foreign_headers(server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = answer(JPEG, "Set-Cookie: session=1; Path=/")
    fetcher = fetcher_with()
    for _ in range(2):
        async with fetcher.open(Media(type=MediaType.IMAGE, url="http://cdn.test/a?sig=1#part")):
            pass
    for request in server.requests:
        assert request.startswith("GET /a?sig=1 HTTP/1.1\r\n")
        headers = {line.split(":")[0].lower() for line in request.splitlines()[1:] if line}
        assert headers == {"host", "user-agent", "accept", "accept-encoding"}
        assert "accept-encoding: identity" in request.lower()


async def test_proxy_variables_are_ignored(
    server: HostileServer, fetcher_with: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.routes["/a"] = answer(JPEG)
    async with fetcher_with().open(Media(type=MediaType.IMAGE, url="http://cdn.test/a")) as file:
        assert file.content_type == "image/jpeg"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a",
        "http://localhost/a",
        "http://[::1]/a",
        "http://[::]/a",
        "http://0.0.0.0/a",
        "http://0/a",
        "http://2130706433/a",
        "http://0x7f000001/a",
        "http://0177.0.0.1/a",
        "http://127.1/a",
        "http://127.0.0.1./a",
        "http://127。0。0。1/a",
        "http://①②⑦.0.0.1/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://[::ffff:7f00:1]/a",
        "http://[2002:7f00:1::]/a",
        "http://[64:ff9b::a9fe:a9fe]/a",
        "http://[fe80::1%25eth0]/a",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://100.100.100.200/a",
        "http://168.63.129.16/a",
        "http://10.0.0.7:8080/a",
        "http://user:password@cdn.test/a",
        "http://user@cdn.test/a",
        "http://cdn.test@127.0.0.1/a",
        "http://cdn.test\\@127.0.0.1/a",
        "ftp://cdn.test/a",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "data:image/jpeg;base64,AAAA",
        "//cdn.test/a",
        "/etc/passwd",
        "",
        "http://",
        "http:///a",
        "http://cdn.test:99999/a",
        "http://cdn.test:0/a",
        "http://cdn.test/\r\nX-Injected: 1",
        "http://[not-an-address]/a",
    ],
)
async def test_no_such_url_ever_opens_a_socket(url: str, internet: Internet, fetcher_with: Make) -> None:
    internet.knows("localhost", ["127.0.0.1", "::1"])
    internet.knows("metadata.google.internal", ["169.254.169.254"])
    error = await refusal(fetcher_with(), url)
    assert (error.kind, error.code) in {
        (ErrorKind.REJECTED, "media_address_forbidden"),
        (ErrorKind.REJECTED, "media_unreachable"),
    }
    assert internet.connected == []
    assert "password" not in error.message.replace("a user name or password", "")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/secret",
        "http://localhost/secret",
        "http://[::1]/secret",
        "http://169.254.169.254/latest/meta-data/",
        "//10.0.0.1/secret",
        "http://2130706433/secret",
        "http://user:pass@cdn.test/secret",
        "file:///etc/passwd",
        "gopher://cdn.test/",
        "http://inside.test/secret",
    ],
)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_no_redirect_leads_inside(
    target: str, status: str, server: HostileServer, internet: Internet, fetcher_with: Make
) -> None:
    internet.knows("localhost", ["127.0.0.1"])
    internet.knows("inside.test", ["192.168.0.10"])
    server.routes |= {"/a": redirect("/b"), "/b": redirect(target, status), "/secret": answer(JPEG)}
    error = await refusal(fetcher_with(), "http://cdn.test/a")
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_address_forbidden")
    assert set(internet.connected) == {PUBLIC}
    assert len(server.requests) == 2


async def test_dns_rebinding_is_refused(server: HostileServer, internet: Internet, fetcher_with: Make) -> None:
    internet.knows("rebind.test", [PUBLIC], ["127.0.0.1"])
    server.routes |= {"/a": redirect("http://rebind.test/b"), "/b": answer(JPEG)}
    error = await refusal(fetcher_with(), "http://rebind.test/a")
    assert error.code == "media_address_forbidden"
    assert internet.connected == [PUBLIC]


async def test_a_name_is_resolved_once_per_connection(
    server: HostileServer, internet: Internet, fetcher_with: Make
) -> None:
    internet.knows("rebind.test", [PUBLIC], ["127.0.0.1"])
    server.routes["/a"] = answer(JPEG)
    async with fetcher_with().open(Media(type=MediaType.IMAGE, url="http://rebind.test/a")):
        pass
    assert internet.connected == [PUBLIC]


async def test_five_redirects_are_followed_and_six_are_not(server: HostileServer, fetcher_with: Make) -> None:
    server.routes |= {f"/{n}": redirect(f"/{n - 1}") for n in range(1, 7)} | {"/0": answer(JPEG)}
    fetcher = fetcher_with()
    async with fetcher.open(Media(type=MediaType.IMAGE, url="http://cdn.test/5")) as file:
        assert file.size == len(JPEG)
    error = await refusal(fetcher, "http://cdn.test/6")
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_unreachable")
    assert "5" in error.message


@pytest.mark.parametrize(
    "location",
    [
        "http://[nonsense",
        "http://cdn.test:99999/",
        "http://[::1",
        "http://cdn.test:port/",
        "http://xn--a/",
        "//xn--/a",
        "http://cdn.xn--99999999999/a",
    ],
)
async def test_an_invalid_redirect_is_rejected(location: str, server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = redirect(location)
    error = await refusal(fetcher_with(), "http://cdn.test/a")
    assert error.kind is ErrorKind.REJECTED
    assert error.code in {"media_unreachable", "media_address_forbidden"}


@pytest.mark.parametrize("host", ["xn--a", "xn--", "xn--99999999999", "a.xn--a.test", "[::1", "é" * 70])
async def test_an_invalid_host_is_rejected(host: str, fetcher_with: Make) -> None:
    error = await refusal(fetcher_with(), f"http://{host}/a.jpg")
    assert error.kind is ErrorKind.REJECTED
    assert error.code in {"media_unreachable", "media_address_forbidden"}


async def test_allowed_hosts_may_be_private(server: HostileServer, internet: Internet, fetcher_with: Make) -> None:
    internet.knows("nas.lan", ["192.168.0.10"])
    server.routes["/a"] = answer(JPEG)
    fetcher = fetcher_with(private_hosts=["nas.lan:8080", "10.0.0.7:80"])
    for url in ("http://nas.lan:8080/a", "http://10.0.0.7/a"):
        async with fetcher.open(Media(type=MediaType.IMAGE, url=url)) as file:
            assert file.content_type == "image/jpeg"
    for url in ("http://nas.lan/a", "http://10.0.0.7:9000/a", "http://10.0.0.8/a"):
        assert (await refusal(fetcher, url)).code == "media_address_forbidden"


async def test_examples_come_from_the_sandbox_and_its_controls_do_not(
    server: HostileServer, internet: Internet, fetcher_with: Make
) -> None:
    server.routes |= {"/_/media/photo.jpg": answer(JPEG), "/_/posts": answer(JPEG), "/out": redirect("/_/posts")}
    server.routes["/_/media/away.jpg"] = redirect("/_/posts")
    fetcher = fetcher_with(samples_url=f"http://127.0.0.1:{server.port}")
    for url in ("https://cdn.example.com/photo.jpg", f"http://127.0.0.1:{server.port}/_/media/photo.jpg"):
        async with fetcher.open(Media(type=MediaType.IMAGE, url=url)) as file:
            assert file.size == len(JPEG)
    for url in (f"http://127.0.0.1:{server.port}/_/posts", "https://example.com/away.jpg", "http://127.0.0.1:1/a"):
        assert (await refusal(fetcher, url)).code == "media_address_forbidden"
    assert [request.split(" ")[1] for request in server.requests] == ["/_/media/photo.jpg"] * 2 + ["/_/media/away.jpg"]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_a_compressed_file_is_unpacked(
    pack: Callable[[bytes], bytes], server: HostileServer, fetcher_with: Make
) -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    server.routes["/a"] = answer(pack(JPEG), f"Content-Encoding: {encoding}")
    async with fetcher_with().open(Media(type=MediaType.IMAGE, url="http://cdn.test/a")) as file:
        assert await file.read() == JPEG


async def test_leaving_early_leaves_nothing_behind(server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = endless(MP4_HEAD, pause=0.01)
    before = open_files()
    fetcher = fetcher_with()

    async def fetch() -> None:
        async with fetcher.open(Media(type=MediaType.VIDEO, url="http://cdn.test/a")):
            pass

    task = asyncio.create_task(fetch())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await fetcher.close()
    for _ in range(100):
        if open_files() <= before:
            break
        await asyncio.sleep(0.02)
    assert open_files() <= before
