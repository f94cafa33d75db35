"""Platforms with hostile responses: every step ends with a result or a PlatformError, and nothing else.

Responses that name foreign addresses get no token, and no private host is called.
"""

import asyncio
import contextlib
import json
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from platforms.base import Absent, Connection, PublishContext, Published, Refused, Unknown
from platforms.capabilities import Editable, ReportsQuota
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import LONGEST_WAIT
from platforms.registry import platforms
from tests.platforms.forms import TIKTOK
from tests.platforms.rig import Connect, Rig

FORMS: dict[str, list[tuple[list[str], dict[str, Any]]]] = {
    "bluesky": [([], {}), (["a.jpg"], {}), (["a.mp4"], {})],
    "discord": [([], {}), (["a.jpg"], {})],
    "facebook": [
        ([], {}),
        (["a.jpg"], {"firstComment": "first"}),
        (["a.mp4"], {}),
        (["a.mp4"], {"contentType": "reel"}),
    ],
    "googlebusiness": [([], {}), (["a.jpg"], {})],
    "instagram": [(["a.jpg"], {"firstComment": "first"}), (["a.jpg", "b.jpg"], {})],
    "linkedin": [([], {}), (["a.jpg"], {}), (["a.mp4"], {"firstComment": "first"})],
    "mastodon": [([], {}), (["a.jpg"], {})],
    "pinterest": [(["a.jpg"], {"boardId": "1"}), (["a.mp4"], {"boardId": "1"})],
    "reddit": [([], {"subreddit": "test"}), (["a.jpg"], {"subreddit": "test"})],
    "telegram": [([], {}), (["a.jpg"], {})],
    "threads": [([], {}), (["a.jpg"], {"threadItems": [{"content": "second"}]})],
    "tiktok": [(["a.jpg"], TIKTOK), (["a.mp4"], TIKTOK)],
    "twitter": [([], {}), (["a.jpg"], {"threadItems": [{"content": "second"}]}), (["a.mp4"], {})],
    "youtube": [(["a.mp4"], {"firstComment": "first"})],
}

RENEWABLE = {"refreshToken": "r1", "clientId": "id", "clientSecret": "s"}
CREDENTIALS = {"bluesky": {"identifier": "ada.test"}, "discord": {"channelId": "1"}, "telegram": {"chatId": "-1001"}}

HUGE = "9" * 400
VALUES: list[Any] = [
    None, True, -1, 0, 10**30, 1e300, "", "..", "../../x?y=1#z", "a\nb", "a\0b", HUGE, [], {}, [None], [[]], {"id": 1},
    "x" * 10_000, "javascript:alert(1)", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01",
]  # fmt: skip
LIMITS = (
    "retry-after",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "x-ratelimit-reset-after",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-rate-limit-remaining",
    "ratelimit-remaining",
    "x-user-limit-24hour-remaining",
    "x-user-limit-24hour-reset",
)
STATUSES = (200, 400, 401, 429, 503)
TIMES = (HUGE, "-1", "1e999", "nan", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "", "\xb2")
HEADERS = [dict.fromkeys(LIMITS, value) for value in TIMES] + [
    {"x-business-use-case-usage": json.dumps({"1": [{"estimated_time_to_regain_access": value}]})}
    for value in (10**400, -5, "x", None, 1e300)
]

UPLOADS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "linkedin image": ("linkedin", "a.jpg", {}),
    "linkedin video": ("linkedin", "a.mp4", {}),
    "linkedin document": ("linkedin", "a.pdf", {}),
    "youtube": ("youtube", "a.mp4", {}),
    "facebook": ("facebook", "a.mp4", {"contentType": "reel"}),
    "reddit": ("reddit", "a.jpg", {"subreddit": "test", "title": "Sunset"}),
    "pinterest": ("pinterest", "a.mp4", {"boardId": "1022106080", "coverImageUrl": "https://example.com/cover.jpg"}),
    "tiktok": ("tiktok", "a.mp4", TIKTOK),
}
"""Every upload to an address from a response: platform, file and settings."""
WITH_TOKEN = {"linkedin image", "linkedin document", "youtube", "facebook"}
"""Uploads that carry the token; the addresses of the others need none."""


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


_OF_THE_BODY = {"content-length", "content-encoding", "transfer-encoding"}


class Server(httpx.AsyncBaseTransport):
    """A transport that also takes the place of a client, whose work would take longer than a step."""

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        return await self.handle_async_request(request)


