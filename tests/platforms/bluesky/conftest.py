"""The real server of these tests, if it is installed."""

from collections.abc import AsyncIterator

import pytest

from tests.platforms.bluesky import pds
from tests.platforms.bluesky.pds import Pds


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Pds]:
    async with pds.running_pds() as running:
        yield running
