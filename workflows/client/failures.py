"""The one module that knows what Temporal's client fails with: Temporal is away, or does not know a workflow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.service import RPCError, RPCStatusCode

from domain.errors import Problem, Unavailable

AWAY = (RPCError, RuntimeError, TimeoutError)
"""What a call of the client raises where Temporal cannot be reached or does not answer in time."""


def unavailable() -> Unavailable:
    """Return the error for a caller while Temporal or every worker is away."""
    return Unavailable(Problem("Publishing is not reachable at the moment; ask again shortly", "unavailable"))


def unknown(error: BaseException) -> bool:
    """Tell whether an error says that there is no such workflow."""
    return isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND


def turned_down(error: BaseException) -> bool:
    """Tell whether Temporal is there and does not take what it was given: asked again it says the same."""
    cause = error.__cause__
    return isinstance(cause, RPCError) and cause.status is RPCStatusCode.INVALID_ARGUMENT


@asynccontextmanager
async def answering(seconds: float) -> AsyncIterator[None]:
    """Bound how long Temporal is waited for. Raises Unavailable where it does not answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except AWAY as error:
        raise unavailable() from error
