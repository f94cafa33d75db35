"""Take an answer that only looks like a failure, and keep accounts apart."""

import httpx
import pytest

from platforms.errors import Kind, NetworkError
from platforms.wire import Wire


def wire(status: int) -> Wire:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"status": status}))

    def error_of(response: httpx.Response) -> NetworkError:
        return NetworkError(Kind.REJECTED, "No.", code=str(response.status_code))

    return Wire(transport, "https://network.example", "Network", error_of)


async def test_a_status_that_the_caller_accepts_is_an_answer() -> None:
    assert (await wire(409).send("POST", "/", accept=(308, 409))).json() == {"status": 409}


async def test_every_other_one_stays_a_refusal() -> None:
    with pytest.raises(NetworkError):
        await wire(410).send("POST", "/", accept=(308, 409))


@pytest.mark.parametrize(
    ("error", "code", "unclear"),
    [
        (httpx.ConnectError("no"), "unreachable", False),
        (httpx.ConnectTimeout("no"), "unreachable", False),
        (httpx.ReadTimeout("no"), "timed_out", True),
        (httpx.RemoteProtocolError("no"), "connection_lost", True),
    ],
)
async def test_silence_has_a_code_for_clients_and_is_unclear_once_something_was_sent(
    error: httpx.HTTPError, code: str, *, unclear: bool
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    silent = Wire(httpx.MockTransport(fail), "https://n.example", "Network", _never)
    with pytest.raises(NetworkError) as caught:
        await silent.send("POST", "/", public=True)
    assert caught.value.code == code
    assert (caught.value.kind is Kind.UNCLEAR) is unclear


async def test_what_a_network_sets_for_one_account_is_not_sent_with_the_requests_of_another() -> None:
    sent: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, headers={"Set-Cookie": "guest=1"})

    transport = httpx.MockTransport(answer)
    for token in ("one", "another"):
        line = Wire(transport, "https://n.example", "Network", _never)
        await line.send("GET", "/", headers={"Authorization": token})
    assert [headers.get("Cookie") for headers in sent] == [None, None]


def _never(response: httpx.Response) -> NetworkError:
    raise AssertionError(response)
