"""The parts of another worker's steps, beside the worker of the stack."""

from collections.abc import AsyncIterator

import pytest

from runtime.parts import WorkerParts, open_parts
from store.database import Database
from store.roles import Component
from tests.databases import url_as
from tests.stack import Stack


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[WorkerParts]:
    """Return the parts of another worker."""
    database = Database(url_as(stack.database_url, Component.WORKER), pool_size=5, max_overflow=5)
    async with open_parts(stack.settings, database) as parts:
        yield parts
    await database.close()