class Altering(Server, ABC):
    """The sandbox with other responses than its own."""

    def __init__(self) -> None:
        # There is no TLS here, and loading certificates takes longer than a step.
        self.sandbox = httpx.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.sandbox.handle_async_request(request)
        body = await answer.aread()
        await answer.aclose()
        headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_BODY}
        return self.altered(answer.status_code, body, headers)

    @abstractmethod
    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Return the response that takes the place of one of the sandbox's."""

    async def aclose(self) -> None:
        await self.sandbox.aclose()


class Mutating(Altering):
    """The sandbox, with a random value replaced in some of its responses."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)

    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        if self.random.random() < 0.25:
            with contextlib.suppress(ValueError):
                body = json.dumps(self.mutated(json.loads(body))).encode()
        if self.random.random() < 0.25:
            headers |= self.random.choice(HEADERS)
        return httpx.Response(self.random.choice([status] * 8 + [400, 429, 500]), headers=raw(headers), content=body)

    def mutated(self, value: Any) -> Any:
        """Return a copy with one value replaced, anywhere in it."""
        if self.random.random() < 0.15 or not value or not isinstance(value, dict | list):
            return self.random.choice(VALUES)
        if isinstance(value, list):
            index = self.random.randrange(len(value))
            return [*value[:index], self.mutated(value[index]), *value[index + 1 :]]
        name = self.random.choice(list(value))
        return {**value, name: self.mutated(value[name])}


class Lying(Altering):
    """The sandbox, whose responses name another base URL than its own. Calls to that URL are recorded."""

    def __init__(self, own: str, named: str) -> None:
        super().__init__()
        self.own, self.named = own, named
        self.caught: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(self.own):
            return await super().handle_async_request(request)
        await request.aread()
        self.caught.append(request)
        return httpx.Response(200, headers={"ETag": "1"}, json={"id": "stolen"})

    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        headers = {name: value.replace(self.own, self.named) for name, value in headers.items()}
        return httpx.Response(status, headers=headers, content=body.replace(self.own.encode(), self.named.encode()))


class Constant(Server):
    """A server that gives every request the same answer."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.answer = (status, body, headers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        status, body, headers = self.answer
        return httpx.Response(status, content=body, headers=raw(headers))


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = asyncio.sleep

    def sleep_unless_in_a_step(seconds: float) -> Awaitable[None]:
        # Background tasks of other tests' stack run in this loop, too: without their pauses they would never rest.
        caller = sys._getframe(1).f_globals["__name__"]
        return sleep(0 if caller.startswith("platforms.") else seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep_unless_in_a_step)


def check(result: object) -> None:
    """Check that the result of a step can be stored and shown."""
    if isinstance(result, PlatformError):
        assert result.retry_after is None or timedelta(0) <= result.retry_after <= LONGEST_WAIT
        assert len(result.message) <= 500
    if isinstance(result, Published):
        assert isinstance(result.platform_post_id, str)
        assert 0 < len(result.platform_post_id) <= 512
        assert result.url is None or result.url.startswith(("http://", "https://"))
        assert result.editable_until is None or result.editable_until.tzinfo


async def attempt(step: Awaitable[Any]) -> Any:
    """Return the result of a step, or its PlatformError."""
    outcomes = await asyncio.gather(step, return_exceptions=True)
    result: Any = outcomes[0]
    if isinstance(result, BaseException) and not isinstance(result, PlatformError):
        raise result
    check(result)
    return result


async def all_steps(rig: Rig, server: Server, context: PublishContext[Any]) -> None:
    platform = rig.platform

    def connection() -> Connection[Any]:
        return rig.connection(cast("httpx.AsyncClient", server))

    await attempt(platform.whoami(connection()))
    if isinstance(platform, ReportsQuota):
        await attempt(platform.quota(connection()))
    prepared = [await attempt(platform.prepare(connection(), context)) for _ in range(2)]
    published = prepared[-1] or await attempt(platform.publish(connection(), context))
    finding = await attempt(platform.confirm(connection(), context))
    assert isinstance(finding, Published | Absent | Unknown | Refused | PlatformError)
    if not isinstance(published, Published):
        published = Published("1234567890", None)
    await attempt(platform.complete(connection(), context, published))
    if isinstance(platform, Editable):
        await attempt(platform.edit(connection(), published, "edited", context.handles))
        await attempt(platform.confirm_edit(connection(), published, "edited"))


