"""Take an answer that only looks like a failure."""

import httpx
import pytest

from platforms.errors import Kind, NetworkError
from platforms.wire import Wire


def wire(status: int) -> Wire:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"status": status}))

    def error_of(response: httpx.Response) -> NetworkError:
        return NetworkError(Kind.REJECTED, "No.", code=str(response.status_code))

    return Wire(httpx.AsyncClient(transport=transport), "https://network.example", "Network", error_of)


async def test_a_status_that_the_caller_accepts_is_an_answer() -> None:
    assert (await wire(409).send("POST", "/", accept=(308, 409))).json() == {"status": 409}


async def test_every_other_one_stays_a_refusal() -> None:
    with pytest.raises(NetworkError):
        await wire(410).send("POST", "/", accept=(308, 409))
