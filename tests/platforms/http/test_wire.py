"""Wires: an accepted response that resembles a failure counts as accepted, and accounts stay separate."""

from contextlib import nullcontext
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, segment


def wire(status: int) -> Wire:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(status, json={"status": status}, headers={"x-request-id": "R1"})
    )

    def read_error(response: httpx.Response) -> PlatformError:
        return PlatformError(ErrorKind.REJECTED, "No.", code=str(response.status_code))

    return Wire(transport, "https://network.example", "Network", read_error)


async def test_a_status_that_the_caller_accepts_is_an_answer() -> None:
    assert (await wire(409).send("POST", "/", accept=(308, 409))).json() == {"status": 409}


async def test_a_status_that_the_caller_does_not_accept_is_a_refusal() -> None:
    with pytest.raises(PlatformError) as refusal:
        await wire(410).send("POST", "/", accept=(308, 409))
    assert (refusal.value.code, refusal.value.request_id) == ("410", "R1")


@pytest.mark.parametrize(
    ("error", "code", "unconfirmed"),
    [
        (httpx.ConnectError("no"), "unreachable", False),
        (httpx.ConnectTimeout("no"), "unreachable", False),
        (httpx.ReadTimeout("no"), "timed_out", True),
        (httpx.RemoteProtocolError("no"), "connection_lost", True),
    ],
)
async def test_a_missing_answer_has_a_code_and_is_unconfirmed_once_a_byte_was_sent(
    error: httpx.HTTPError, code: str, *, unconfirmed: bool
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    silent = Wire(httpx.MockTransport(fail), "https://n.example", "Network", _never)
    with pytest.raises(PlatformError) as caught:
        await silent.send("POST", "/", public=True)
    assert caught.value.code == code
    assert (caught.value.kind is ErrorKind.UNCONFIRMED) is unconfirmed


async def test_cookies_set_for_one_account_are_not_sent_for_another() -> None:
    sent: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, headers={"Set-Cookie": "guest=1"})

    transport = httpx.MockTransport(answer)
    for token in ("one", "another"):
        wire = Wire(transport, "https://n.example", "Network", _never)
        await wire.send("GET", "/", headers={"Authorization": token})
    assert [headers.get("Cookie") for headers in sent] == [None, None]


def _never(response: httpx.Response) -> PlatformError:
    raise AssertionError(response)


def noting(sent: list[httpx.Request], **more: Any) -> Wire:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    options: dict[str, Any] = {"base_url": "https://api.network.example/v1", "domains": ("network.example",), **more}
    return Wire(httpx.MockTransport(answer), label="Network", read_error=_never, **options)


@pytest.mark.parametrize(
    ("address", "with_token", "without"),
    [
        ("https://api.network.example/upload/1", True, True),
        ("https://uploads.network.example/1", True, True),
        ("https://network.example:8443/1", True, True),
        ("https://storage.example/1", False, True),
        ("https://network.example.evil.example/1", False, True),
        ("https://evilnetwork.example/1", False, True),
        ("https://PLATFORM.example./1", False, True),
        ("https://169.254.169.254/latest", False, True),  # the guarded transport refuses it
        ("http://uploads.network.example/1", False, False),
        ("http://api.network.example/1", False, False),
        ("http://127.0.0.1:4000/1", False, False),
        ("https://user:pass@uploads.network.example/1", False, False),
        ("https://api.network.example@evil.example/1", False, False),
        ("file:///etc/passwd", False, False),
        ("ftp://network.example/", False, False),
        ("//network.example/1", True, True),  # a path: the base URL precedes it
        ("network.example/1", False, False),
        ("@evil.example/1", False, False),
        (".evil.example/1", False, False),
        ("", False, False),
    ],
)
async def test_an_address_of_an_answer_is_https_and_gets_the_token_only_within_the_platform(
    address: str, with_token: bool, without: bool
) -> None:
    for allowed, headers in ((with_token, {"authorization": "Bearer secret"}), (without, {})):
        sent: list[httpx.Request] = []
        refusal = nullcontext() if allowed else pytest.raises(PlatformError)
        with refusal as caught:
            await noting(sent).send("PUT", address, headers=headers)
        assert bool(sent) is allowed
        if caught:
            assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "address_refused")
            assert "secret" not in caught.value.message


@pytest.mark.parametrize("address", ["https://xn--a/1", "https://xn--/1", "https://[::1/1", "https://a:99999999999/1"])
async def test_an_address_that_cannot_be_read_is_refused(address: str) -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(PlatformError) as refused:
        await noting(sent).send("PUT", address, public=True)
    assert (refused.value.kind, sent) == (ErrorKind.REJECTED, [])


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:4000/network", "http://sandbox.lan:4000"])
async def test_a_sandbox_may_name_its_own_addresses_without_tls(base_url: str) -> None:
    sent: list[httpx.Request] = []
    wire, host = noting(sent, base_url=base_url), base_url.split("/")[2]
    await wire.send("PUT", f"http://{host}/network/upload", headers={"Authorization": "Bearer secret"})
    assert [request.url.host for request in sent] == [host.split(":")[0]]
    with pytest.raises(PlatformError):
        await wire.send("PUT", "http://127.0.0.1:4001/upload")


@pytest.mark.parametrize(
    "address",
    ["https://network.example/\x00", "/posts/\n", "https://a:b/", "/posts/..", "/posts/../me?x=1", "/./posts"],
)
async def test_an_invalid_address_is_not_tried_again(address: str) -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(PlatformError) as caught:
        await noting(sent).send("GET", address, public=True)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, "invalid_address")
    assert not sent


@pytest.mark.parametrize("value", ["../me", "a/b", "1?fields=token", "1#", "%2e%2e", "a b", "ü", "\x00", 7])
async def test_an_id_stays_one_segment_of_its_path(value: object) -> None:
    sent: list[httpx.Request] = []
    await noting(sent).send("GET", f"/posts/{segment(value)}/comments")
    [request] = sent
    before, _, rest = request.url.raw_path.decode().partition("/posts/")
    assert (before, rest.partition("/")[2], request.url.query) == ("/v1", "comments", b"")
    assert unquote(rest.partition("/")[0]) == str(value)
