"""Credentials are resealed under a new vault key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from domain.audit import RevocationCause
from store.accounts.connected import open_credentials, save_account
from store.accounts.revocations import (
    START,
    Authorization,
    Position,
    add_revocation,
    count_by_key,
    open_revocation,
    reseal_batch,
    reseal_revocations,
)
from store.database import Database
from store.models import Account, PendingRevocation
from store.secrets.vault import Vault, VaultError, new_key
from store.workspaces.keys import create_workspace
from tests.databases import new_database

FORGOTTEN, OLD, NEW = (SecretStr(new_key()) for _ in range(3))
ROTATING = Vault([NEW, OLD])


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = Database(await new_database(postgres_url))
    yield database
    await database.close()


async def save(database: Database, key: SecretStr, *names: str) -> list[tuple[str, str]]:
    """Connect accounts whose token is their name, sealed under a key; returns their keys in the table."""
    async with database.transaction() as session:
        workspace = await create_workspace(session, f"of {names}")
        for name in names:
            await save_account(
                session,
                Vault([key]),
                workspace_id=workspace,
                account_id=name,
                platform="twitter",
                user_id=name,
                username=name,
                premium=False,
                credentials={"access_token": name},
            )
    return [(workspace, name) for name in names]


async def reseal(database: Database, limit: int = 100) -> int:
    resealed, position = 0, START
    while True:
        async with database.transaction() as session:
            batch = await reseal_batch(session, ROTATING, position, limit)
        resealed += batch.resealed
        if batch.position is None:
            return resealed
        position = batch.position


async def counts(database: Database) -> dict[bytes, int]:
    async with database.transaction() as session:
        return await count_by_key(session)


def key_id(key: SecretStr) -> bytes:
    return Vault([key]).key_ids[0]


async def tokens(database: Database, vault: Vault, keys: list[tuple[str, str]]) -> list[str]:
    async with database.transaction() as session:
        accounts = [await session.get_one(Account, key) for key in keys]
        return [open_credentials(vault, account)["access_token"] for account in accounts]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_all_credentials_open_with_the_new_key(database: Database, limit: int) -> None:
    names = [f"tw_{number}" for number in range(5)]
    keys = await save(database, OLD, *names)
    assert await reseal(database, limit) == 5
    assert await counts(database) == {key_id(NEW): 5}
    assert await tokens(database, Vault([NEW]), keys) == names
    with pytest.raises(VaultError):
        await tokens(database, Vault([OLD]), keys)


async def test_resealing_skips_finished_accounts(database: Database) -> None:
    await save(database, OLD, "tw_1", "tw_2")
    async with database.transaction() as session:
        first = await reseal_batch(session, ROTATING, START, 1)
    assert first.position is not None
    # Interrupted here, and begun again from the start.
    assert await reseal(database) == 1
    assert await reseal(database) == 0


async def test_a_batch_that_fails_changes_nothing(database: Database) -> None:
    await save(database, OLD, "tw_1")

    async def fail() -> None:
        async with database.transaction() as session:
            await reseal_batch(session, ROTATING, START, 10)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await counts(database) == {key_id(OLD): 1}


async def test_credentials_without_key_are_left_and_counted(database: Database) -> None:
    await save(database, FORGOTTEN, "tw_1")
    await save(database, OLD, "tw_2", "tw_3")
    assert await reseal(database, 1) == 2
    assert await counts(database) == {key_id(NEW): 2, key_id(FORGOTTEN): 1}


@pytest.mark.parametrize(
    ("lease_until", "resealed"), [(timedelta(minutes=2), 0), (-timedelta(minutes=20), 0), (-timedelta(hours=1), 1)]
)
async def test_an_account_that_is_being_renewed_is_left_alone(
    database: Database, lease_until: timedelta, resealed: int
) -> None:
    [key] = await save(database, OLD, "tw_1")
    async with database.transaction() as session:
        (await session.get_one(Account, key)).renewing_until = datetime.now(UTC) + lease_until
    assert await reseal(database) == resealed


async def test_an_account_that_is_locked_is_not_waited_for(database: Database) -> None:
    [key, _] = await save(database, OLD, "tw_1", "tw_2")
    async with database.transaction() as session:
        await session.get_one(Account, key, with_for_update=True)
        assert await reseal(database) == 1


async def test_next_batch_begins_at_the_position(database: Database) -> None:
    account = await save(database, FORGOTTEN, "tw_1", "tw_2")
    async with database.transaction() as session:
        position: Position | None = (await reseal_batch(session, ROTATING, START, 1)).position
    assert position == min(account)


async def test_authorizations_that_are_still_to_be_ended_are_resealed(database: Database) -> None:
    async with database.transaction() as session:
        workspace = await create_workspace(session, "of revocations")
        for key in (OLD, FORGOTTEN):
            held = Authorization(workspace, "mastodon", "ma_1", {"access_token": "one"}, ["1"], "app")
            assert await add_revocation(session, Vault([key]), held, RevocationCause.REPLACED) is not None
    async with database.transaction() as session:
        assert await reseal_revocations(session, ROTATING) == 1
    async with database.transaction() as session:
        rows = list(await session.scalars(select(PendingRevocation).order_by(PendingRevocation.id)))
        assert open_revocation(Vault([NEW]), rows[0]) == {"access_token": "one"}
        with pytest.raises(VaultError):
            open_revocation(ROTATING, rows[1])
