"""The answers of gateways at every step of a post: never taken for the refusals of a platform."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import Published
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.registry import platforms
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.gateways import ASKED, CLAIMS, SHARED, STATUSES, gateways
from tests.platforms.post_steps import ready
from tests.platforms.rig import NO_TLS, Connect, Rig

__all__ = ["quick"]

WAITS = PASSING | {ErrorKind.AUTH, ErrorKind.CAPPED, ErrorKind.OPERATOR}
"""The kinds of errors after which a post is tried again or held."""
CELLS = [(gateway, status) for status in STATUSES for gateway in gateways(status)]


def answered(gateway: str, status: int) -> httpx.Response:
    body = gateways(status)[gateway]
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, content=content, request=httpx.Request("POST", "https://network.example/"))


@pytest.mark.parametrize("name", platforms())
def test_a_gateways_answer_after_the_public_request_is_unconfirmed(name: str) -> None:
    platform, believed, claims = platforms()[name], set(), set()
    for gateway, status in CELLS:
        response = answered(gateway, status)
        error = platform.refusals.outcome(response, platform.read_error(response))
        if error.kind is not ErrorKind.UNCONFIRMED:
            believed.add((gateway, status))
        if error.claim:
            claims.add((name, gateway))
    assert believed == {(gateway, status) for platform, gateway, status in SHARED if platform == name}
    assert claims == {claim for claim in CLAIMS if claim[0] == name}


RENEWED = [name for name, platform in platforms().items() if isinstance(platform, RenewsByRefreshToken)]


@pytest.mark.parametrize("name", RENEWED)
def test_a_gateways_answer_to_a_renewal_refuses_no_account(name: str) -> None:
    platform = platforms()[name]
    assert isinstance(platform, RenewsByRefreshToken)
    wire = Wire(
        httpx.MockTransport(lambda _: httpx.Response(500)), platform.base_url, platform.label, platform.read_error
    )
    kinds = {platform.token_endpoint.grant_refusal(wire, answered(*cell)).kind for cell in CELLS}
    assert kinds <= WAITS - {ErrorKind.AUTH}


class Gateway(httpx.AsyncBaseTransport):
    """The way to the sandbox, with a gateway that answers the request `at` in its place, and every one after it."""

    def __init__(self, at: int, answer: httpx.Response) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=NO_TLS)
        self._answer = answer
        self.at = at
        self.seen = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen += 1
        if self.seen < self.at:
            return await self._inner.handle_async_request(request)
        await request.aread()
        return httpx.Response(self._answer.status_code, content=self._answer.content)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def steps(rig: Rig, form: Form, gateway: Gateway) -> tuple[str, PlatformError | None, int]:
    """Take the steps of a post; return the last step, its error, and how many public requests were sent."""
    step, context = "prepare", form.context(rig)
    async with httpx.AsyncClient(transport=gateway) as client:
        connection = rig.connection(client)
        try:
            await rig.platform.whoami(connection)
            await ready(rig, context, client)
            step, connection = "publish", rig.connection(client)
            published = await rig.platform.publish(connection, context)
            step = "confirm"
            finding = await rig.platform.confirm(rig.connection(client), context)
            assert not isinstance(finding, Published) or finding.platform_post_id
            step = "complete"
            await rig.platform.complete(rig.connection(client), context, published)
        except PlatformError as error:
            return step, error, connection.wire.public_requests
    return step, None, connection.wire.public_requests


def sample(form: Form, thorough: bool) -> Iterator[tuple[str, int]]:
    """Return cells, so that the forms of a platform have different ones."""
    first = FORMS.index(form)
    return itertools.islice(itertools.cycle(CELLS), 37 * first, 37 * first + len(CELLS) * 2, 61 if thorough else 401)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_gateway_fails_no_post_for_good_at_any_request(
    connect: Connect, form: Form, thorough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(min(seconds, 0)))
    wrong: list[Any] = []
    for gateway, status in sample(form, thorough):
        for at in range(1, 40):
            rig = await form.open(connect)
            way = Gateway(at, answered(gateway, status))
            step, error, sent = await steps(rig, form, way)
            if way.seen < at:
                break
            if error is None or (form.platform, gateway, status) in SHARED or (form.platform, status) in ASKED:
                continue
            is_right = error.kind is ErrorKind.UNCONFIRMED if sent and step == "publish" else error.kind in WAITS
            if not is_right and not ((form.platform, gateway) in CLAIMS and status == 400):
                wrong.append((gateway, status, at, step, sent, error.kind.value, error.code, error.message))
    assert wrong == []
