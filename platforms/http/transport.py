"""HTTP transports over httpcore's own connections, which handle TLS and reading."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import httpcore
import httpx

from domain.session_held import demand_no_session

_MOST_CONNECTIONS = 100
_MOST_IDLE = 16
"""Few, because for every request the pool asks the system about each idle connection."""
_IDLE_FOR_S = 2.0
"""Well below the five seconds after which many servers, Apache's and uvicorn's defaults among them, close an idle
connection: a send that meets the end of its connection is unconfirmed, and some platforms cannot be read back."""


class Transport(httpx.AsyncHTTPTransport):
    """An httpx transport over a network backend of httpcore. It ignores proxies in the environment.

    A context takes some ten milliseconds to make, so transports may share one.
    """

    def __init__(
        self, network: httpcore.AsyncNetworkBackend | None = None, *, context: ssl.SSLContext | None = None
    ) -> None:
        context = context or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # httpx passes no network backend to the pool that it makes, so the transport gets this pool instead.
        self._pool = _Pool(context, network or httpcore.AnyIOBackend())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises SessionHeld inside a database transaction."""
        demand_no_session()
        with _tls_errors():
            response = await super().handle_async_request(request)
        response.stream = _Body(cast("httpx.AsyncByteStream", response.stream))
        return response


@contextlib.contextmanager
def _tls_errors() -> Iterator[None]:
    """Raise httpx.ReadError for a TLS record that cannot be read. Neither anyio, httpcore nor httpx translates it."""
    try:
        yield
    except ssl.SSLError as error:
        raise httpx.ReadError(f"The connection is no longer TLS: {error}") from error


class _Body(httpx.AsyncByteStream):
    """The body of a response, in whose middle a connection may cease to be TLS."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _tls_errors():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Pool(httpcore.AsyncConnectionPool):
    def __init__(self, context: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        super().__init__(
            ssl_context=context,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_IDLE,
            keepalive_expiry=_IDLE_FOR_S,
            network_backend=network,
        )
        self._context = context
        self._network = network

    def create_connection(self, origin: httpcore.Origin) -> "_Connection":
        return _Connection(
            origin=origin,
            ssl_context=self._context,
            keepalive_expiry=_IDLE_FOR_S,
            network_backend=self._network,
        )


class _Connection(httpcore.AsyncHTTPConnection):
    """A connection that is not used again if the server sent more than its response.

    The pool is shared by all accounts of a platform, so such bytes would be taken for the response to another account's
    request. Bytes that arrive later make the socket readable, which httpcore itself takes for the end of a connection.
    """

    _surplus: "_Surplus | None" = None

    def has_expired(self) -> bool:
        if super().has_expired():
            return True
        if self._connection is None or not self.is_idle():
            return False
        self._surplus = self._surplus or _Surplus(self._connection)
        return self._surplus.has_arrived()


class _Surplus:
    """The bytes that one connection has received and that belong to no response.

    They can wait in h11's buffer, in the TLS layer and in anyio's queue below it. h11, httpcore and anyio offer only
    private names for them. The tests of this module fail if one of these layers is forgotten.
    """

    def __init__(self, connection: Any) -> None:
        stream = connection._network_stream  # noqa: SLF001 - see above
        self._http = connection._h11_state  # noqa: SLF001
        self._tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        below = getattr(stream, "_stream", None)
        below = getattr(below, "transport_stream", below)
        self._protocol = getattr(below, "_protocol", None)

    def has_arrived(self) -> bool:
        """Return whether there are any. Call it between two exchanges only, because it may read some of them."""
        if self._http.trailing_data[0] or getattr(self._protocol, "read_queue", ()):
            return True
        if self._tls is None:
            return False
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True
