"""Platforms with invalid responses: every step ends with a result or a PlatformError, and nothing else."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest

from platforms.base import Absent, Connection, Editable, PublishContext, Published, Refused, ReportsQuota, Unknown
from platforms.errors import PlatformError
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


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


class Server(httpx.AsyncBaseTransport):
    """A transport that also takes the place of a client, whose work would take longer than a step."""

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        return await self.handle_async_request(request)


class Mutating(Server):
    """The sandbox, with a random value replaced in some of its responses."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        # There is no TLS here, and loading certificates takes longer than a step.
        self.sandbox = httpx.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.sandbox.handle_async_request(request)
        body = await answer.aread()
        await answer.aclose()
        headers = dict(answer.headers)
        headers.pop("content-length", None)
        if self.random.random() < 0.25:
            with contextlib.suppress(ValueError):
                found = self.mutated(json.loads(body))
                body = json.dumps(found).encode()
        if self.random.random() < 0.25:
            headers |= self.random.choice(HEADERS)
        status = self.random.choice([answer.status_code] * 8 + [400, 429, 500])
        return httpx.Response(status, headers=raw(headers), content=body)

    def mutated(self, found: Any) -> Any:
        """Return a copy with one value replaced, anywhere in it."""
        if self.random.random() < 0.15 or not found or not isinstance(found, dict | list):
            return self.random.choice(VALUES)
        if isinstance(found, list):
            index = self.random.randrange(len(found))
            return [*found[:index], self.mutated(found[index]), *found[index + 1 :]]
        name = self.random.choice(list(found))
        return {**found, name: self.mutated(found[name])}

    async def aclose(self) -> None:
        await self.sandbox.aclose()


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
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))


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


@pytest.mark.one_in(14)
async def test_one_wrong_value_ends_a_step_with_an_error_of_the_platform(rig: Rig, thorough: bool) -> None:
    for seed in range(24) if thorough else (0, 8, 16):
        for context in sendings(rig):
            async with Mutating(seed) as server:
                await all_steps(rig, server, context)


@pytest.mark.one_in(14)
async def test_an_answer_of_any_shape_ends_a_step_with_an_error_of_the_platform(rig: Rig, thorough: bool) -> None:
    bodies = [b"", b"[]", b"{}", b"null", b"1", b'"x"', b"[[]]", b"[" * 5_000, b"\xff\xfe", b"<html></html>"]
    names = ("error", "errors", "data", "id", "json", "result", "items", "parameters", "status", "user", "detail")
    bodies += [json.dumps(dict.fromkeys(names, value)).encode() for value in VALUES]
    for number, body in enumerate(bodies):
        for status in STATUSES if thorough else [STATUSES[number % len(STATUSES)]]:
            server = Constant(status, body, HEADERS[number % len(HEADERS)])
            for context in sendings(rig):
                await all_steps(rig, server, context)
