"""The only module that interprets errors of Temporal's client: Temporal is unavailable, or does not know a workflow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Problem, Unavailable

AWAY = (RPCError, RuntimeError, TimeoutError)
"""The errors that the client raises if Temporal cannot be reached or does not respond in time."""


def unavailable() -> Unavailable:
    """Return the error for a caller if Temporal, or every worker, is unavailable."""
    return Unavailable(Problem("Publishing is not reachable at the moment; ask again shortly", "unavailable"))


def is_not_found(error: BaseException) -> bool:
    """Return whether an error says that there is no such workflow."""
    return isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND


def transport_ended(error: RPCError) -> bool:
    """Return whether the transport ended during the call: Temporal replaces each transport every five minutes.

    The call may have been processed: repeat only what changes nothing.
    """
    return error.status is RPCStatusCode.CANCELLED


@asynccontextmanager
async def answering(seconds: float) -> AsyncIterator[None]:
    """Limit the wait for Temporal. Raises Unavailable if it does not respond."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except AWAY as error:
        raise unavailable() from error
