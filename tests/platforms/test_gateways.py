"""The answers of gateways at every step of a post: never taken for the refusals of a platform."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import Published
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.registry import platforms
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import ready
from tests.platforms.rig import NO_TLS, Connect, Rig

STATUSES = (304, 400, 401, 403, 405, 407, 408, 421, 425, 429, 431, 451, 500, 502, 503, 504, 520)
"""Statuses with which something before a platform answers in its place."""

_WORDS = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests"}


def words(status: int) -> str:
    """Return the phrase of a status, also of those that are not registered."""
    return _WORDS.get(status) or (HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error")


def gateways(status: int) -> dict[str, Any]:
    """Return what gateways answer with a status: texts as they are, all others as JSON."""
    phrase, joined = words(status), words(status).replace(" ", "")
    snake = phrase.lower().replace(" ", "_")
    html = f"<html><head><title>{status} {phrase}</title></head><body><center><h1>{status} {phrase}</h1></center>"
    return {
        "nothing": "",
        "nginx": f"{html}<hr><center>nginx</center></body></html>",
        "cloudflare-html": f'<!DOCTYPE html>{html}<div id="cf-error-details"></div></body></html>',
        "google-front-end": f"<!DOCTYPE html><html lang=en><title>Error {status} ({phrase})!!1</title><p>{status}.",
        "s3": f'<?xml version="1.0" encoding="UTF-8"?><Message><Code>{joined}</Code></Message>',
        "cloudflare-text": "error code: 1015",
        "envoy": "upstream connect error or disconnect/reset before headers. reset reason: overflow",
        "envoy-rbac": "RBAC: access denied",
        "envoy-limit": "local_rate_limited",
        "express": "Too many requests, please try again later.",
        "go": f"{phrase}\n",
        "aws": {"message": phrase},
        "aws-null": {"message": None},
        "aws-key": {"message": "Missing Authentication Token"},
        "aws-limit": {"message": "Limit Exceeded"},
        "aws-authorizer": {"Message": "User is not authorized to access this resource"},
        "aws-type": {"__type": f"{joined}Exception", "message": phrase},
        "kong": {"message": "API rate limit exceeded"},
        "kong-3": {"message": phrase, "request_id": "8c5f2b1d0a7e4c3f9b6d1a2e3c4b5d6f"},
        "apigee": {"fault": {"faultstring": phrase, "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}},
        "azure-apim": {"statusCode": status, "message": f"{phrase}. Try again in 5 seconds."},
        "azure-arm": {"error": {"code": joined, "message": phrase}},
        "cloudflare": {
            "success": False,
            "errors": [{"code": 10000, "message": phrase}],
            "messages": [],
            "result": None,
        },
        "spring": {"timestamp": "2026-12-03T04:39:50.000+00:00", "status": status, "error": phrase, "path": "/v1"},
        "spring-message": {
            "timestamp": "2026-12-03T04:39:50.000+00:00",
            "status": status,
            "error": phrase,
            "message": "No message available",
            "path": "/v1",
        },
        "tyk": {"error": "Access to this API has been disallowed"},
        "tyk-limit": {"error": "Rate limit exceeded"},
        "tyk-key": {"error": "Key not authorised"},
        "error": {"error": phrase},
        "error-code": {"error": snake},
        "error-number": {"error": status},
        "error-joined": {"error": joined, "message": phrase},
        "error-message": {"error": phrase, "message": f"{phrase}."},
        "error-object": {"error": {"message": phrase}},
        "error-numbered": {"error": {"code": status, "message": phrase}},
        "error-typed": {"error": {"message": phrase, "type": snake, "param": None, "code": snake}},
        "nest": {"statusCode": status, "message": phrase},
        "fastify": {"statusCode": status, "error": phrase, "message": phrase},
        "fastapi": {"detail": phrase},
        "problem": {"type": "about:blank", "title": phrase, "status": status},
        "problem-traced": {
            "type": "https://tools.ietf.org/html/rfc9110#section-15",
            "title": phrase,
            "status": status,
            "traceId": "00-1f2e3d4c5b6a79880f1e2d3c4b5a6978-0f1e2d3c4b5a6978-00",
        },
        "problem-typed": {
            "type": f"https://httpproblems.com/http-status/{status}",
            "title": phrase,
            "status": status,
            "detail": f"{phrase}.",
        },
        "problem-detailed": {"type": "about:blank", "title": phrase, "status": status, "detail": phrase},
        "symfony": {"code": status, "message": "JWT Token not found"},
        "micronaut": {"status": status, "message": phrase},
        "coded": {"code": snake, "message": phrase},
        "jsend": {"status": "error", "message": phrase},
        "jsend-coded": {"status": "error", "code": status, "message": phrase},
        "jsonapi": {"errors": [{"status": str(status), "title": phrase, "detail": phrase}]},
        "graphql": {"errors": [{"message": phrase}]},
        "wso2": {"code": "900802", "message": "Message throttled out", "description": "You have exceeded your quota"},
        "grpc": {"code": {401: 16, 403: 7, 429: 8}.get(status, 14), "message": phrase, "details": []},
        "gravitee": {"message": phrase, "http_status_code": status},
        "oauth": {"error": "invalid_token", "error_description": "The token is not known to the gateway"},
        "error-flag": {"error": True, "message": phrase},
        "list": [phrase],
        "ok": {"ok": False, "message": phrase},
    }


SHARED = {("twitter", "problem-detailed", status) for status in (401, 429)}
"""Answers that cannot be told apart from the platform's own, by platform, gateway and status.

X writes `about:blank`, the phrase and the status, as RFC 9457 has it. That is safe: X shows posts, so a refused post is
looked for before it is sent again, and a 401 refuses no account that X accepts.
"""
CLAIMS = {("twitter", "problem-detailed")} | {
    ("mastodon", gateway) for gateway in ("tyk", "tyk-limit", "tyk-key", "error", "error-code", "oauth")
}
"""Answers in a platform's own form that is too plain to be trusted, and too plain to be a gateway's for sure.

They are unconfirmed first, and count once the platform shows that nothing was published. Both platforms show posts.
Before anything is published, only those with status 400 fail a post: servers word their refusals of content so.
"""
ASKED = {("mastodon", 401)}
"""Answers after which the module asks whether the server knows the token, and believes a second one: servers such as
snac do not word it. A post whose account is held for that is looked for before it is sent again.
"""


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
    return itertools.islice(itertools.cycle(CELLS), 37 * first, 37 * first + len(CELLS) * 2, 211 if thorough else 401)


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
