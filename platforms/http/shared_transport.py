"""The transport to servers that accounts name, shared between workspaces."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import httpx

from domain.shares import Exhausted, Share, Shares
from platforms.errors import ErrorKind, PlatformError

MOST_REQUESTS = 80
"""Most concurrent requests; fewer than the connections of the pool below."""
_TIMEOUT_S = 2.0
"""Seconds that a share is waited for. Fast servers make room within milliseconds."""
_ASK_AGAIN_S = 0.05


class SharedTransport(httpx.AsyncBaseTransport):
    """A transport of which a workspace uses no more than what stays free for all others.

    A server that does not respond delays posts of its own workspace only: those that find no room release their slots.
    The request's extension `workspace` names its workspace.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, total: int = MOST_REQUESTS) -> None:
        self._transport = transport
        self._shares = Shares(total)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises PlatformError(transient) if there is no room; nothing was sent then."""
        try:
            share = await wait_for_share(self._shares, str(request.extensions.get("workspace", "")))
        except Exhausted as short:
            message = "Servers of this workspace's accounts are slow; this post continues after others."
            raise PlatformError(ErrorKind.TRANSIENT, message, code="servers_busy") from short
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException:
            share.release()
            raise
        response.stream = _Body(cast("httpx.AsyncByteStream", response.stream), share)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


async def wait_for_share(shares: Shares, workspace_id: str) -> Share:
    """Take a share as soon as the workspace may have it. Raises Exhausted after two seconds."""
    deadline = asyncio.get_running_loop().time() + _TIMEOUT_S
    while True:
        try:
            return shares.take(workspace_id)
        except Exhausted:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(_ASK_AGAIN_S)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, share: Share) -> None:
        self._stream = stream
        self._share = share

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._share.release()
