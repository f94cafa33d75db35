import asyncio
import gzip
import os
import socket
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from domain.post import Media, MediaType
from media import download
from media.fetch import MediaFetcher, MinimumSpeed
from media.spool import Spool
from platforms.errors import ErrorKind, PlatformError
from platforms.http.allowed_hosts import AllowedHosts
from platforms.http.guard import GuardedTransport
from tests.media.hostile import (
    JPEG,
    MP4_HEAD,
    PUBLIC,
    Answer,
    HostileServer,
    Internet,
    answer,
    bomb,
    drops,
    endless,
    hangs,
    redirect,
    self_signed,
)

Make = Callable[..., MediaFetcher]


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def refusal(fetcher: MediaFetcher, url: str, kind: MediaType = MediaType.IMAGE) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        async with fetcher.open(Media(type=kind, url=url)):
            pass
    return caught.value


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
    assert open_files() == before


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


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (answer(b"", status="404 Not Found"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(b"", status="410 Gone"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(b"", status="401 Unauthorized"), ErrorKind.REJECTED, "media_not_public"),
        (answer(b"", status="403 Forbidden"), ErrorKind.REJECTED, "media_not_public"),
        (answer(b"", status="204 No Content"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(JPEG, status="206 Partial Content"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(b"", status="302 Found"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(b"", status="499 Odd"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(b"", status="429 Too Many"), ErrorKind.TRANSIENT, "media_unavailable"),
        (answer(b"", status="500 Oops"), ErrorKind.TRANSIENT, "media_unavailable"),
        (answer(b"", status="503 Busy"), ErrorKind.TRANSIENT, "media_unavailable"),
        (answer(b""), ErrorKind.REJECTED, "media_empty"),
        (answer(b"", "Content-Encoding: gzip"), ErrorKind.REJECTED, "media_empty"),
        (
            answer(b"<!doctype html><title>Sign in</title>", "Content-Type: image/jpeg"),
            ErrorKind.REJECTED,
            "media_is_html",
        ),
        (answer(b'{"error": "expired"}', "Content-Type: image/jpeg"), ErrorKind.REJECTED, "media_unsupported"),
        (answer(bytes(100_000)), ErrorKind.REJECTED, "media_unsupported"),
        (answer(MP4_HEAD), ErrorKind.REJECTED, "media_type_mismatch"),
        (answer(b"%PDF-1.7"), ErrorKind.REJECTED, "media_type_mismatch"),
        (answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), ErrorKind.REJECTED, "media_type_mismatch"),
        (answer(JPEG, length=len(JPEG) + 1), ErrorKind.TRANSIENT, "media_truncated"),
        (answer(b"", length=10**15), ErrorKind.REJECTED, "media_too_large"),
        (answer(JPEG, "Content-Encoding: br"), ErrorKind.REJECTED, "media_unreachable"),
        (answer(JPEG, "Content-Encoding: gzip"), ErrorKind.TRANSIENT, "media_truncated"),
        (answer(gzip.compress(JPEG)[:-20], "Content-Encoding: gzip"), ErrorKind.TRANSIENT, "media_truncated"),
        (answer(JPEG, "Content-Length: 7"), ErrorKind.TRANSIENT, "media_truncated"),
        (drops, ErrorKind.TRANSIENT, "media_truncated"),
        (endless(b"<html>"), ErrorKind.REJECTED, "media_is_html"),
        (endless(b""), ErrorKind.REJECTED, "media_unsupported"),
    ],
)
async def test_responses_without_media_are_refused(
    response: Answer, kind: ErrorKind, code: str, server: HostileServer, fetcher_with: Make
) -> None:
    server.routes["/a"] = response
    error = await refusal(fetcher_with(), "http://cdn.test/a?token=hush")
    assert (error.kind, error.code) == (kind, code)
    assert error.message.endswith(".")
    assert "cdn.test" in error.message
    assert "hush" not in error.message


@pytest.mark.parametrize(
    ("kind", "body", "fits"),
    [
        (MediaType.IMAGE, JPEG, True),
        (MediaType.IMAGE, b"GIF89a", True),
        (MediaType.GIF, b"GIF89a", True),
        (MediaType.GIF, JPEG, False),
        (MediaType.VIDEO, MP4_HEAD, True),
        (MediaType.VIDEO, JPEG, False),
        (MediaType.VIDEO, b"GIF89a", False),
    ],
)
async def test_the_file_must_match_the_declared_type(
    kind: MediaType, body: bytes, fits: bool, server: HostileServer, fetcher_with: Make
) -> None:
    server.routes["/a"] = answer(body)
    if fits:
        async with fetcher_with().open(Media(type=kind, url="http://cdn.test/a")) as file:
            assert await file.read() == body
    else:
        assert (await refusal(fetcher_with(), "http://cdn.test/a", kind)).code == "media_type_mismatch"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_a_compressed_file_is_unpacked(
    pack: Callable[[bytes], bytes], server: HostileServer, fetcher_with: Make
) -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    server.routes["/a"] = answer(pack(JPEG), f"Content-Encoding: {encoding}")
    async with fetcher_with().open(Media(type=MediaType.IMAGE, url="http://cdn.test/a")) as file:
        assert await file.read() == JPEG


async def test_endless_decompression_is_stopped(
    server: HostileServer, fetcher_with: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_DECODED_BYTES", 5 * 2**20)
    written: list[int] = []
    append = Spool.append

    def noted(spool: Spool, data: bytes) -> None:
        written.append(len(data))
        append(spool, data)

    monkeypatch.setattr(Spool, "append", noted)
    server.routes["/a"] = bomb(50 * 2**20)
    assert (await refusal(fetcher_with(), "http://cdn.test/a")).code == "media_too_large"
    assert sum(written) <= 5 * 2**20
    assert max(written) <= 2**20


async def test_endless_bodies_are_stopped(server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = endless(JPEG)
    error = await refusal(fetcher_with(max_bytes=2 * 2**20), "http://cdn.test/a")
    assert (error.code, error.kind) == ("media_too_large", ErrorKind.REJECTED)
    assert "2 MiB" in error.message


@pytest.mark.parametrize("response", [hangs, endless(JPEG, b"\x00", pause=0.01)], ids=["silent", "drop by drop"])
async def test_a_slow_server_is_given_up(response: Answer, server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = response
    error = await refusal(fetcher_with(speed=MinimumSpeed(grace=0.3, slowest=1_000_000)), "http://cdn.test/a")
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "media_timeout")


async def test_a_steady_server_gets_more_time_up_to_the_longest(server: HostileServer, fetcher_with: Make) -> None:
    server.routes["/a"] = endless(JPEG, bytes(20_000), pause=0.02)
    started = asyncio.get_running_loop().time()
    error = await refusal(fetcher_with(speed=MinimumSpeed(grace=0.5, slowest=10_000, longest=1.2)), "http://cdn.test/a")
    assert error.code == "media_timeout"
    assert 1.1 < asyncio.get_running_loop().time() - started < 4


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), ErrorKind.REJECTED, "media_address_forbidden"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), ErrorKind.TRANSIENT, "media_unavailable"),
        (OSError("resolver is down"), ErrorKind.TRANSIENT, "media_unavailable"),
    ],
)
async def test_names_that_do_not_resolve(
    failure: OSError,
    kind: ErrorKind,
    code: str,
    internet: Internet,
    fetcher_with: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(host: str) -> Sequence[str]:
        raise failure

    monkeypatch.setattr(internet, "resolve", fail)
    error = await refusal(fetcher_with(), "http://cdn.test/a")
    assert (error.kind, error.code) == (kind, code)


async def test_a_private_host_is_refused_like_one_that_does_not_exist(
    internet: Internet, fetcher_with: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a client could find out which names exist inside the operator's network."""
    internet.knows("nas.corp.test", ["10.0.0.7"])
    private = await refusal(fetcher_with(), "http://nas.corp.test/a")

    async def fail(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(internet, "resolve", fail)
    unknown = await refusal(fetcher_with(), "http://nas.corp.test/a")
    assert (private.kind, private.code, private.message) == (unknown.kind, unknown.code, unknown.message)


async def test_a_host_that_is_down_may_be_up_later(internet: Internet, fetcher_with: Make) -> None:
    internet.unreachable = {PUBLIC}
    error = await refusal(fetcher_with(), "http://cdn.test/a")
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "media_unavailable")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("drive.google.com", "Google Drive"),
        ("www.dropbox.com", "dl=1"),
        ("1drv.ms", "OneDrive"),
        ("acme-my.sharepoint.com", "OneDrive"),
        ("www.icloud.com", "iCloud"),
        ("notdropbox.com", "web page"),
    ],
)
async def test_sharing_pages_are_explained(
    host: str, words: str, server: HostileServer, internet: Internet, fetcher_with: Make
) -> None:
    internet.knows(host, [PUBLIC])
    internet.knows("accounts.test", [PUBLIC])
    server.routes |= {"/file": redirect("http://accounts.test/login"), "/login": answer(b"<!DOCTYPE html>")}
    error = await refusal(fetcher_with(), f"http://{host}/file")
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_is_html")
    assert words in error.message


async def test_https_is_never_downgraded(server: HostileServer, fetcher_with: Make) -> None:
    def downgrade(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://cdn.test/a"})

    def transport(_: AllowedHosts) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(downgrade)

    fetcher = MediaFetcher(transport=transport)
    error = await refusal(fetcher, "https://cdn.test/a")
    await fetcher.close()
    assert error.code == "media_unreachable"
    assert "https" in error.message


async def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    server = HostileServer({"/a": answer(JPEG)})
    async with server.running(self_signed(tmp_path, "cdn.test")):
        internet = Internet(server)
        internet.knows("cdn.test", [PUBLIC])
        fetcher = MediaFetcher(transport=partial(GuardedTransport, names=internet, network=internet))
        error = await refusal(fetcher, "https://cdn.test/a")
        await fetcher.close()
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_unreachable")
    assert "certificate" in error.message
    assert server.requests == []


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
