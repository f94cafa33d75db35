"""The factory of another worker's steps, beside the worker of the stack."""

from collections.abc import AsyncIterator

import pytest

from activities.step_context import StepContextFactory
from runtime import worker
from store.database import Database
from store.roles import Component
from tests.databases import url_as
from tests.stack import Stack


@pytest.fixture
async def factory(stack: Stack) -> AsyncIterator[StepContextFactory]:
    """Return the factory of another worker."""
    database = Database(url_as(stack.database_url, Component.WORKER), pool_size=5, max_overflow=5)
    async with worker.factory(stack.settings, database) as factory:
        yield factory
    await database.close()
