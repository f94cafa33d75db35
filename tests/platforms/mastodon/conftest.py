"""The real server of these tests, if it is installed."""

from collections.abc import AsyncIterator

import pytest

from tests.platforms.mastodon import snac
from tests.platforms.mastodon.snac import Snac


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Snac]:
    async with snac.running_snac() as running:
        yield running
