from collections.abc import AsyncIterator

import pytest

from accounts.credentials.renewal import Renewals
from store.database import Database
from store.models import Account
from store.secrets.vault import Vault
from tests.accounts.credentials.renewing import Platform, Process
from tests.stack import Stack


@pytest.fixture
def platform() -> Platform:
    """Return a platform whose renewal waits until the test lets it finish."""
    return Platform()


@pytest.fixture
async def account(stack: Stack) -> Account:
    """Connect an account whose refresh token is accepted once."""
    return await stack.connect("twitter", refreshToken="used once")


@pytest.fixture
async def process(stack: Stack) -> AsyncIterator[Process]:
    """Return a function that makes the part of a worker process that renews tokens."""
    renewals: list[tuple[Renewals, Database]] = []

    def make(database: Database | None = None, *, on: bool = True) -> Renewals:
        database = database or Database(stack.database_url, pool_size=2, max_overflow=0)
        renewals.append((Renewals(database, Vault(stack.settings.encryption_keys), on=on), database))
        return renewals[-1][0]

    yield make
    for running, database in renewals:
        await running.close(0)
        await database.close()
