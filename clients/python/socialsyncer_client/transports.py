"""Transports for httpx that repeat requests, keep to the key's limit, and raise this package's exceptions."""

from __future__ import annotations

from asyncio import sleep as sleep_async
from time import monotonic, sleep

import httpx

from socialsyncer_client.errors import response_error
from socialsyncer_client.retries import Retries, connection_failed, seconds_of_limit


class RetryingTransport(httpx.BaseTransport):
    """A transport that repeats what may be repeated, and raises SocialSyncerError for every answer from 400 on."""

    def __init__(self, wrapped: httpx.BaseTransport, retries: Retries) -> None:
        self._wrapped = wrapped
        self._retries = retries
        self._not_before = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is final. Raises SocialSyncerError."""
        for attempt in range(1, self._retries.attempts + 1):
            sleep(max(0.0, self._not_before - monotonic()))
            try:
                response = self._wrapped.handle_request(request)
                # Here, so that an answer that breaks off counts as none.
                response.read()
            except httpx.TransportError as error:
                wait = self._retries.wait_after(request, attempt, None)
                if wait is None:
                    raise connection_failed(error, request) from error
            else:
                self._not_before = max(self._not_before, monotonic() + seconds_of_limit(response))
                if response.status_code < 400:
                    return response
                wait = self._retries.wait_after(request, attempt, response)
                if wait is None:
                    raise response_error(response)
            sleep(wait)
        raise AssertionError("the last attempt has no further wait")

    def close(self) -> None:
        """Close the connections."""
        self._wrapped.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for asyncio."""

    def __init__(self, wrapped: httpx.AsyncBaseTransport, retries: Retries) -> None:
        self._wrapped = wrapped
        self._retries = retries
        self._not_before = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is final. Raises SocialSyncerError."""
        for attempt in range(1, self._retries.attempts + 1):
            await sleep_async(max(0.0, self._not_before - monotonic()))
            try:
                response = await self._wrapped.handle_async_request(request)
                await response.aread()
            except httpx.TransportError as error:
                wait = self._retries.wait_after(request, attempt, None)
                if wait is None:
                    raise connection_failed(error, request) from error
            else:
                self._not_before = max(self._not_before, monotonic() + seconds_of_limit(response))
                if response.status_code < 400:
                    return response
                wait = self._retries.wait_after(request, attempt, response)
                if wait is None:
                    raise response_error(response)
            await sleep_async(wait)
        raise AssertionError("the last attempt has no further wait")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wrapped.aclose()
