"""HTTP transports over httpcore's own connections."""

import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import cast

import httpcore
import httpx

from domain.printable import error_words
from domain.shares import demand_no_session
from platforms.http.connection import Connection
from platforms.http.pool import Pool

_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}
"""httpx's names for the errors of httpcore's connections."""


class Transport(httpx.AsyncBaseTransport):
    """An httpx transport over a network backend of httpcore. It ignores proxies in the environment.

    A context takes some ten milliseconds to make, so transports may share one.
    """

    def __init__(
        self, network: httpcore.AsyncNetworkBackend | None = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._pool = Pool(context or httpx.create_ssl_context(trust_env=False), network or httpcore.AnyIOBackend())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises SessionHeld inside a database transaction."""
        demand_no_session()
        url = request.url
        if url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("only http and https are spoken")
        with _errors():
            response, connection = await self._pool.send(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=cast("httpx.AsyncByteStream", request.stream),
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response, connection, self._pool),
            extensions=dict(response.extensions),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raise httpx's errors for httpcore's, and httpx.ReadError for a TLS record that cannot be read.

    Neither anyio nor httpcore translates the latter.
    """
    try:
        yield
    except ssl.SSLError as error:
        raise httpx.ReadError(f"The connection is no longer TLS: {error}") from error
    except Exception as error:
        if type(error) not in _ERRORS:
            raise
        raise _ERRORS[type(error)](error_words(error)) from error


class _Body(httpx.AsyncByteStream):
    """The body of a response, whose connection is released once."""

    def __init__(self, response: httpcore.Response, connection: Connection, pool: Pool) -> None:
        self._response = response
        self._connection: Connection | None = connection
        self._pool = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors():
            async for piece in cast("AsyncIterable[bytes]", self._response.stream):
                yield piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._response.aclose()
        finally:
            self._pool.release(connection)