def sendings(rig: Rig) -> Iterator[PublishContext[Any]]:
    for names, settings in FORMS[rig.platform.name]:
        media = [rig.sandbox.media(name) for name in names]
        yield rig.context("Sunset", media, settings=settings, started_at=datetime.now(UTC) - timedelta(minutes=1))


@pytest.fixture(params=sorted(platforms()))
async def rig(request: pytest.FixtureRequest, connect: Connect) -> Rig:
    platform = request.param
    renewable = "refresh_token" in platforms()[platform].credentials.model_fields
    rig = await connect(platform, credentials=CREDENTIALS.get(platform, RENEWABLE if renewable else {}))
    if platform in {"telegram", "discord"}:
        rig.stored = rig.stored.model_copy(update={"user_id": rig.account.user_id})
    return rig


async def test_one_wrong_value_ends_a_step_with_an_error_of_the_platform(rig: Rig, thorough: bool) -> None:
    for seed in range(24) if thorough else (0, 8, 16):
        for context in sendings(rig):
            async with Mutating(seed) as server:
                await all_steps(rig, server, context)


async def test_an_answer_of_any_shape_ends_a_step_with_an_error_of_the_platform(rig: Rig, thorough: bool) -> None:
    bodies = [b"", b"[]", b"{}", b"null", b"1", b'"x"', b"[[]]", b"[" * 5_000, b"\xff\xfe", b"<html></html>"]
    names = ("error", "errors", "data", "id", "json", "result", "items", "parameters", "status", "user", "detail")
    bodies += [json.dumps(dict.fromkeys(names, value)).encode() for value in VALUES]
    for number, body in enumerate(bodies):
        for status in STATUSES if thorough else [STATUSES[number % len(STATUSES)]]:
            server = Constant(status, body, HEADERS[number % len(HEADERS)])
            for context in sendings(rig):
                await all_steps(rig, server, context)


async def upload(rig: Rig, name: str, named: str) -> tuple[Lying, PlatformError | None]:
    """Upload a file to a platform whose responses name another base URL; return it and the error."""
    platform, file, settings = UPLOADS[name]
    context = rig.context("Sunset", [rig.sandbox.media(file)], settings=settings)
    server = Lying(f"{rig.sandbox.url}/{platform}", named)
    async with httpx.AsyncClient(transport=server) as client:
        try:
            await rig.platform.prepare(rig.connection(client), context)
            if platform in {"youtube", "tiktok"}:  # a short video is one piece, and its last piece publishes it
                await rig.platform.publish(rig.connection(client), context)
        except PlatformError as error:
            return server, error
    return server, None


@pytest.mark.parametrize("name", UPLOADS)
async def test_the_token_goes_to_no_foreign_address(connect: Connect, name: str) -> None:
    rig = await connect(UPLOADS[name][0])
    token = rig.stored.access_token.get_secret_value()
    for named in ("https://evil.example/x", "https://api.linkedin.com.evil.example", "https://10.0.0.7"):
        server, error = await upload(rig, name, named)
        for request in server.caught:
            assert token not in f"{request.url} {request.headers}"
            assert "authorization" not in request.headers
            assert token.encode() not in request.content
        if name in WITH_TOKEN:
            assert error is not None
            assert (named, error.kind, error.code) == (named, ErrorKind.REJECTED, "address_refused")
        # Without a token, the address is called; the guarded transport decides whether it may be connected to.
        assert bool(server.caught) is (name not in WITH_TOKEN), named


@pytest.mark.parametrize("name", UPLOADS)
async def test_an_address_without_https_is_not_called(connect: Connect, name: str) -> None:
    rig = await connect(UPLOADS[name][0])
    for named in ("http://evil.example", "http://169.254.169.254", "ftp://evil.example", "evil"):
        server, error = await upload(rig, name, named)
        assert error is not None
        assert (named, error.kind, error.code) == (named, ErrorKind.REJECTED, "address_refused")
        assert not server.caught


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("linkedin image", "https://www.linkedin.com/dms-uploads"),
        ("youtube", "https://www.googleapis.com/upload/youtube/v3/videos"),
        ("facebook", "https://rupload.facebook.com/video-upload"),
    ],
)
async def test_the_platforms_own_addresses_get_the_token(connect: Connect, name: str, named: str) -> None:
    rig = await connect(UPLOADS[name][0])
    server, _ = await upload(rig, name, named)
    token = rig.stored.access_token.get_secret_value()
    assert server.caught
    assert all(token in request.headers["authorization"] for request in server.caught)
