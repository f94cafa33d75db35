"""One connection of HTTP/1.1 to a server, over httpcore's own streams, which handle TLS and reading."""

import ssl
from typing import Self

import httpcore


class Connection:
    """A connection that is not used again if the server sent more than its response.

    All accounts of a platform share a pool, so such bytes would be taken for the response to another account's request.
    """

    def __init__(self, origin: httpcore.Origin, stream: httpcore.AsyncNetworkStream) -> None:
        self.origin = origin
        self._http = httpcore.AsyncHTTP11Connection(origin, stream)
        self._stream = stream
        self._surplus: _Surplus | None = None

    @classmethod
    async def open(
        cls,
        origin: httpcore.Origin,
        context: ssl.SSLContext,
        network: httpcore.AsyncNetworkBackend,
        timeout: float | None,  # noqa: ASYNC109 - as httpcore has it
    ) -> Self:
        """Connect to a server; an https one must have a certificate that the context trusts."""
        host = origin.host.decode("ascii")
        stream = await network.connect_tcp(host, origin.port, timeout)
        if origin.scheme == b"https":
            try:
                stream = await stream.start_tls(context, host, timeout)
            except BaseException:
                # httpcore closes a connection that fails, but not one that is cancelled. It would stay open until it is
                # collected.
                await stream.aclose()
                raise
        return cls(origin, stream)

    @property
    def is_idle(self) -> bool:
        """Whether the response to each request has been read to its end."""
        return self._http.is_idle()

    async def send(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request, and return its response as soon as its head has arrived."""
        return await self._http.handle_async_request(request)

    def can_be_used_again(self) -> bool:
        """Return whether nothing has arrived since the last response: no bytes, and no end of the connection.

        Call it between two exchanges only.
        """
        if self._http.has_expired():
            # The socket is readable: httpcore takes that for the end of the connection.
            return False
        self._surplus = self._surplus or _Surplus(self._http, self._stream)
        return not self._surplus.has_arrived()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()


class _Surplus:
    """The bytes that one connection has received and that belong to no response.

    They can wait in h11's buffer, in the TLS layer and in anyio's queue below it. h11, httpcore and anyio offer only
    private names for them. The tests of the transport fail if one of these layers is forgotten.
    """

    def __init__(self, http: httpcore.AsyncHTTP11Connection, stream: httpcore.AsyncNetworkStream) -> None:
        self._http = http._h11_state  # noqa: SLF001 - see above
        self._tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")
        below = getattr(stream, "_stream", None)
        below = getattr(below, "transport_stream", below)
        self._protocol = getattr(below, "_protocol", None)

    def has_arrived(self) -> bool:
        """Return whether there are any. Call it between two exchanges only, because it may read some of them."""
        if self._http.trailing_data[0] or getattr(self._protocol, "read_queue", None):
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
