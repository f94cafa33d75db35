"""A Python client of an API that gives prepared answers."""

from collections.abc import Iterator
from typing import Any

import httpx

KEY = "sk_a_key_that_no_text_shows"


class Server:
    """An API that gives prepared answers, and records the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return the next answer, or raise it."""
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("Idempotency-Key") for request in self.requests]


class BrokenStream(httpx.SyncByteStream):
    """An answer that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"id": "po'
        raise httpx.ReadError("x")


def client(server: Server, **options: Any) -> Any:
    from socialsyncer_client import Client

    return Client("https://api.test", KEY, transport=httpx.MockTransport(server.answer), **options)


def error(status: int, code: str = "unavailable", **headers: str) -> httpx.Response:
    body = {"error": "Not now", "type": "api_error", "code": code, "errors": [{"error": "Not now", "code": code}]}
    return httpx.Response(status, json={**body, "param": "content"}, headers={"X-Request-Id": "req_1", **headers})


def post(**fields: Any) -> dict[str, Any]:
    return {"id": "post_1", "status": "draft", "content": "x", "mediaItems": [], "platforms": [], **fields}


def answered(status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=post())
