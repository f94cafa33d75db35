"""Files that are not fetched, and the errors that their owners get."""

import asyncio
import gzip
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from domain.post import Media, MediaType
from media import download
from media.fetch import MediaFetcher, MinimumSpeed
from media.spool import Spool
from platforms.errors import ErrorKind
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from tests.media.fetching import Make, refusal
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
    server.routes["/a"] = bomb(50)
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
