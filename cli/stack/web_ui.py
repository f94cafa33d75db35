"""Serve Temporal's Web UI to its own pages only: `python -m cli.stack.web_ui --port 8233 --to URL`.

The UI checks neither the host name of a request nor its origin. So it listens at an address that no web page can guess,
or only to other containers. This proxy passes on requests that are addressed to this machine, or to one of
`--host-names`, and that come from the UI's own pages.
"""

import argparse
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

from sandbox.browsers import OwnOriginOnly

_LARGEST_BODY = 4 * 2**20
"""Bytes of a request; the UI's largest are payloads of signals, of which Temporal takes 2 MB."""
_OF_ONE_CONNECTION = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer"}
"""Headers that describe the connection, not the message (RFC 9110, 7.6.1)."""


class WebUi:
    """An ASGI app that passes requests on to the Web UI at a base URL, and its answers back."""

    def __init__(self, url: str) -> None:
        # A transport without a client, which would keep cookies and read the environment's proxies. A new connection on
        # one machine costs little, and none is left open.
        self._transport = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_keepalive_connections=0))
        self._base = httpx.URL(url)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI event."""
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            await _answer(send, 413, b"The request is too large.")
            return
        query = scope["query_string"]
        request = httpx.Request(
            scope["method"],
            self._base.copy_with(raw_path=scope["raw_path"] + (query and b"?" + query)),
            headers=_passed_on(scope["headers"]),
            content=body,
            extensions={"timeout": httpx.Timeout(60).as_dict()},
        )
        try:
            async with self._answered(request) as answer:
                headers = _passed_on(answer.headers.raw)
                await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
                async for piece in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (httpx.ConnectError, httpx.ConnectTimeout):
            await _answer(send, 502, b"Temporal's Web UI does not run at the moment.")

    @asynccontextmanager
    async def _answered(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        answer = await self._transport.handle_async_request(request)
        try:
            yield answer
        finally:
            await answer.aclose()


def app(url: str, names: Iterable[str] = ()) -> OwnOriginOnly:
    """Return the proxy app of the Web UI at `url`, for requests to this machine or to one of the names."""
    to_change = "Use 127.0.0.1, or name it in TEMPORAL_UI_HOST_NAMES"
    return OwnOriginOnly(WebUi(url), names, called="The Web UI", to_change=to_change)


async def _read(receive: Any) -> bytes | None:
    """Return a request's body; None if it is too large."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        if len(body) > _LARGEST_BODY:
            return None
        more = event.get("more_body", False)
    return body


def _passed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION]


async def _answer(send: Any, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--host-names", default="")
    chosen = parser.parse_args()
    uvicorn.run(
        app(chosen.to, filter(None, chosen.host_names.split(","))),
        host=chosen.host,
        port=chosen.port,
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
