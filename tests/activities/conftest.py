from collections.abc import AsyncIterator

import pytest

from tests.activities.webhook_endpoints import Endpoint, endpoints
from tests.stack import Stack


@pytest.fixture
async def endpoint(stack: Stack) -> AsyncIterator[Endpoint]:
    """Yield one endpoint, whose receiver takes all events."""
    async with endpoints(stack, 1) as (only,):
        yield only
