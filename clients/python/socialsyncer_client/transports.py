"""Transports for httpx that repeat requests, keep to the key's limit, and raise this package's exceptions."""

from __future__ import annotations

from asyncio import sleep as sleep_async
from time import monotonic, sleep

import httpx

from socialsyncer_client.errors import response_error
from socialsyncer_client.retries import LimitPace, Retries, connection_failed, log_repeat


class RetryingTransport(httpx.BaseTransport):
    """A transport that repeats what may be repeated, and raises SocialSyncerError for every answer from 400 on."""

    def __init__(self, transport: httpx.BaseTransport | None, retries: Retries) -> None:
        # A client, and no transport: it goes through the proxies of the environment.
        self._wrapped = httpx.Client(transport=transport)
        self._retries = retries
        self._pace = LimitPace(retries.longest_pause)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is final. Raises SocialSyncerError."""
        for attempt in range(1, self._retries.attempts + 1):
            sleep(self._pace.wait_s(monotonic()))
            try:
                response = self._wrapped.send(request)
                # Here, so that an answer that breaks off counts as none.
                response.read()
            except httpx.TransportError as error:
                wait = self._retries.wait_after(request, attempt, None)
                if wait is None:
                    raise connection_failed(error, request) from error
            else:
                self._pace.learn(response, monotonic())
                if response.status_code < 400:
                    return response
                wait = self._retries.wait_after(request, attempt, response)
                if wait is None:
                    raise response_error(response)
            log_repeat(request, attempt, wait)
            sleep(wait)
        raise AssertionError("the last attempt has no further wait")

    def close(self) -> None:
        """Close the connections."""
        self._wrapped.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for asyncio."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None, retries: Retries) -> None:
        self._wrapped = httpx.AsyncClient(transport=transport)
        self._retries = retries
        self._pace = LimitPace(retries.longest_pause)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is final. Raises SocialSyncerError."""
        for attempt in range(1, self._retries.attempts + 1):
            await sleep_async(self._pace.wait_s(monotonic()))
            try:
                response = await self._wrapped.send(request)
                await response.aread()
            except httpx.TransportError as error:
                wait = self._retries.wait_after(request, attempt, None)
                if wait is None:
                    raise connection_failed(error, request) from error
            else:
                self._pace.learn(response, monotonic())
                if response.status_code < 400:
                    return response
                wait = self._retries.wait_after(request, attempt, response)
                if wait is None:
                    raise response_error(response)
            log_repeat(request, attempt, wait)
            await sleep_async(wait)
        raise AssertionError("the last attempt has no further wait")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wrapped.aclose()
